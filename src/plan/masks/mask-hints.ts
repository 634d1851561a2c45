/** Known causes of failures to hide and protect paths. */
import { E } from '../../sys/errno.js';
import { type Failures, hintOf } from '../failure/known-cause.js';
import { targetHint } from '../root/root-hints.js';
import type { maskTable } from './mask-ops.js';

export const maskFailures: Failures<keyof typeof maskTable> = {
  mask: {
    code: 'ERR_MASK',
    hint: (f, { path }) =>
      f.errno === E.ENODEV
        ? hintOf(
            'remove /dev/null from the image or from the mounts: runt masks files by binding it over them, and it is not the null device (c 1:3), perhaps put there to lift the mask',
            'CVE-2025-31133',
          )
        : targetHint(f, path),
  },
  readonlyPath: {
    code: 'ERR_MASK',
    hint: (f, { path }) =>
      f.errno === E.EINVAL
        ? hintOf(
            `give the mount of ${path} another propagation, or the option "ro": it is unbindable, and runt makes paths read-only by binding them on themselves`,
            'mount_namespaces(7)',
          )
        : targetHint(f, path),
  },
};
