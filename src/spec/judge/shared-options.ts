/** One list of options for mounts that have equal ones, as thousands of a config may. */
import type { Mount } from '../config-types.js';

/** A list of fewer mounts is not worth the comparison. */
const few = 64;

/** Gives a mount the list of the one before it if that is equal: the lists are a third of what mounts take. */
export function shareOptions(mounts: readonly Mount[] | undefined): void {
  if (!mounts || mounts.length < few) return;
  let before: string[] | undefined;
  for (let i = 0; i < mounts.length; i++) {
    const mount = mounts[i] as Mount;
    const { options } = mount;
    if (options && before && options.length === before.length) {
      let n = 0;
      while (n < options.length && options[n] === before[n]) n++;
      if (n === options.length) {
        mount.options = before;
        continue;
      }
    }
    before = options;
  }
}
