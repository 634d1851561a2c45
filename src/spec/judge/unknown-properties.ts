/** Properties unknown to the runtime-spec: `validate --strict` refuses them, a warning of `ociVersion` names them. */
import { type Below, keys } from '../../../build/gen/keys.js';
import { nearestWord } from '../../sys/nearest-word.js';
import { escapeSegment } from '../json/json-pointer.js';

/** Similar known names of an unknown property. */
interface Similar {
  /** The known name that differs in the case of letters alone. Go's encoding/json, and so runc, takes it for that. */
  readonly otherCase: string | undefined;
  /** Searches for the nearest known name, which is slow. */
  readonly nearest: () => string | undefined;
}

/** Called with each unknown property. */
type OnUnknown = (pointer: string, similar: Similar) => void;

/** The names of each definition of the schema, by their folded form; only of those that an unknown property was in. */
const foldedNames = new Map<string, ReadonlyMap<string, string>>();

/** As Go folds: also the long s and the Kelvin sign are letters of ASCII in another case. */
const fold = (name: string): string => name.toUpperCase().toLowerCase();

function otherCaseOf(name: string, definition: string): string | undefined {
  let names = foldedNames.get(definition);
  if (!names) {
    names = new Map(Object.keys(keys[definition]!).map((known) => [fold(known), known]));
    foldedNames.set(definition, names);
  }
  return names.get(fold(name));
}

/**
 * Visits the unknown properties of a config in order. The spec lets runtimes ignore them (config.md#extensibility).
 * Keys of maps, such as annotations, are free.
 */
export function eachUnknownProperty(spec: unknown, onUnknown: OnUnknown): void {
  visitObject(spec, '', [], onUnknown);
}

/** Names and indices of an object; a pointer is built only for an unknown property, as most have none. */
type Path = (string | number)[];

function visitObject(value: unknown, definition: string, path: Path, onUnknown: OnUnknown): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  const known = keys[definition]!;
  // Every create comes here: nothing is done for a known property without others. Not `for in`, which also looks at the
  // prototype.
  const names = Object.keys(value);
  for (let i = 0; i < names.length; i++) {
    const key = names[i] as string;
    const below = known[key];
    if (below === 0) continue;
    const child = (value as Record<string, unknown>)[key];
    path.push(key);
    if (below === undefined || !Object.hasOwn(known, key))
      onUnknown(pointerOf(path), {
        otherCase: otherCaseOf(key, definition),
        nearest: () => nearestWord(key, Object.keys(known)),
      });
    else visitBelow(child, below, path, onUnknown);
    path.pop();
  }
}

/** Visits the value of a known property: an object, a list or a map. */
function visitBelow(child: unknown, below: Exclude<Below, 0>, path: Path, onUnknown: OnUnknown): void {
  if (typeof below === 'string') visitObject(child, below, path, onUnknown);
  else if (Array.isArray(child)) visitList(child, below[0], path, onUnknown);
  else if (typeof child === 'object' && child !== null)
    for (const name of Object.keys(child)) {
      path.push(name);
      visitObject((child as Record<string, unknown>)[name], below[0], path, onUnknown);
      path.pop();
    }
}

/** Names of an object, all known. */
interface KnownNames {
  readonly count: number;
  /** Those with something below them. */
  readonly below: readonly (readonly [key: string, below: Exclude<Below, 0>])[];
}

/** By definition, and by the names, joined: none has a comma. Most objects of a long list have the same ones. */
const knownNames = new Map<string, Map<string, KnownNames>>();

function visitList(list: readonly unknown[], definition: string, path: Path, onUnknown: OnUnknown): void {
  let all = knownNames.get(definition);
  if (!all) {
    all = new Map();
    knownNames.set(definition, all);
  }
  const at = path.push(0) - 1;
  for (let i = 0; i < list.length; i++) {
    const value = list[i];
    if (typeof value !== 'object' || value === null) continue;
    const names = Object.keys(value);
    const joined = names.join(',');
    const found = all.get(joined) ?? learned(all, joined, names, definition);
    path[at] = i;
    if (found?.count !== names.length) visitObject(value, definition, path, onUnknown);
    else if (found.below.length > 0) visitNames(value, found, path, onUnknown);
  }
  path.pop();
}

function visitNames(value: object, { below }: KnownNames, path: Path, onUnknown: OnUnknown): void {
  for (let i = 0; i < below.length; i++) {
    const [key, kind] = below[i] as KnownNames['below'][number];
    path.push(key);
    visitBelow((value as Record<string, unknown>)[key], kind, path, onUnknown);
    path.pop();
  }
}

/** Keeps the names of an object if all are known; undefined if not. */
function learned(
  all: Map<string, KnownNames>,
  joined: string,
  names: readonly string[],
  definition: string,
): KnownNames | undefined {
  const known = keys[definition]!;
  const below: [string, Exclude<Below, 0>][] = [];
  for (const name of names) {
    const kind = known[name];
    if (kind === undefined || !Object.hasOwn(known, name)) return undefined;
    if (kind !== 0) below.push([name, kind]);
  }
  const found = { count: names.length, below };
  all.set(joined, found);
  return found;
}

const pointerOf = (path: Path): string => path.map((name) => `/${escapeSegment(String(name))}`).join('');
