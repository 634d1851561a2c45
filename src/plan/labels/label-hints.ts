/** Known causes of failures of security labels, and of the session keyring. */
import { E } from '../../sys/errno.js';
import { because, type Failure, type Failures, type Hint } from '../failure/known-cause.js';
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
      return because(
        'the SELinux policy of this host has no such label (user:role:type:level), or SELinux is not enabled',
        'selinux(8)',
      );
    }
    if (f.errno === E.EACCES) return because('the SELinux policy does not let runt give this label', 'selinux(8)');
    return undefined;
  }
  const profile = (op.label ?? '').slice('exec '.length);
  if (f.syscall === 'open') return because('AppArmor is not enabled on this kernel', 'apparmor(7)');
  if (f.errno === E.ENOENT) {
    return because(
      `the profile ${profile} is not loaded: load it with apparmor_parser, or correct the name`,
      'apparmor(7)',
    );
  }
  if (f.errno === E.EACCES || f.errno === E.EPERM) {
    return because(
      `runt is confined itself, by a profile that does not let it change to ${profile}, or that no_new_privs lets nobody leave`,
      'apparmor(7)',
    );
  }
  return f.errno === E.EINVAL ? because('AppArmor is not enabled on this kernel', 'apparmor(7)') : undefined;
}

function keyringHint(f: Failure): Hint | undefined {
  switch (f.errno) {
    case E.EDQUOT:
      return because(
        'the user has all the keyrings that he may have: raise the sysctls kernel.keys.maxkeys and maxbytes (root_maxkeys for root), or use --no-new-keyring',
        'keyrings(7)',
      );
    case E.ENOSYS:
    case E.EPERM:
    case E.EACCES:
      return because(
        'use --no-new-keyring: this kernel has no keyrings, or a seccomp filter around runt forbids keyctl(2)',
        'keyctl(2)',
      );
    default:
      return undefined;
  }
}
