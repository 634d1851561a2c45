/** Known causes of failures of cgroup operations. */
import { E } from '../../sys/errno.js';
import { because, type Failure, type Failures, forkHint, type Hint, smallMemory } from '../failure/known-cause.js';
import type { cgroupTable } from './cgroup-ops.js';

const delegation = 'cgroups(7), "Cgroups delegation"';

export const cgroupFailures: Failures<keyof typeof cgroupTable> = {
  cgroupCreate: { code: 'ERR_CGROUP', hint: cgroupHint },
  cgroupWrite: { code: 'ERR_CGROUP', hint: cgroupHint },
  cgroupInherit: { code: 'ERR_CGROUP', hint: cgroupHint },
  cgroupControllers: { code: 'ERR_CGROUP', hint: cgroupHint },
  cgroupDevices: { code: 'ERR_CGROUP', hint: cgroupHint },
  cgroupOwner: { code: 'ERR_CGROUP', hint: cgroupHint },
  systemdScope: { code: 'ERR_SYSTEMD' },
  cgroupOpen: { code: 'ERR_CGROUP', hint: cgroupHint },
  cgroupWriteFirst: { code: 'ERR_CGROUP', hint: cgroupHint },
  cgroupRealtime: { code: 'ERR_CGROUP', hint: cgroupHint },
  cgroupDirectory: { code: 'ERR_CGROUP', hint: cgroupHint },
  cgroupEnter: { code: 'ERR_CGROUP', hint: cgroupHint },
  cgroupFork: { code: 'ERR_CGROUP', hint: (f) => (f.syscall === 'write' ? cgroupHint(f) : forkHint(f)) },
};

/** For cgroup operations, and for a `clone` that writes a cgroup's file. */
export function cgroupHint(f: Failure): Hint | undefined {
  const { op, errno } = f;
  if (f.facts.cgroupGone) {
    return because(
      'the cgroup is gone: its last process ended, or somebody removed it; look whether the container still runs (runt state), and for the kernel’s OOM messages (dmesg)',
      'cgroups(7)',
    );
  }
  if (errno === E.EROFS) {
    return because(
      'cgroups are mounted read-only here, as inside most containers: mount them writable, or run the outer container with its own cgroup namespace and write access',
      delegation,
    );
  }
  if (op.op === 'cgroupWrite') {
    const hint = cgroupWriteHint(f, fileName(op.path));
    if (hint) return hint;
  }
  if (op.op === 'cgroupWriteFirst' || op.op === 'cgroupRealtime') {
    const hint = cgroupWriteHint(f, op.op === 'cgroupRealtime' ? op.file : fileName(f.detail || (op.paths[0] ?? '')));
    if (hint) return hint;
  }
  if (op.op === 'cgroupDevices') {
    if (errno === E.EPERM) {
      return because(
        'a device filter of cgroup v2 is a BPF program, and attaching one needs CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN: run runt as root and not inside a restricted container',
        'bpf(2)',
      );
    }
    if (errno === E.EINVAL || errno === E.ENOSYS) {
      return because(
        'this kernel cannot filter devices on cgroup v2 (CONFIG_CGROUP_BPF): use a kernel that can',
        'bpf(2)',
      );
    }
    if (errno === E.E2BIG) {
      return because(
        'the cgroup has 64 device filters already, or the list of devices is too long for one: use a new cgroup, or fewer rules',
        'bpf(2)',
      );
    }
  }
  if (errno === E.EACCES || errno === E.EPERM) {
    return because(
      'this cgroup is not delegated to the user: have it delegated (systemd: Delegate=yes), name a delegated one in linux.cgroupsPath, or ask for no limits',
      delegation,
    );
  }
  if (op.op === 'cgroupCreate' && (errno === E.EAGAIN || errno === E.ENOSPC)) {
    return because(
      'the host has reached cgroup.max.descendants or cgroup.max.depth, or 65535 cgroups: remove unused ones',
      'cgroups(7)',
    );
  }
  if (op.op === 'cgroupControllers') {
    if (errno === E.EBUSY) {
      return because(
        'a cgroup above has processes of its own, and v2 gives controllers only to the children of cgroups that have none: move them into a child, or name another linux.cgroupsPath',
        'cgroups(7), "no internal processes"',
      );
    }
    if (errno === E.EOPNOTSUPP) {
      return because(
        'a cgroup above is threaded, and such a tree has no memory, io or other controllers of whole processes: name another linux.cgroupsPath',
        'cgroups(7), "Thread mode"',
      );
    }
    if (errno === E.ENOENT || errno === E.EINVAL) {
      return because(
        'a controller that the limits need is not enabled in the cgroup above: write it to cgroup.subtree_control there, or have it delegated',
        'cgroups(7), "Controllers"',
      );
    }
  }
  if (op.op === 'cgroupEnter' || op.op === 'cgroupFork' || op.op === 'clone') {
    if (errno === E.ENOSPC) {
      return because(
        'the cpuset of the cgroup holds no CPU or no memory node: set linux.resources.cpu.cpus and mems to what its parent has',
        'cpuset(7)',
      );
    }
    if (errno === E.EBUSY) {
      return because(
        'that cgroup gives controllers to its children, so it can hold no process itself: name another linux.cgroupsPath',
        'cgroups(7), "no internal processes"',
      );
    }
    if (errno === E.EOPNOTSUPP) {
      return because(
        'that cgroup is threaded or below a threaded one, and takes no whole process: name another linux.cgroupsPath',
        'cgroups(7), "Thread mode"',
      );
    }
  }
  return undefined;
}

const fileName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

function cgroupWriteHint(f: Failure, file: string): Hint | undefined {
  const { errno } = f;
  const memory = file.startsWith('memory.');
  if (errno === E.ENOENT || errno === E.EOPNOTSUPP) {
    if (file.includes('memsw') || file === 'memory.swap.max') {
      return because(
        'the kernel does not account swap (command line swapaccount=0 or no CONFIG_SWAP): remove linux.resources.memory.swap',
      );
    }
    if (file.includes('kmem')) {
      return because(
        'this kernel limits kernel memory no longer apart (deprecated in 5.4): remove it, the memory limit counts it',
      );
    }
    if (file.startsWith('cpu.rt_')) {
      return because(
        'this kernel schedules real-time tasks without groups (CONFIG_RT_GROUP_SCHED): remove the realtime values',
      );
    }
    if (file.startsWith('cpu.cfs_burst') || file === 'cpu.max.burst') {
      return because('this kernel cannot let CPU quotas burst (Linux 5.14): remove linux.resources.cpu.burst');
    }
    if (file === 'cpu.idle')
      return because('this kernel has no cpu.idle (Linux 5.15): remove linux.resources.cpu.idle');
    if (file.startsWith('blkio.leaf_weight')) {
      return because('leaf weights went from the kernel with the CFQ scheduler (Linux 5.0): remove them');
    }
    if (file.includes('weight')) {
      return because(
        'this kernel shares block I/O by weight only with the BFQ scheduler or, on v2, io.cost: load and choose bfq for the device, or remove the weight',
      );
    }
    if (file.startsWith('hugetlb.')) {
      return because('the kernel has no huge pages of this size: /sys/kernel/mm/hugepages lists those that it has');
    }
    return because(`this kernel has no ${file}: remove the value, or use a kernel that has it`);
  }
  if (memory && (errno === E.EBUSY || errno === E.ENOMEM)) {
    return (
      smallMemory(f) ??
      because('more memory is in use than the limit allows, and the kernel cannot take it back: raise the limit')
    );
  }
  if (memory && errno === E.EINVAL) {
    return because(
      'the kernel takes bytes or -1, and the limit of memory and swap together never below the limit of memory: correct the values',
      'runtime-spec config-linux.md#memory',
    );
  }
  if (file.startsWith('cpuset.')) {
    if (errno === E.EINVAL || errno === E.EACCES || errno === E.ENOSPC || errno === E.ERANGE) {
      return because(
        'the list names CPUs or memory nodes that the host does not have online or that the parent cgroup does not hold: see cpuset.cpus and cpuset.mems there',
        'cpuset(7), "List format"',
      );
    }
  }
  if (file.startsWith('cpu.') && errno === E.EINVAL) {
    if (file === 'cpu.weight' || file === 'cpu.shares')
      return because('an idle cgroup takes no shares: set cpu.idle to 0 too (runt update --cpu-idle 0)');
    return file.startsWith('cpu.rt_')
      ? because(
          'real-time runtime must fit into its period and into what the parent cgroup has left: give the parent some first (cpu.rt_runtime_us)',
        )
      : because(
          'the kernel takes quotas and periods from 1000 µs, periods up to 1000000 µs, a burst up to the quota, and no larger share than the parent cgroup has',
        );
  }
  if ((file.startsWith('blkio.') || file.startsWith('io.')) && (errno === E.ENODEV || errno === E.ENXIO)) {
    return because(
      'there is no block device of this number here: limits are for whole disks (lsblk), not for partitions',
    );
  }
  if (file === 'net_prio.ifpriomap' && errno === E.ENODEV) {
    return because('there is no network interface of this name on the host');
  }
  if (file === 'rdma.max' && (errno === E.ENODEV || errno === E.EINVAL)) {
    return because('there is no RDMA device of this name on the host (/sys/class/infiniband lists them)');
  }
  if (file.startsWith('devices.') && errno === E.EPERM) {
    return because(
      'the parent cgroup does not allow this device, or runt lacks CAP_SYS_ADMIN: a cgroup can allow only what its parent allows',
      'runtime-spec config-linux.md#allowed-device-list',
    );
  }
  return undefined;
}
