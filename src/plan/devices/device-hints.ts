/** Known causes of failures to make the content of /dev. */
import { E } from '../../sys/errno.js';
import { type Failure, type Failures, type Hint, hintOf } from '../failure/known-cause.js';
import type { OpOf } from '../plan-ops.js';
import { targetHint } from '../root/root-hints.js';
import type { deviceTable } from './device-ops.js';

export const deviceFailures: Failures<keyof typeof deviceTable> = {
  device: { code: 'ERR_DEVICE', hint: (f, op) => deviceHint(f, op) ?? targetHint(f, op.path) },
  symlink: { code: 'ERR_DEVICE', hint: (f, op) => targetHint(f, op.path) },
};

function deviceHint(f: Failure, op: OpOf<'device'>): Hint | undefined {
  if (f.errno === E.EPERM) {
    return f.facts.userNamespace || f.facts.rootless
      ? hintOf(
          'make the device node on the host, or remove the device: nobody can make device nodes in a user namespace, and the host has no such node to bind',
          'mknod(2)',
        )
      : hintOf(
          'give runt CAP_MKNOD, and allow "m" for this device in linux.resources.devices: making a device node needs both',
          'mknod(2)',
        );
  }
  if (f.errno === E.ENOENT && op.bind) {
    return hintOf(
      `make ${op.path} on the host, or remove the device: runt may not make device nodes here, so it binds those of the host, and there is neither ${op.path} nor ${op.type === 'b' ? '/dev/block' : '/dev/char'}/${op.major}:${op.minor}`,
      'runtime-spec config-linux.md#devices',
    );
  }
  if (f.errno === E.ENODEV) {
    return hintOf(
      `make the device ${op.type} ${op.major}:${op.minor} at ${op.path} on the host, or remove it: runt may not make device nodes here, so it binds those of the host, and ${op.path} is another one there`,
      'runtime-spec config-linux.md#devices',
    );
  }
  if (f.errno === E.EEXIST) {
    return hintOf(
      `remove ${op.path} from the rootfs, or mount a tmpfs on /dev: something else is there`,
      'runtime-spec config-linux.md#devices',
    );
  }
  return undefined;
}
