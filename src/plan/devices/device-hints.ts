/** Known causes of failures to make the content of /dev. */
import { E } from '../../sys/errno.js';
import { because, type Failure, type Failures, type Hint } from '../failure/known-cause.js';
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
      ? because(
          'device nodes cannot be made in a user namespace, and the host has no such node to bind: make it on the host, or remove it',
          'mknod(2)',
        )
      : because(
          'making device nodes needs CAP_MKNOD and a device list (linux.resources.devices) of the cgroup that lets "m"',
          'mknod(2)',
        );
  }
  if (f.errno === E.ENOENT && op.bind) {
    return because(
      `the host has no ${op.path}, nor ${op.type === 'b' ? '/dev/block' : '/dev/char'}/${op.major}:${op.minor}, which without the right to make device nodes is bound from there: make it, or remove it`,
      'runtime-spec config-linux.md#devices',
    );
  }
  if (f.errno === E.ENODEV) {
    return because(
      `${op.path} of the host is not device ${op.type} ${op.major}:${op.minor}, which without the right to make device nodes is bound from there: make it on the host, or remove it`,
      'runtime-spec config-linux.md#devices',
    );
  }
  if (f.errno === E.EEXIST) {
    return because(
      `the rootfs has something else at ${op.path}: remove it there, or mount a tmpfs on /dev`,
      'runtime-spec config-linux.md#devices',
    );
  }
  return undefined;
}
