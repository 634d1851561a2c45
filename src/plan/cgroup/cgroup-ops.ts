/** Operations of cgroups. */
import type { DeviceFilter } from '../../cgroup/devices/device-filter.js';
import type { Property } from '../../cgroup/systemd/unit-properties.js';
import { type Data, table } from '../op-shape.js';

export const cgroupTable = table({
  cgroupCreate: {
    by: 'runtime',
    phase: 'prepare',
    fields: { path: 'str', freezer: 'str?' },
    doc: 'make the cgroup directory (and its parents) at an absolute path below /sys/fs/cgroup; refuse it if freezer, its freezer.state (v1) or cgroup.events (v2), says that it is frozen',
  },
  cgroupWrite: {
    by: 'runtime',
    phase: 'limits',
    fields: { path: 'str', value: 'str' },
    doc: 'write value to a cgroup file',
  },
  cgroupInherit: {
    by: 'runtime',
    phase: 'limits',
    fields: { path: 'str', top: 'str', file: 'str' },
    doc: "v1 cpuset: copy file from each parent between top (the mount point) and path to its child if the child's is empty; no process can join before",
  },
  cgroupControllers: {
    by: 'runtime',
    phase: 'limits',
    fields: { path: 'str', top: 'str', required: 'list', wanted: 'list' },
    doc: 'v2: enable controllers for the cgroup path in the cgroup.subtree_control files above it, up to top (the mount point) if needed; required ones must then be enabled, wanted ones may fail',
  },
  cgroupDevices: {
    by: 'runtime',
    phase: 'limits',
    fields: { path: 'str', filter: 'data' as Data<DeviceFilter> },
    doc: 'v2: attach a BPF filter to the cgroup path. It allows or denies every device except the exceptions; or, if v1 could not hold them, by rules in order: the last one that matches decides about each kind of access',
  },
  cgroupOwner: {
    by: 'runtime',
    phase: 'limits',
    fields: { path: 'str', uid: 'int' },
    doc: 'v2: chown the cgroup path, and its files that /sys/kernel/cgroup/delegate lists, to uid',
  },
  systemdScope: {
    by: 'runtime',
    phase: 'prepare',
    fields: { path: 'str', unit: 'str', properties: 'data' as Data<readonly Property[]>, optional: 'list' },
    doc: 'v2: request the scope unit from systemd with these properties (D-Bus values with signatures; optional lists those that an older version may lack) and a runtime process that keeps it until the container is cloned there; its cgroup must be path',
  },
  cgroupOpen: {
    by: 'runtime',
    phase: 'limits',
    fields: { path: 'str', slot: 'fd' },
    doc: 'open the file tasks of a v1 cgroup, or cgroup.procs of a v2 one, for runt-init, which finds it at slot',
  },
  cgroupWriteFirst: {
    by: 'runtime',
    phase: 'limits',
    fields: { paths: 'list', values: 'list', required: 'bool' },
    doc: 'write its value to the first of several cgroup files that exists (kernels differ in their names); unless required, all may be missing',
  },
  cgroupRealtime: {
    by: 'runtime',
    phase: 'limits',
    fields: { path: 'str', file: 'str', value: 'str' },
    doc: 'v1: write the real-time period or runtime to file of each parent made for the cgroup path, then of path: a parent limits its children',
  },
  cgroupDirectory: {
    by: 'runtime',
    phase: 'limits',
    fields: { path: 'str', slot: 'fd' },
    doc: 'open the directory of a v2 cgroup for runt-init, which finds it at slot',
  },
  cgroupEnter: {
    code: 67,
    by: 'init',
    phase: 'limits',
    fields: { path: 'str', slot: 'fd?' },
    doc: 'move this process, which has one thread, into the cgroup whose file tasks (v1) or cgroup.procs (v2) is at slot or, without one, at path, still with the rights and in the root of the runtime',
  },
  cgroupFork: {
    code: 88,
    by: 'init',
    phase: 'limits',
    fields: { path: 'str', slot: 'fd' },
    doc: 'clone into the v2 cgroup whose directory is at slot (or by cgroup.procs if that is refused), as a child of the runtime; report its pid and exit',
  },
});
