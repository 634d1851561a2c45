/** Properties unknown to the runtime-spec: `validate --strict` refuses them, a warning of `ociVersion` names them. */
import { keys } from '../../../build/gen/keys.js';
import { nearest } from '../../sys/nearest-word.js';
import { segment } from '../json/json-pointer.js';

/** Called with each unknown property; `nearest` searches for a similar known one, which is slow. */
type Seen = (pointer: string, nearest: () => string | undefined) => void;

/**
 * Visits the unknown properties of a config in order. The spec lets runtimes ignore them (config.md#extensibility).
 * Keys of maps, such as annotations, are free.
 */
export function eachUnknownProperty(spec: unknown, seen: Seen): void {
  object(spec, '', '', seen);
}

function object(value: unknown, definition: string, pointer: string, seen: Seen): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  const known = keys[definition]!;
  for (const key of Object.keys(value)) {
    const at = `${pointer}/${segment(key)}`;
    const child = (value as Record<string, unknown>)[key];
    if (!Object.hasOwn(known, key)) {
      seen(at, () => nearest(key, Object.keys(known)));
      continue;
    }
    const below = known[key]!;
    if (typeof below === 'string') {
      object(child, below, at, seen);
    } else if (below !== 0 && typeof child === 'object' && child !== null) {
      // Object.keys returns the indexes of a list, and the keys of a map.
      for (const name of Object.keys(child)) {
        object((child as Record<string, unknown>)[name], below[0], `${at}/${segment(name)}`, seen);
      }
    }
  }
}
