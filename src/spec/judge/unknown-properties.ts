/** Properties unknown to the runtime-spec: `validate --strict` refuses them, a warning of `ociVersion` names them. */
import { keys } from '../../../build/gen/keys.js';
import { nearestWord } from '../../sys/nearest-word.js';
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
  // JSON has no inherited properties. Every create comes here: nothing is done for a known property without others.
  for (const key in value) {
    const below = known[key];
    if (below === 0) continue;
    const at = `${pointer}/${segment(key)}`;
    const child = (value as Record<string, unknown>)[key];
    if (below === undefined || !Object.hasOwn(known, key)) seen(at, () => nearestWord(key, Object.keys(known)));
    else if (typeof below === 'string') object(child, below, at, seen);
    else if (Array.isArray(child))
      for (let i = 0; i < child.length; i++) object(child[i], below[0], `${at}/${i}`, seen);
    else if (typeof child === 'object' && child !== null)
      for (const name in child)
        object((child as Record<string, unknown>)[name], below[0], `${at}/${segment(name)}`, seen);
  }
}
