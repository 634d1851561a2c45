/** Known causes of failures of security labels, and of the session keyring. */
import { E } from '../../sys/errno.js';
import { type Failure, type Failures, type Hint, hintOf } from '../failure/known-cause.js';
import type { OpOf } from '../plan-ops.js';
import type { labelTable } from './label-ops.js';

export const labelFailures: Failures<keyof typeof labelTable> = {
  securityLabel: { code: 'ERR_LABEL', hint: securityHint },
  labelMount: { code: 'ERR_MOUNT' },
  keyring: { code: 'ERR_INIT', hint: keyringHint },
};

function securityHint(f: Failure, op: OpOf<'securityLabel'>): Hint | undefined {
  if (op.file !== 'apparmor/exec') {
    if (f.errno === E.EINVAL) {
      return hintOf(
        "use a label (user:role:type:level) of the host's SELinux policy, or enable SELinux: the policy has no such label",
        'selinux(8)',
      );
    }
    if (f.errno === E.EACCES)
      return hintOf('allow runt to set this label in the SELinux policy: the policy denies it', 'selinux(8)');
    return undefined;
  }
  const profile = (op.label ?? '').slice('exec '.length);
  if (f.syscall === 'open')
    return hintOf(
      'enable AppArmor in the kernel, or remove process.apparmorProfile: the kernel runs without it',
      'apparmor(7)',
    );
  if (f.errno === E.ENOENT) {
    return hintOf(
      `load the profile ${profile} with apparmor_parser, or correct the name: it is not loaded`,
      'apparmor(7)',
    );
  }
  if (f.errno === E.EACCES || f.errno === E.EPERM) {
    return hintOf(
      `allow the change to ${profile} in the AppArmor profile that runt itself runs under, or run runt unconfined: that profile forbids it, or no_new_privs does`,
      'apparmor(7)',
    );
  }
  return f.errno === E.EINVAL
    ? hintOf(
        'enable AppArmor in the kernel, or remove process.apparmorProfile: the kernel runs without it',
        'apparmor(7)',
      )
    : undefined;
}

function keyringHint(f: Failure): Hint | undefined {
  switch (f.errno) {
    case E.EDQUOT:
      return hintOf(
        'raise the sysctls kernel.keys.maxkeys and maxbytes (root_maxkeys for root), or use --no-new-keyring: the user has as many keyrings as they allow',
        'keyrings(7)',
      );
    case E.ENOSYS:
    case E.EPERM:
    case E.EACCES:
      return hintOf(
        'use --no-new-keyring: this kernel has no keyrings, or a seccomp filter around runt forbids keyctl(2)',
        'keyctl(2)',
      );
    default:
      return undefined;
  }
}
