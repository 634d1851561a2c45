/** Known causes of failures of security labels. */
import { E } from '../../sys/errno.js';
import { because, type Failure, type Hint } from '../failure/known-cause.js';

export function securityHint(f: Failure): Hint | undefined {
  const { op } = f;
  if (op.op !== 'securityLabel') return undefined;
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
  const profile = op.label.slice('exec '.length);
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
