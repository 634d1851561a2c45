/** Known causes of failures to hide and protect paths. */
import { E } from '../../sys/errno.js';
import { because, type Failures } from '../failure/known-cause.js';
import { targetHint } from '../root/root-hints.js';
import type { maskTable } from './mask-ops.js';

export const maskFailures: Failures<keyof typeof maskTable> = {
  mask: {
    code: 'ERR_MASK',
    hint: (f, { path }) =>
      f.errno === E.ENODEV
        ? because(
            'files are masked by binding /dev/null of the container over them, and that is not the null device (c 1:3), perhaps put there to lift the mask: remove it from the image or from the mounts',
            'CVE-2025-31133',
          )
        : targetHint(f, path),
  },
  readonlyPath: {
    code: 'ERR_MASK',
    hint: (f, { path }) =>
      f.errno === E.EINVAL
        ? because(
            `${path} is on a mount with unbindable propagation, and paths are made read-only by binding them on themselves: give that mount another propagation, or "ro"`,
            'mount_namespaces(7)',
          )
        : targetHint(f, path),
  },
};
