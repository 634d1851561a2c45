/** Constants of the Linux ABI (uapi headers), and the tables of capability, resource limit and signal names. */

// clone(2), unshare(2), setns(2)
export const CLONE_NEWTIME = 0x00000080;
export const CLONE_NEWNS = 0x00020000;
export const CLONE_NEWCGROUP = 0x02000000;
export const CLONE_NEWUTS = 0x04000000;
export const CLONE_NEWIPC = 0x08000000;
export const CLONE_NEWUSER = 0x10000000;
export const CLONE_NEWPID = 0x20000000;
export const CLONE_NEWNET = 0x40000000;

// mount(2)
export const MS_RDONLY = 0x1;
export const MS_NOSUID = 0x2;
export const MS_NODEV = 0x4;
export const MS_NOEXEC = 0x8;
export const MS_SYNCHRONOUS = 0x10;
export const MS_REMOUNT = 0x20;
export const MS_MANDLOCK = 0x40;
export const MS_DIRSYNC = 0x80;
export const MS_NOSYMFOLLOW = 0x100;
export const MS_NOATIME = 0x400;
export const MS_NODIRATIME = 0x800;
export const MS_BIND = 0x1000;
export const MS_MOVE = 0x2000;
export const MS_REC = 0x4000;
export const MS_SILENT = 0x8000;
export const MS_POSIXACL = 0x10000;
export const MS_UNBINDABLE = 0x20000;
export const MS_PRIVATE = 0x40000;
export const MS_SLAVE = 0x80000;
export const MS_SHARED = 0x100000;
export const MS_RELATIME = 0x200000;
export const MS_I_VERSION = 0x800000;
export const MS_STRICTATIME = 0x1000000;
export const MS_LAZYTIME = 0x2000000;

// umount2(2)
export const MNT_DETACH = 0x2;
export const UMOUNT_NOFOLLOW = 0x8;

// mount_setattr(2), fsmount(2). The access time is one field of three values, not three flags.
export const MOUNT_ATTR_RDONLY = 0x1;
export const MOUNT_ATTR_NOSUID = 0x2;
export const MOUNT_ATTR_NODEV = 0x4;
export const MOUNT_ATTR_NOEXEC = 0x8;
export const MOUNT_ATTR__ATIME = 0x70;
export const MOUNT_ATTR_RELATIME = 0x0;
export const MOUNT_ATTR_NOATIME = 0x10;
export const MOUNT_ATTR_STRICTATIME = 0x20;
export const MOUNT_ATTR_NODIRATIME = 0x80;
export const MOUNT_ATTR_IDMAP = 0x100000;
export const MOUNT_ATTR_NOSYMFOLLOW = 0x200000;

// open_tree(2)
export const OPEN_TREE_CLONE = 0x1;

// open(2): the values that amd64 and arm64 share
export const O_RDONLY = 0x0;
export const O_WRONLY = 0x1;
export const O_RDWR = 0x2;
export const O_CREAT = 0x40;
export const O_EXCL = 0x80;
export const O_NOCTTY = 0x100;
export const O_TRUNC = 0x200;
export const O_APPEND = 0x400;
export const O_ACCMODE = 0x3;
export const O_NONBLOCK = 0x800;
export const O_CLOEXEC = 0x80000;
export const O_PATH = 0x200000;

/** O_DIRECTORY and O_NOFOLLOW of one machine (`uname -m`): arm64 has its own numbers. */
export function openFlags(machine: string): { O_DIRECTORY: number; O_NOFOLLOW: number } {
  return machine === 'aarch64'
    ? { O_DIRECTORY: 0x4000, O_NOFOLLOW: 0x8000 }
    : { O_DIRECTORY: 0x10000, O_NOFOLLOW: 0x20000 };
}

// *at(2)
export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_NO_AUTOMOUNT = 0x800;
export const AT_EMPTY_PATH = 0x1000;
export const AT_RECURSIVE = 0x8000;

// openat2(2)
export const RESOLVE_NO_XDEV = 0x1;
export const RESOLVE_NO_MAGICLINKS = 0x2;
export const RESOLVE_NO_SYMLINKS = 0x4;
export const RESOLVE_BENEATH = 0x8;
export const RESOLVE_IN_ROOT = 0x10;

// access(2)
export const F_OK = 0;
export const X_OK = 1;
export const W_OK = 2;
export const R_OK = 4;

// signal(7); the same on x86-64 and arm64
export const SIGHUP = 1;
export const SIGINT = 2;
export const SIGQUIT = 3;
export const SIGKILL = 9;
export const SIGPIPE = 13;
export const SIGTERM = 15;
export const SIGCHLD = 17;
export const SIGCONT = 18;
export const SIGSTOP = 19;
export const SIGURG = 23;
export const SIGWINCH = 28;

// inotify(7)
export const IN_MODIFY = 0x2;

// seccomp(2), linux/seccomp.h
export const SECCOMP_FILTER_FLAG_TSYNC = 0x1;
export const SECCOMP_FILTER_FLAG_LOG = 0x2;
export const SECCOMP_FILTER_FLAG_SPEC_ALLOW = 0x4;
export const SECCOMP_FILTER_FLAG_NEW_LISTENER = 0x8;
export const SECCOMP_FILTER_FLAG_TSYNC_ESRCH = 0x10;
export const SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 0x20;

// flock(2)
export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
export const LOCK_UN = 8;

// stat(2) st_mode
export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;
export const S_ISVTX = 0o1000;
export const S_IWGRP = 0o020;
export const S_IWOTH = 0o002;

// statfs(2) f_type
export const CGROUP_SUPER_MAGIC = 0x27e0ebn;
export const CGROUP2_SUPER_MAGIC = 0x63677270n;
export const TMPFS_MAGIC = 0x01021994n;
export const PROC_SUPER_MAGIC = 0x9fa0n;
export const SYSFS_MAGIC = 0x62656572n;
export const NSFS_MAGIC = 0x6e736673n;
export const SELINUX_MAGIC = 0xf97cff8cn;

// waitid(2) si_code
export const CLD_EXITED = 1;
export const CLD_KILLED = 2;
export const CLD_DUMPED = 3;

/** RLIM_INFINITY of prlimit(2): 2^64-1. */
export const RLIM_INFINITY = 0xffffffffffffffffn;

/** The type names of runtime-spec `linux.namespaces` and their clone(2) flags. */
export const namespaceFlags: Readonly<Record<string, number>> = {
  mount: CLONE_NEWNS,
  pid: CLONE_NEWPID,
  network: CLONE_NEWNET,
  ipc: CLONE_NEWIPC,
  uts: CLONE_NEWUTS,
  user: CLONE_NEWUSER,
  cgroup: CLONE_NEWCGROUP,
  time: CLONE_NEWTIME,
};

/** The last capability of this table: CAP_CHECKPOINT_RESTORE, Linux 5.9. */
export const CAP_LAST = 40;

// Names in the order of their numbers (capability.h), resource limits (resource.h), signals (signal.h). One string
// each: it costs less at start than an object, and is split on first use.
const CAPABILITIES =
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE ' +
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN ' +
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE ' +
  'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE';
const RLIMITS = 'CPU FSIZE DATA STACK CORE RSS NPROC NOFILE MEMLOCK AS LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME';
const SIGNALS =
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU ' +
  'XFSZ VTALRM PROF WINCH IO PWR SYS';

const list = (prefix: string, names: string): string[] => names.split(' ').map((name) => prefix + name);

/** `process.scheduler.policy`, at the index of its number (sched.h). No kernel has SCHED_ISO. */
export const schedulerPolicies = (): string[] => list('SCHED_', 'OTHER FIFO RR BATCH ISO IDLE DEADLINE');
/** `process.scheduler.flags`, at the index of its bit. */
export const schedulerFlags = (): string[] =>
  list('SCHED_FLAG_', 'RESET_ON_FORK RECLAIM DL_OVERRUN KEEP_POLICY KEEP_PARAMS UTIL_CLAMP_MIN UTIL_CLAMP_MAX');
/** `process.ioPriority.class`, at the index of its number (ioprio.h). */
export const ioPriorityClasses = (): string[] => list('IOPRIO_CLASS_', 'NONE RT BE IDLE');
/** `linux.memoryPolicy.mode`, at the index of its number (mempolicy.h). */
export const memoryPolicyModes = (): string[] =>
  list('MPOL_', 'DEFAULT PREFERRED BIND INTERLEAVE LOCAL PREFERRED_MANY WEIGHTED_INTERLEAVE');
/** `linux.memoryPolicy.flags`: bits from 13 on. */
export const memoryPolicyFlags = (): string[] => list('MPOL_F_', 'NUMA_BALANCING RELATIVE_NODES STATIC_NODES');

/** Names of the capabilities (`CAP_…`), at the index of their number. */
export function capabilityNames(): string[] {
  return CAPABILITIES.split(' ').map((name) => `CAP_${name}`);
}

let capabilityNumbers: Map<string, number> | undefined;

/** Number of a capability by its name in upper case, `CAP_CHOWN` → 0; undefined when there is none. */
export function capabilityNumber(name: string): number | undefined {
  capabilityNumbers ??= new Map(capabilityNames().map((n, i) => [n, i]));
  return capabilityNumbers.get(name);
}

/** Names of the resource limits (`RLIMIT_…`), at the index of their number. */
export function rlimitNames(): string[] {
  return RLIMITS.split(' ').map((name) => `RLIMIT_${name}`);
}

/** Number of a resource limit by its name, `RLIMIT_NOFILE` → 7; undefined when there is none. */
export function rlimitNumber(name: string): number | undefined {
  const i = rlimitNames().indexOf(name);
  return i < 0 ? undefined : i;
}

/** Names of the signals without `SIG`; the index is the number minus one. */
export function signalNames(): string[] {
  return SIGNALS.split(' ');
}

/** The lowest and highest real-time signals that a program may use; glibc and musl keep 32 to 34 to themselves. */
export const SIGRTMIN = 34;
export const SIGRTMAX = 64;

/**
 * Number of a signal as kill(1) and engines write it: `9`, `KILL`, `SIGKILL`, `sigkill`, `RTMIN+3`, `SIGRTMAX-2`;
 * undefined when it names none. 0 is none.
 */
export function signalNumber(text: string): number | undefined {
  if (/^[0-9]{1,3}$/.test(text)) {
    const n = Number(text);
    return n >= 1 && n <= SIGRTMAX ? n : undefined;
  }
  let name = text.toUpperCase();
  if (name.startsWith('SIG')) name = name.slice(3);
  const aliases: Record<string, string> = { IOT: 'ABRT', POLL: 'IO', CLD: 'CHLD', UNUSED: 'SYS' };
  const i = signalNames().indexOf(Object.hasOwn(aliases, name) ? aliases[name]! : name);
  if (i >= 0) return i + 1;
  const rt = /^RT(MIN|MAX)(?:([+-])([0-9]{1,2}))?$/.exec(name);
  if (!rt) return undefined;
  if (rt[2] !== undefined && (rt[1] === 'MIN') !== (rt[2] === '+')) return undefined;
  const n = rt[1] === 'MIN' ? SIGRTMIN + Number(rt[3] ?? 0) : SIGRTMAX - Number(rt[3] ?? 0);
  return n >= SIGRTMIN && n <= SIGRTMAX ? n : undefined;
}

/** Name of a signal with `SIG`, for people: 9 → `SIGKILL`, 37 → `SIGRTMIN+3`. */
export function signalName(number: number): string {
  if (number >= SIGRTMIN && number <= SIGRTMAX) {
    return number === SIGRTMIN ? 'SIGRTMIN' : `SIGRTMIN+${number - SIGRTMIN}`;
  }
  const name = signalNames()[number - 1];
  return name === undefined ? `signal ${number}` : `SIG${name}`;
}
