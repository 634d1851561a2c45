/** Known causes of failures of cgroup operations. */
import { E } from '../../sys/errno.js';
import { type Failure, type Failures, forkHint, type Hint, hintOf, lowMemoryHint } from '../failure/known-cause.js';
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
    return hintOf(
      'run "runt state", and look into dmesg for an OOM kill: the cgroup is gone, because its last process ended or somebody removed it',
      'cgroups(7)',
    );
  }
  if (errno === E.EROFS) {
    return hintOf(
      'mount the cgroups writable, or run the outer container with its own cgroup namespace and write access: they are mounted read-only here, as inside most containers',
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
      return hintOf(
        'run runt as root, and outside of a restricted container: attaching a device filter of cgroup v2, a BPF program, needs CAP_SYS_ADMIN, or CAP_BPF and CAP_NET_ADMIN',
        'bpf(2)',
      );
    }
    if (errno === E.EINVAL || errno === E.ENOSYS) {
      return hintOf('use a kernel with CONFIG_CGROUP_BPF: this one cannot filter devices on cgroup v2', 'bpf(2)');
    }
    if (errno === E.E2BIG) {
      return hintOf(
        'use a new cgroup, or fewer device rules: the cgroup has 64 device filters already, or the rules are too many for one filter',
        'bpf(2)',
      );
    }
  }
  if (errno === E.EACCES || errno === E.EPERM) {
    return hintOf(
      'delegate this cgroup to the user (systemd: Delegate=yes), name a delegated one in linux.cgroupsPath, or remove the limits: the user may not write to it',
      delegation,
    );
  }
  if (op.op === 'cgroupCreate' && (errno === E.EAGAIN || errno === E.ENOSPC)) {
    return hintOf(
      'remove unused cgroups: the host has reached cgroup.max.descendants, cgroup.max.depth or 65535 cgroups',
      'cgroups(7)',
    );
  }
  if (op.op === 'cgroupControllers') {
    if (errno === E.EBUSY) {
      return hintOf(
        'move the processes of the cgroup above into a child of it, or name another linux.cgroupsPath: cgroup v2 gives controllers only to the children of cgroups without processes',
        'cgroups(7), "no internal processes"',
      );
    }
    if (errno === E.EOPNOTSUPP) {
      return hintOf(
        'name another linux.cgroupsPath: a cgroup above is threaded, and below it there are no memory, io and other controllers that act on whole processes',
        'cgroups(7), "Thread mode"',
      );
    }
    if (errno === E.ENOENT || errno === E.EINVAL) {
      return hintOf(
        'write the controller to cgroup.subtree_control of the cgroup above, or delegate it to the user: the limits need a controller that is not enabled there',
        'cgroups(7), "Controllers"',
      );
    }
  }
  if (op.op === 'cgroupEnter' || op.op === 'cgroupFork' || op.op === 'clone') {
    if (errno === E.ENOSPC) {
      return hintOf(
        'set linux.resources.cpu.cpus and mems to those of the parent cgroup: the cpuset of this cgroup has no CPU or no memory node',
        'cpuset(7)',
      );
    }
    if (errno === E.EBUSY) {
      return hintOf(
        'name another linux.cgroupsPath: that cgroup gives controllers to its children, so it cannot hold a process itself',
        'cgroups(7), "no internal processes"',
      );
    }
    if (errno === E.EOPNOTSUPP) {
      return hintOf(
        'name another linux.cgroupsPath: that cgroup is threaded, or below a threaded one, and cannot hold a whole process',
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
      return hintOf(
        'remove linux.resources.memory.swap: the kernel does not account swap (swapaccount=0 on its command line, or no CONFIG_SWAP)',
      );
    }
    if (file.includes('kmem')) {
      return hintOf(
        'remove kernel and kernelTCP from linux.resources.memory: this kernel has no separate limit of them (deprecated in 5.4), the memory limit counts them',
      );
    }
    if (file.startsWith('cpu.rt_')) {
      return hintOf(
        'remove the realtime values from linux.resources.cpu: this kernel schedules real-time tasks without groups (CONFIG_RT_GROUP_SCHED)',
      );
    }
    if (file.startsWith('cpu.cfs_burst') || file === 'cpu.max.burst') {
      return hintOf('remove linux.resources.cpu.burst: it needs Linux 5.14');
    }
    if (file === 'cpu.idle') return hintOf('remove linux.resources.cpu.idle: it needs Linux 5.15');
    if (file.startsWith('blkio.leaf_weight')) {
      return hintOf(
        'remove the leaf weights from linux.resources.blockIO: Linux 5.0 removed them, with the CFQ scheduler',
      );
    }
    if (file.includes('weight')) {
      return hintOf(
        'choose the BFQ scheduler for the device (or io.cost, on cgroup v2), or remove the weight: otherwise the kernel does not share block I/O by weight',
      );
    }
    if (file.startsWith('hugetlb.')) {
      return hintOf(
        'choose a page size that /sys/kernel/mm/hugepages lists: the kernel has no huge pages of this size',
      );
    }
    return hintOf(`remove the value, or use another kernel: this one has no ${file}`);
  }
  if (memory && (errno === E.EBUSY || errno === E.ENOMEM)) {
    return (
      lowMemoryHint(f) ??
      hintOf('raise the limit: more memory is in use than it allows, and the kernel cannot reclaim it')
    );
  }
  if (memory && errno === E.EINVAL) {
    return hintOf(
      'give bytes or -1, and for memory and swap together at least the limit of memory: the kernel takes nothing else',
      'runtime-spec config-linux.md#memory',
    );
  }
  if (file.startsWith('cpuset.')) {
    if (errno === E.EINVAL || errno === E.EACCES || errno === E.ENOSPC || errno === E.ERANGE) {
      return hintOf(
        'name CPUs and memory nodes that cpuset.cpus and cpuset.mems of the parent cgroup list: one of these is offline, or the parent does not have it',
        'cpuset(7), "List format"',
      );
    }
  }
  if (file.startsWith('cpu.') && errno === E.EINVAL) {
    if (file === 'cpu.weight' || file === 'cpu.shares')
      return hintOf('set cpu.idle to 0 too (runt update --cpu-idle 0): an idle cgroup takes no shares');
    return file.startsWith('cpu.rt_')
      ? hintOf(
          'give the parent cgroup real-time runtime first (cpu.rt_runtime_us): that of the container must fit into its period, and into what the parent has left',
        )
      : hintOf(
          'choose a quota and a period of at least 1000 µs, a period of at most 1000000 µs, a burst of at most the quota, and no larger share than the parent cgroup has: the kernel takes nothing else',
        );
  }
  if ((file.startsWith('blkio.') || file.startsWith('io.')) && (errno === E.ENODEV || errno === E.ENXIO)) {
    return hintOf(
      'name a whole disk that lsblk lists: this host has no block device of this number, or it is a partition, which takes no limits',
    );
  }
  if (file === 'net_prio.ifpriomap' && errno === E.ENODEV) {
    return hintOf('name a network interface that "ip link" lists: the host has none of this name');
  }
  if (file === 'rdma.max' && (errno === E.ENODEV || errno === E.EINVAL)) {
    return hintOf('name an RDMA device that /sys/class/infiniband lists: the host has none of this name');
  }
  if (file.startsWith('devices.') && errno === E.EPERM) {
    return hintOf(
      'allow the device in the parent cgroup, or give runt CAP_SYS_ADMIN: a cgroup can allow only what its parent allows',
      'runtime-spec config-linux.md#allowed-device-list',
    );
  }
  return undefined;
}
