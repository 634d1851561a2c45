/** Operations of security labels and keys. */
import { table, type Word } from '../op-shape.js';

export const labelTable = table({
  securityLabel: {
    code: 141,
    by: 'init',
    phase: 'identity',
    fields: { file: 'str' as Word<'exec' | 'keycreate' | 'apparmor/exec'>, label: 'str?' },
    doc: 'write label to /proc/self/attr/FILE (exec, keycreate, apparmor/exec) through the private procfs; reset it if absent',
  },
  labelMount: {
    code: 114,
    by: 'init',
    phase: 'root and mounts',
    fields: { target: 'str', label: 'str' },
    doc: 'set the extended attribute security.selinux of the directory at target (mqueue takes no context=)',
  },
  keyring: {
    code: 34,
    by: 'init',
    phase: 'prepare',
    fields: { name: 'str' },
    doc: 'keyctl(KEYCTL_JOIN_SESSION_KEYRING, name)',
  },
});
