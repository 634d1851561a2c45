/** Operations of namespaces and their kernel settings. */
import { table } from '../op-shape.js';

export const namespaceTable = table({
  clone: {
    by: 'runtime',
    phase: 'namespaces',
    fields: { flags: 'flags', cgroup: 'str?' },
    doc: 'start runt-init in new namespaces (CLONE_NEW* flags), born into the v2 cgroup when one is named (CLONE_INTO_CGROUP, or cgroup.procs where that is refused)',
  },
  unshare: {
    code: 37,
    by: 'init',
    phase: 'namespaces',
    fields: { flags: 'flags' },
    doc: 'unshare(2); for the cgroup namespace, once in the cgroups',
  },
  namespaceOpen: {
    by: 'runtime',
    phase: 'namespaces',
    fields: { path: 'str', type: 'str', slot: 'fd' },
    doc: 'open the file of a namespace and verify that it is one of this type, and no namespace of the runtime that this config would change; runt-init finds it at slot',
  },
  setns: {
    code: 101,
    by: 'init',
    phase: 'namespaces',
    fields: { path: 'str', flag: 'flags', slot: 'fd', optional: 'bool' },
    doc: 'setns(2) into the namespace at slot, unless it is joined already; optional: EPERM leaves it for a second try, in the user namespace that is joined in between. Being in a user namespace already passes',
  },
  join: {
    code: 85,
    by: 'init',
    phase: 'namespaces',
    fields: { flags: 'flags', slot: 'fd' },
    doc: 'exec: setns(2) into these namespaces (CLONE_NEW* flags) of the process whose pidfd is at slot, all at once',
  },
  fork: {
    code: 86,
    by: 'init',
    phase: 'namespaces',
    fields: {},
    doc: 'clone into the pid namespace that was joined or unshared, as a child of the runtime; report its pid and end',
  },
  await: {
    code: 102,
    by: 'init',
    phase: 'namespaces',
    fields: { what: 'note' },
    doc: 'report "await"; await the word that the operations of the runtime before this one in the plan are done',
  },
  timeOpen: {
    code: 103,
    by: 'init',
    phase: 'namespaces',
    fields: {},
    doc: 'open timens_offsets of this process, while it may',
  },
  timeEnter: {
    code: 104,
    by: 'init',
    phase: 'namespaces',
    fields: { monotonic: 'int?', monotonicNanosecs: 'int', boottime: 'int?', boottimeNanosecs: 'int' },
    doc: 'write the offsets (seconds, and nanoseconds beside them) of the clocks of the time namespace that was unshared, then enter it',
  },
  hostname: { code: 52, by: 'init', phase: 'namespaces', fields: { name: 'str' }, doc: 'sethostname(2)' },
  domainname: { code: 53, by: 'init', phase: 'namespaces', fields: { name: 'str' }, doc: 'setdomainname(2)' },
  sysctl: {
    code: 51,
    by: 'init',
    phase: 'namespaces',
    fields: { key: 'str', value: 'str' },
    doc: 'write a file below /proc/sys through the private procfs; key with slashes',
  },
});
