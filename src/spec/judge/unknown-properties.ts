/**
 * Properties that the runtime-spec does not have. It tells runtimes to let them pass (config.md#extensibility), so
 * only `validate --strict` refuses them, and only the warning of a newer `ociVersion` names them.
 */
import { keys } from '../../../build/gen/keys.js';
import { nearest } from '../../sys/nearest-word.js';
import { segment } from '../json/json-pointer.js';

/** Called with each unknown property; `nearest` looks for the known one that may have been meant, which is slow. */
type Seen = (pointer: string, nearest: () => string | undefined) => void;

/** Visits the unknown properties of a config, in its order. Keys of maps, such as annotations, are free. */
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
      // A list or a map: Object.keys has the indexes of the one and the keys of the other.
      for (const name of Object.keys(child)) {
        object((child as Record<string, unknown>)[name], below[0], `${at}/${segment(name)}`, seen);
      }
    }
  }
}
