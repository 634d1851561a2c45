/** Properties unknown to the runtime-spec: `validate --strict` refuses them, a warning of `ociVersion` names them. */
import { keys } from '../../../build/gen/keys.js';
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

/** @param path names and indices of the object; a pointer is built only for an unknown property, as most have none */
function visitObject(value: unknown, definition: string, path: string[], onUnknown: OnUnknown): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  const known = keys[definition]!;
  // JSON has no inherited properties. Every create comes here: nothing is done for a known property without others.
  for (const key in value) {
    const below = known[key];
    if (below === 0) continue;
    const child = (value as Record<string, unknown>)[key];
    path.push(key);
    if (below === undefined || !Object.hasOwn(known, key))
      onUnknown(pointerOf(path), {
        otherCase: otherCaseOf(key, definition),
        nearest: () => nearestWord(key, Object.keys(known)),
      });
    else if (typeof below === 'string') visitObject(child, below, path, onUnknown);
    else if (typeof child === 'object' && child !== null)
      for (const name in child) {
        path.push(name);
        visitObject((child as Record<string, unknown>)[name], below[0], path, onUnknown);
        path.pop();
      }
    path.pop();
  }
}

const pointerOf = (path: readonly string[]): string => path.map((name) => `/${escapeSegment(name)}`).join('');
