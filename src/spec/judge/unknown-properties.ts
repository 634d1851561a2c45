/** Properties unknown to the runtime-spec: `validate --strict` refuses them, a warning of `ociVersion` names them. */
import { keys } from '../../../build/gen/keys.js';
import { nearestWord } from '../../sys/nearest-word.js';
import { escapeSegment } from '../json/json-pointer.js';

/** Called with each unknown property; `nearest` searches for a similar known one, which is slow. */
type OnUnknown = (pointer: string, nearest: () => string | undefined) => void;

/**
 * Visits the unknown properties of a config in order. The spec lets runtimes ignore them (config.md#extensibility).
 * Keys of maps, such as annotations, are free.
 */
export function eachUnknownProperty(spec: unknown, onUnknown: OnUnknown): void {
  if (hasUnknown(spec, '')) visitObject(spec, '', '', onUnknown);
}

/** Whether there is an unknown property. Every create asks: no pointer is built, most configs have none. */
function hasUnknown(value: unknown, definition: string): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const known = keys[definition]!;
  // JSON has no inherited properties.
  for (const key in value) {
    const below = known[key];
    if (below === 0) continue;
    if (below === undefined || !Object.hasOwn(known, key)) return true;
    const child = (value as Record<string, unknown>)[key];
    if (typeof below === 'string') {
      if (hasUnknown(child, below)) return true;
    } else if (typeof child === 'object' && child !== null) {
      for (const name in child) if (hasUnknown((child as Record<string, unknown>)[name], below[0])) return true;
    }
  }
  return false;
}

function visitObject(value: unknown, definition: string, pointer: string, onUnknown: OnUnknown): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  const known = keys[definition]!;
  for (const key in value) {
    const below = known[key];
    if (below === 0) continue;
    const at = `${pointer}/${escapeSegment(key)}`;
    const child = (value as Record<string, unknown>)[key];
    if (below === undefined || !Object.hasOwn(known, key)) onUnknown(at, () => nearestWord(key, Object.keys(known)));
    else if (typeof below === 'string') visitObject(child, below, at, onUnknown);
    else if (Array.isArray(child))
      for (let i = 0; i < child.length; i++) visitObject(child[i], below[0], `${at}/${i}`, onUnknown);
    else if (typeof child === 'object' && child !== null)
      for (const name in child)
        visitObject((child as Record<string, unknown>)[name], below[0], `${at}/${escapeSegment(name)}`, onUnknown);
  }
}
