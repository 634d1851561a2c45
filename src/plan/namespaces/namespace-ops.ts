/** Operations of namespaces and their kernel settings. */
import { table } from '../op-shape.js';

export const namespaceTable = table({
  clone: {
    by: 'runtime',
    phase: 'namespaces',
    fields: { flags: 'flags', cgroup: 'str?' },
    doc: 'start runt-init in new namespaces (CLONE_NEW* flags), and in the v2 cgroup if there is one (CLONE_INTO_CGROUP, or cgroup.procs if that is refused)',
  },
  unshare: {
    code: 37,
    by: 'init',
    phase: 'namespaces',
    fields: { flags: 'flags' },
    doc: 'unshare(2): namespaces that take their time, while the runtime makes the cgroups; the cgroup namespace, once in the cgroups',
  },
  mountTemplate: {
    by: 'runtime',
    phase: 'namespaces',
    fields: { slot: 'fd' },
    doc: 'open the mount namespace of the kernel thread kdevtmpfs, which has one mount, where that of the host has many; runt-init finds it at slot',
  },
  unshareMounts: {
    code: 156,
    by: 'init',
    phase: 'namespaces',
    fields: { slot: 'fd' },
    doc: "setns(2) into the mount namespace at slot, then unshare(2): the container's is a copy of that one; or of the host's, if setns(2) is refused",
  },
  namespaceOpen: {
    by: 'runtime',
    phase: 'namespaces',
    fields: { path: 'str', type: 'str', slot: 'fd' },
    doc: 'open the file of a namespace and verify its type, and that it is not a namespace of the runtime that this config would change; runt-init finds it at slot',
  },
  setns: {
    code: 101,
    by: 'init',
    phase: 'namespaces',
    fields: { path: 'str', flag: 'flags', slot: 'fd', optional: 'bool' },
    doc: 'setns(2) into the namespace at slot, unless already joined; optional: after EPERM try again in the user namespace that is joined in between. A user namespace may already be the current one',
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
    doc: 'clone into the pid namespace that was joined or unshared, as a child of the runtime; report its pid and exit',
  },
  await: {
    code: 102,
    by: 'init',
    phase: 'namespaces',
    fields: { what: 'note' },
    doc: 'report "await"; await the message that the runtime has done its operations before this one in the plan',
  },
  timeOpen: {
    code: 103,
    by: 'init',
    phase: 'namespaces',
    fields: {},
    doc: 'open timens_offsets of this process, while it is permitted to',
  },
  timeEnter: {
    code: 104,
    by: 'init',
    phase: 'namespaces',
    fields: { monotonic: 'int?', monotonicNanosecs: 'int', boottime: 'int?', boottimeNanosecs: 'int' },
    doc: 'write the clock offsets (seconds and nanoseconds) of the unshared time namespace, then enter it',
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
