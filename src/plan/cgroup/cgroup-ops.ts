/** Operations of cgroups. */
import type { DeviceFilter } from '../../cgroup/devices/device-filter.js';
import type { Property } from '../../cgroup/systemd/unit-properties.js';
import { type Data, table } from '../op-shape.js';

export const cgroupTable = table({
  cgroupCreate: {
    by: 'runtime',
    phase: 'prepare',
    fields: { path: 'str' },
    doc: 'make the cgroup directory (and its parents) at an absolute path below /sys/fs/cgroup',
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
    doc: 'v1 cpuset: copy file from each parent between top (the mount point) and path to its child where the child has it empty; no process can join before',
  },
  cgroupControllers: {
    by: 'runtime',
    phase: 'limits',
    fields: { path: 'str', top: 'str', required: 'list', wanted: 'list' },
    doc: 'v2: enable controllers for the cgroup path by the cgroup.subtree_control files above it, up to top (the mount point) where need be; required ones must be there after, wanted ones may be refused',
  },
  cgroupDevices: {
    by: 'runtime',
    phase: 'limits',
    fields: { path: 'str', filter: 'data' as Data<DeviceFilter> },
    doc: 'v2: attach a BPF filter to the cgroup path. It allows every device, or denies it, but for the exceptions; or, where v1 could not hold them, by rules in order: the last one that matches decides about each kind of access',
  },
  cgroupOwner: {
    by: 'runtime',
    phase: 'limits',
    fields: { path: 'str', uid: 'int' },
    doc: 'v2: give the cgroup path, and those of its files that /sys/kernel/cgroup/delegate names, to uid',
  },
  systemdScope: {
    by: 'runtime',
    phase: 'prepare',
    fields: { path: 'str', unit: 'str', properties: 'data' as Data<readonly Property[]>, optional: 'list' },
    doc: 'v2: have systemd start the scope unit with these properties (values of D-Bus with their signatures; those named in optional only if its version knows them) and a process of the runtime that holds the place until the container is born there; its cgroup must be path',
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
    doc: 'write to the first of several cgroup files that is there (kernels differ in their names) its value; unless required, none need be there',
  },
  cgroupRealtime: {
    by: 'runtime',
    phase: 'limits',
    fields: { path: 'str', file: 'str', value: 'str' },
    doc: 'v1: write the real-time period or runtime to file of each parent of the cgroup path that was made for it, then of path: a child can have only what its parent has',
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
    fields: { path: 'str', slot: 'fd' },
    doc: 'move this process, which has one thread, into the cgroup whose file tasks (v1) or cgroup.procs (v2) is at slot',
  },
  cgroupFork: {
    code: 88,
    by: 'init',
    phase: 'limits',
    fields: { path: 'str', slot: 'fd' },
    doc: 'clone into the v2 cgroup whose directory is at slot (with cgroup.procs where that is refused), as a child of the runtime; report its pid and end',
  },
});
