/** The default seccomp profile: system calls that a container may make, by its capabilities. */
import { E } from '../../sys/errno.js';
import type { Seccomp } from '../linux-types.js';

/**
 * Calls that need no capability, or whose capability the kernel checks itself. A group each: files, attributes, events,
 * memory, processes, signals, time, ids, sockets, queues, security modules, system.
 */
const allowed: readonly string[] = [
  '_llseek access cachestat chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 ' +
    'dup3 faccessat faccessat2 fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 ' +
    'fchownat fcntl fcntl64 fdatasync flock fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 ' +
    'futimesat getcwd getdents getdents64 ioctl lchown lchown32 link linkat listmount lseek lstat lstat64 mkdir ' +
    'mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev ' +
    'pwritev2 read readahead readlink readlinkat readv rename renameat renameat2 rmdir sendfile sendfile64 splice ' +
    'stat stat64 statfs statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs tee truncate ' +
    'truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write writev',
  'fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr ' +
    'lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat',
  '_newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait ' +
    'epoll_wait_old eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ' +
    'io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit pipe pipe2 poll ppoll ' +
    'ppoll_time64 pselect6 pselect6_time64 select signalfd signalfd4',
  'brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 ' +
    'mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease ' +
    'remap_file_pages',
  'arch_prctl execve execveat exit exit_group fork futex futex_requeue futex_time64 futex_wait futex_waitv ' +
    'futex_wake get_robust_list get_thread_area getcpu getpgid getpgrp getpid getppid getpriority getrlimit ' +
    'getrusage getsid gettid ioprio_get ioprio_set kill modify_ldt pause pidfd_open pidfd_send_signal prctl ' +
    'prlimit64 process_vm_readv process_vm_writev ptrace restart_syscall riscv_hwprobe rseq sched_get_priority_max ' +
    'sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval ' +
    'sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield ' +
    'set_robust_list set_thread_area set_tid_address setpgid setpriority setrlimit setsid tgkill tkill ugetrlimit ' +
    'uretprobe vfork wait4 waitid waitpid',
  'rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait ' +
    'rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn',
  'adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 ' +
    'clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create ' +
    'timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create ' +
    'timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times',
  'capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32 ' +
    'getresuid getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups ' +
    'setgroups32 setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setuid ' +
    'setuid32',
  'accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 ' +
    'recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair',
  'ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 ' +
    'mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt ' +
    'shmget',
  'landlock_add_rule landlock_create_ruleset landlock_restrict_self lsm_get_self_attr lsm_list_modules ' +
    'lsm_set_self_attr seccomp',
  'getrandom sysinfo uname',
];

/** Calls that act on the whole host unless the kernel refuses them: allowed with their capability (capabilities(7)). */
const privileged: Readonly<Record<string, string>> = {
  CAP_SYS_CHROOT: 'chroot',
  CAP_DAC_READ_SEARCH: 'open_by_handle_at',
  CAP_SYS_ADMIN:
    'bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount ' +
    'open_tree open_tree_attr perf_event_open pivot_root quotactl quotactl_fd setdomainname sethostname setns syslog umount ' +
    'umount2 unshare',
  CAP_SYS_BOOT: 'reboot',
  CAP_SYS_MODULE: 'delete_module finit_module init_module',
  CAP_SYS_PACCT: 'acct',
  CAP_SYS_PTRACE: 'kcmp pidfd_getfd process_madvise',
  CAP_SYS_RAWIO: 'ioperm iopl',
  CAP_SYS_TIME: 'clock_settime clock_settime64 settimeofday stime',
  CAP_SYS_TTY_CONFIG: 'vhangup',
  CAP_SYS_NICE: 'get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node',
  CAP_SYSLOG: 'syslog',
  CAP_BPF: 'bpf',
  CAP_PERFMON: 'perf_event_open',
};

/** Architectures whose programs a kernel of this machine (uname(2)) can run. */
const families: Readonly<Record<string, readonly string[]>> = {
  x86_64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  aarch64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
};

export const architecturesOf = (machine: string): readonly string[] | undefined => families[machine];

/** personality(2): Linux, PER_LINUX32, both with UNAME26, and the query. */
const personalities = [0, 8, 0x20000, 0x20008, 0xffffffff];
/** vsock(7) reaches the hypervisor whatever the network namespace. */
const AF_VSOCK = 40;
/** CLONE_NEW*: namespaces that clone(2) makes, without CLONE_NEWTIME, a bit of its signal there. */
const newNamespaces = 0x7e020000;

/**
 * The profile for a container with these capabilities. An unknown machine gets its own architecture alone.
 * Without CAP_SYS_ADMIN no new namespace can be made: its code is where most kernel vulnerabilities are reached from.
 */
export function defaultSeccomp(capabilities: readonly string[], machine: string): Seccomp {
  const architectures = architecturesOf(machine);
  const allow = (names: string[]) => ({ names, action: 'SCMP_ACT_ALLOW' });
  const granted = capabilities.flatMap((name) => privileged[name]?.split(' ') ?? []);
  const makesNamespaces = granted.includes('clone');
  const syscalls: NonNullable<Seccomp['syscalls']> = [
    ...allowed.map((group) => allow(group.split(' '))),
    ...(granted.length > 0 ? [allow([...new Set(granted)].sort())] : []),
    { ...allow(['socket']), args: [{ index: 0, value: AF_VSOCK, op: 'SCMP_CMP_NE' }] },
    ...personalities.map((value) => ({
      ...allow(['personality']),
      args: [{ index: 0, value, op: 'SCMP_CMP_EQ' as const }],
    })),
  ];
  if (!makesNamespaces) {
    const args = [{ index: 0, value: newNamespaces, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' as const }];
    // clone3(2) has its flags in memory, which no filter can read: programs fall back to clone on ENOSYS.
    syscalls.push({ ...allow(['clone']), args }, { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: E.ENOSYS });
  }
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 1,
    ...(architectures && { architectures: [...architectures] }),
    syscalls,
  };
}
