/** The table of native functions. */

/**
 * Types of arguments:
 *   i32   32-bit integer (number)            i64   64-bit integer (BigInt)
 *   str   UTF-8 string, NUL refused          buf   bytes that C reads  (Uint8Array → pointer, u32 length)
 *   out   bytes that C fills (Uint8Array → pointer, u32 capacity)
 * Results: i32 or i64, a value ≥ 0 or `-errno`. Strings in a `buf` or `out` list are NUL-terminated each.
 * The C name of `openAt` is `runt_openAt`. New file descriptors are close-on-exec.
 */
export type AbiType = 'i32' | 'i64' | 'str' | 'buf' | 'out';

/** One native function: the type of its result, its arguments in order, one line of documentation. */
interface AbiFunction {
  readonly ret: 'i32' | 'i64';
  readonly args: readonly (readonly [name: string, type: AbiType])[];
  readonly doc: string;
}

const table = <const T extends Record<string, AbiFunction>>(t: T): T => t;

/**
 * The only declaration of the native functions: koffi binds them from it (`src/sys/node-host.ts`), and `hack/gen.mjs`
 * generates the QuickJS bindings and the C prototypes from it.
 */
export const abi = table({
  // files
  openAt: {
    ret: 'i32',
    args: [
      ['dirfd', 'i32'],
      ['path', 'str'],
      ['flags', 'i32'],
      ['mode', 'i32'],
    ],
    doc: 'openat(2) with O_CLOEXEC; the descriptor',
  },
  openAt2: {
    ret: 'i32',
    args: [
      ['dirfd', 'i32'],
      ['path', 'str'],
      ['flags', 'i32'],
      ['mode', 'i32'],
      ['resolve', 'i32'],
    ],
    doc: 'openat2(2) with O_CLOEXEC and RESOLVE_* flags; the descriptor',
  },
  openDirectory: {
    ret: 'i32',
    args: [
      ['dirfd', 'i32'],
      ['name', 'str'],
      ['flags', 'i32'],
    ],
    doc: 'openat(2) with O_CLOEXEC, O_DIRECTORY and O_NOFOLLOW; the descriptor, -ENOTDIR for a symbolic link too',
  },
  openEntry: {
    ret: 'i32',
    args: [
      ['dirfd', 'i32'],
      ['name', 'str'],
      ['flags', 'i32'],
    ],
    doc: 'openat(2) with O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK and O_NOCTTY: follows no symlink and does not wait for a FIFO; the descriptor',
  },
  close: { ret: 'i32', args: [['fd', 'i32']], doc: 'close(2)' },
  read: {
    ret: 'i32',
    args: [
      ['fd', 'i32'],
      ['data', 'out'],
    ],
    doc: 'read(2), restarted on EINTR; bytes read, 0 at end-of-file',
  },
  write: {
    ret: 'i32',
    args: [
      ['fd', 'i32'],
      ['data', 'buf'],
    ],
    doc: 'write(2), repeated until all bytes are written; on sockets without SIGPIPE, and -ETIMEDOUT after 10 s without progress',
  },
  writeOnce: {
    ret: 'i32',
    args: [
      ['fd', 'i32'],
      ['data', 'buf'],
    ],
    doc: 'one write(2), for one value of a file of cgroupfs that stays open; bytes written',
  },
  readFile: {
    ret: 'i32',
    args: [
      ['dirfd', 'i32'],
      ['path', 'str'],
      ['data', 'out'],
    ],
    doc: 'reads a whole file; its length, -EOVERFLOW when data is too small, -ENXIO for a FIFO that no program writes to',
  },
  writeFile: {
    ret: 'i32',
    args: [
      ['dirfd', 'i32'],
      ['path', 'str'],
      ['flags', 'i32'],
      ['mode', 'i32'],
      ['data', 'buf'],
    ],
    doc: 'open (O_WRONLY|O_CLOEXEC|flags), one write, close; also for files of cgroupfs and procfs; O_NONBLOCK is for the open',
  },
  replaceFile: {
    ret: 'i32',
    args: [
      ['dirfd', 'i32'],
      ['path', 'str'],
      ['mode', 'i32'],
      ['data', 'buf'],
    ],
    doc: 'writes path + ".tmp" (O_EXCL|O_NOFOLLOW), then renames it over path: readers see the old or the new file',
  },
  installFile: {
    ret: 'i32',
    args: [
      ['path', 'str'],
      ['mode', 'i32'],
      ['uid', 'i64'],
      ['gid', 'i64'],
      ['data', 'buf'],
    ],
    doc: 'as replaceFile, with path + ".runt-new", an owner and fsync(2) of file and directory: the file is whole even if the power fails',
  },
  installLink: {
    ret: 'i32',
    args: [
      ['target', 'str'],
      ['path', 'str'],
    ],
    doc: 'makes a symlink, or replaces what is at path, in the same way',
  },
  mkdirAt: {
    ret: 'i32',
    args: [
      ['dirfd', 'i32'],
      ['path', 'str'],
      ['mode', 'i32'],
    ],
    doc: 'mkdirat(2)',
  },
  chownAt: {
    ret: 'i32',
    args: [
      ['dirfd', 'i32'],
      ['path', 'str'],
      ['uid', 'i64'],
      ['gid', 'i64'],
    ],
    doc: 'fchownat(2) with AT_SYMLINK_NOFOLLOW; an empty path is dirfd itself; -1 does not change an id',
  },
  chmodAt: {
    ret: 'i32',
    args: [
      ['dirfd', 'i32'],
      ['path', 'str'],
      ['mode', 'i32'],
    ],
    doc: 'fchmodat(2), which follows a symlink: for what this process has just made in a directory that no other user may write',
  },
  renameAt: {
    ret: 'i32',
    args: [
      ['from', 'i32'],
      ['old', 'str'],
      ['to', 'i32'],
      ['name', 'str'],
    ],
    doc: 'renameat(2)',
  },
  unlinkAt: {
    ret: 'i32',
    args: [
      ['dirfd', 'i32'],
      ['path', 'str'],
      ['flags', 'i32'],
    ],
    doc: 'unlinkat(2)',
  },
  stat: {
    ret: 'i32',
    args: [
      ['dirfd', 'i32'],
      ['path', 'str'],
      ['flags', 'i32'],
      ['data', 'out'],
    ],
    doc: 'fstatat(2): mode, uid, gid, size, ino, dev, rdev, mtime in ns, as eight little-endian i64',
  },
  access: {
    ret: 'i32',
    args: [
      ['path', 'str'],
      ['mode', 'i32'],
    ],
    doc: 'faccessat(2) with AT_EACCESS',
  },
  statfsType: { ret: 'i64', args: [['path', 'str']], doc: 'statfs(2): f_type' },
  getXattr: {
    ret: 'i32',
    args: [
      ['path', 'str'],
      ['name', 'str'],
      ['data', 'out'],
    ],
    doc: 'getxattr(2): bytes of the value, -ENODATA when there is none',
  },
  readDir: {
    ret: 'i32',
    args: [
      ['dirfd', 'i32'],
      ['path', 'str'],
      ['data', 'out'],
    ],
    doc: 'the names in a directory except . and .., each ended by NUL; the length',
  },
  readLink: {
    ret: 'i32',
    args: [
      ['dirfd', 'i32'],
      ['path', 'str'],
      ['data', 'out'],
    ],
    doc: 'readlinkat(2); the length',
  },
  removeTree: {
    ret: 'i32',
    args: [
      ['dirfd', 'i32'],
      ['path', 'str'],
    ],
    doc: 'removes path and everything below it; follows no symlink, crosses no mount point; 0 when path does not exist',
  },
  removeCgroup: {
    ret: 'i32',
    args: [['path', 'str']],
    doc: 'rmdir of a cgroup and of the cgroups below it, deepest first; 0 also when path does not exist or is not a cgroup, which then stays; -EBUSY while it has processes',
  },
  memoryEvents: {
    ret: 'i32',
    args: [['path', 'str']],
    doc: 'a non-blocking descriptor that is readable when the cgroup at path (v1 memory or v2) may have had an OOM event: an eventfd on memory.oom_control, or inotify(7) on memory.events',
  },
  attachDeviceFilter: {
    ret: 'i32',
    args: [
      ['path', 'str'],
      ['program', 'buf'],
    ],
    doc: 'bpf(2): loads a BPF_PROG_TYPE_CGROUP_DEVICE program and attaches it to the v2 cgroup at path; replaces the program that runt has attached there, but no other one; -EINVAL when program is not a whole number of instructions',
  },
  flock: {
    ret: 'i32',
    args: [
      ['fd', 'i32'],
      ['operation', 'i32'],
    ],
    doc: 'flock(2)',
  },
  cwd: { ret: 'i32', args: [['data', 'out']], doc: 'getcwd(3); the length without NUL' },

  // process
  pid: { ret: 'i32', args: [], doc: 'getpid(2)' },
  ids: { ret: 'i32', args: [['data', 'out']], doc: 'ruid, euid, rgid, egid as four little-endian i64' },
  monotonic: { ret: 'i64', args: [], doc: 'CLOCK_MONOTONIC in ns' },
  realtime: { ret: 'i64', args: [], doc: 'CLOCK_REALTIME in ns' },
  netlinkOpen: {
    ret: 'i32',
    args: [['ns', 'i32']],
    doc: 'a NETLINK_ROUTE socket in the network namespace of the descriptor ns, or in that of this thread for -1',
  },
  namespaceOpen: {
    ret: 'i32',
    args: [
      ['path', 'str'],
      ['data', 'out'],
    ],
    doc: 'opens the file of a namespace; its type (CLONE_NEW*), device and inode as three little-endian i64; -ENOTTY for any other file, without opening that for reading',
  },
  userNamespaceOf: {
    ret: 'i32',
    args: [['namespace', 'i32']],
    doc: 'ioctl(2) NS_GET_USERNS: a descriptor of the user namespace that owns a namespace; -EPERM when that is not visible from here',
  },
  processStat: {
    ret: 'i32',
    args: [
      ['pid', 'i32'],
      ['data', 'out'],
    ],
    doc: 'the text of /proc/PID/stat; its length; -ENODEV when /proc is not a procfs, -EXDEV when it shows a pid namespace other than that of this process',
  },
  pidfdOpen: {
    ret: 'i32',
    args: [['pid', 'i32']],
    doc: 'pidfd_open(2); -ESRCH when no process has that pid, -ENOSYS also when a seccomp filter refuses the call',
  },
  pidfdSignal: {
    ret: 'i32',
    args: [
      ['pidfd', 'i32'],
      ['signal', 'i32'],
    ],
    doc: 'pidfd_send_signal(2); -ENOSYS also when a seccomp filter refuses the call',
  },
  killProcess: {
    ret: 'i32',
    args: [
      ['pid', 'i32'],
      ['signal', 'i32'],
    ],
    doc: 'kill(2) of one process; compare its start time right before you send a signal; 0 only checks that the pid is in use',
  },
  waitPidfd: {
    ret: 'i32',
    args: [
      ['pidfd', 'i32'],
      ['data', 'out'],
    ],
    doc: 'waitid(P_PIDFD, WEXITED|WNOHANG): si_code and si_status as two little-endian i64; 1, or 0 when the process still runs',
  },
  reapChild: {
    ret: 'i32',
    args: [['pid', 'i32']],
    doc: 'waitid(P_PID, WEXITED|WNOHANG) of a child, whose pid cannot be reused before that: 1, or 0 when it still runs',
  },
  exitOfPidfd: {
    ret: 'i32',
    args: [['pidfd', 'i32']],
    doc: 'the wait status of a process that any process has reaped (PIDFD_GET_INFO, Linux 6.15); -EAGAIN when it is not reaped, -ENOTTY, -ESRCH or another error when the kernel does not have the status',
  },
  prlimit: {
    ret: 'i32',
    args: [
      ['pid', 'i32'],
      ['resource', 'i32'],
      ['soft', 'i64'],
      ['hard', 'i64'],
    ],
    doc: 'prlimit(2): sets both limits; -1 (2^64-1) is infinity',
  },
  schedSetAttr: {
    ret: 'i32',
    args: [
      ['pid', 'i32'],
      ['policy', 'i32'],
      ['flags', 'i32'],
      ['nice', 'i32'],
      ['priority', 'i32'],
      ['runtime', 'i64'],
      ['deadline', 'i64'],
      ['period', 'i64'],
    ],
    doc: 'sched_setattr(2) of the thread pid; SCHED_FLAG_* flags, times in ns',
  },
  ioprioSet: {
    ret: 'i32',
    args: [
      ['pid', 'i32'],
      ['priority', 'i32'],
    ],
    doc: 'ioprio_set(2) of the thread pid: class << 13 | priority',
  },
  reapOrphans: {
    ret: 'i32',
    args: [['child', 'i32']],
    doc: 'waitid(2) for all children that have ended but `child`, until that has ended; 0',
  },
  setSubreaper: { ret: 'i32', args: [['on', 'i32']], doc: 'prctl(PR_SET_CHILD_SUBREAPER)' },
  schedCoreCreate: {
    ret: 'i32',
    args: [],
    doc: 'prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE) of this thread; its later children inherit the cookie (Linux 5.14)',
  },
  signalFd: {
    ret: 'i32',
    args: [['mask', 'i64']],
    doc: 'blocks the signals of mask (bit n-1 for signal n) and makes a signalfd(2) of them',
  },
  isTerminal: { ret: 'i32', args: [['fd', 'i32']], doc: 'isatty(3): 1 or 0' },
  spawn: {
    ret: 'i32',
    args: [
      ['path', 'str'],
      ['args', 'buf'],
      ['env', 'buf'],
      ['stdin', 'i32'],
      ['stdout', 'i32'],
      ['stderr', 'i32'],
      ['pidfd', 'out'],
    ],
    doc: 'vfork and execve of a helper by absolute path; descriptor -1 means /dev/null; pidfd as one i64; the pid',
  },
  spawnKeeping: {
    ret: 'i32',
    args: [
      ['path', 'str'],
      ['args', 'buf'],
      ['env', 'buf'],
      ['stdin', 'i32'],
      ['stdout', 'i32'],
      ['stderr', 'i32'],
      ['keep', 'buf'],
      ['pidfd', 'out'],
    ],
    doc: 'as spawn; the descriptors in keep (i32 each) stay open in the helper, under the same numbers',
  },
  spawnWith: {
    ret: 'i32',
    args: [
      ['path', 'str'],
      ['args', 'buf'],
      ['env', 'buf'],
      ['fds', 'buf'],
      ['pidfd', 'out'],
    ],
    doc: 'as spawn, with /dev/null as stdio and the descriptors fds (i32 each, at most 5) as 3, 4 …',
  },
  pauseProgram: {
    ret: 'i32',
    args: [['data', 'out']],
    doc: 'the program pause, the first process of a pod; its size, -EOVERFLOW when it does not fit',
  },
  layerProgram: {
    ret: 'i32',
    args: [],
    doc: 'a descriptor of a new sealed memfd, or of a file on a read-only tmpfs, with the program runt-layer, which unpacks images',
  },
  spawnHook: {
    ret: 'i32',
    args: [
      ['path', 'str'],
      ['args', 'buf'],
      ['env', 'buf'],
      ['directory', 'str'],
      ['stdin', 'i32'],
      ['stdout', 'i32'],
      ['stderr', 'i32'],
      ['pidfd', 'out'],
    ],
    doc: 'as spawn, in a directory (/ when chdir fails), with umask 022, as the leader of a new session and process group',
  },
  signalGroup: {
    ret: 'i32',
    args: [
      ['pid', 'i32'],
      ['signal', 'i32'],
    ],
    doc: 'kill(2) of the process group that pid leads; only before pid is reaped, because its number may be reused then',
  },
  spawnInit: {
    ret: 'i32',
    args: [
      ['flags', 'i64'],
      ['sync', 'i32'],
      ['stdio', 'buf'],
      ['keep', 'buf'],
      ['cgroup', 'i32'],
      ['pidfd', 'out'],
    ],
    doc: 'clone (CLONE_VM|CLONE_VFORK|flags, CLONE_INTO_CGROUP when cgroup ≥ 0) and execveat of the sealed runt-init; stdio holds its stdio (three i32), empty for that of this process; it keeps sync and the descriptors in keep (i32 each); pidfd: the pidfd, then the failed call (index in START_CALL of src/sys/protocol.ts), two i64; the pid; -ENOSYS also when a seccomp filter refuses a call that has no alternative',
  },
  becomeInit: {
    ret: 'i32',
    args: [
      ['name', 'str'],
      ['sync', 'i32'],
      ['child', 'i32'],
      ['failed', 'i32'],
      ['keep', 'buf'],
    ],
    doc: 'execveat of the sealed runt-init by this process, with name as argv[0], to wait for the process of the pidfd child; if it cannot, it kills that, and its exit status is failed; it keeps sync and the descriptors in keep (i32 each); only -errno returns',
  },
  initImage: {
    ret: 'i32',
    args: [],
    doc: 'a descriptor of the sealed memfd that holds runt-init, or of its substitute (docs/security.md)',
  },

  // terminals
  terminalRaw: {
    ret: 'i32',
    args: [
      ['fd', 'i32'],
      ['saved', 'out'],
    ],
    doc: 'puts a terminal in raw mode (cfmakeraw(3), but with output processing); saved is the previous mode, which a crash of this process restores; the length of saved. Stops a background job until it is in the foreground; -EIO when no shell can bring it there',
  },
  terminalRestore: {
    ret: 'i32',
    args: [
      ['fd', 'i32'],
      ['saved', 'buf'],
    ],
    doc: 'restores the mode that terminalRaw saved',
  },
  terminalMaster: {
    ret: 'i32',
    args: [['fd', 'i32']],
    doc: "prepares a master for transfer: O_NONBLOCK, and ONLCR off, so that its slave's newlines are not changed",
  },
  windowSize: {
    ret: 'i32',
    args: [
      ['fd', 'i32'],
      ['data', 'out'],
    ],
    doc: 'TIOCGWINSZ: columns and rows as two little-endian i64',
  },
  setWindowSize: {
    ret: 'i32',
    args: [
      ['fd', 'i32'],
      ['width', 'i32'],
      ['height', 'i32'],
    ],
    doc: 'TIOCSWINSZ: columns and rows; -ERANGE above 65535',
  },
  nonBlocking: {
    ret: 'i32',
    args: [
      ['fd', 'i32'],
      ['flags', 'i32'],
    ],
    doc: 'reopens a terminal or pipe with flags (O_RDONLY, O_WRONLY, O_RDWR), so that only the new descriptor has O_NONBLOCK; a duplicate for other files, or when the open is not permitted',
  },
  transfer: {
    ret: 'i32',
    args: [
      ['from', 'i32'],
      ['to', 'i32'],
      ['state', 'out'],
    ],
    doc: 'moves bytes until it would block: 0 from is at end-of-file, 1 from must be readable, 2 to must be writable, 3 from is hung up (EIO), 4 to has no reader (EPIPE, EIO …), 5 call again, after other work; to -1 drops the bytes; state (zeros at first) holds bytes that are read and not written',
  },

  // mounts
  mountFs: {
    ret: 'i32',
    args: [
      ['fstype', 'str'],
      ['source', 'str'],
      ['options', 'buf'],
      ['attrs', 'i32'],
      ['target', 'str'],
    ],
    doc: 'fsopen(2), fsconfig(2) with each option (key=value or key, NUL-terminated; lowerdir of an overlay layer by layer), fsmount(2) with MOUNT_ATTR_* and move_mount(2)',
  },
  mountBind: {
    ret: 'i32',
    args: [
      ['source', 'str'],
      ['recursive', 'i32'],
      ['attrs', 'i32'],
      ['target', 'str'],
    ],
    doc: 'open_tree(2), mount_setattr(2) with MOUNT_ATTR_* for the tree, move_mount(2)',
  },
  mountOverlay: {
    ret: 'i32',
    args: [
      ['source', 'str'],
      ['layers', 'buf'],
      ['options', 'buf'],
      ['attrs', 'i32'],
      ['target', 'str'],
      ['hidden', 'i32'],
    ],
    doc: 'as mountFs, for an overlay whose lower layers are detached trees (descriptors, i32 each): by FSCONFIG_SET_FD (Linux 6.15; EBADF or EINVAL before), or, with hidden, by a child that mounts them in a mount namespace of its own',
  },
  unmount: {
    ret: 'i32',
    args: [['path', 'str']],
    doc: 'umount2(2) with MNT_DETACH and UMOUNT_NOFOLLOW',
  },

  // descriptors and events
  socketPair: {
    ret: 'i32',
    args: [['data', 'out']],
    doc: 'socketpair(AF_UNIX, SOCK_STREAM): two descriptors as two little-endian i64',
  },
  packetPair: {
    ret: 'i32',
    args: [['data', 'out']],
    doc: 'socketpair(AF_UNIX, SOCK_SEQPACKET), which preserves message boundaries: two descriptors as two little-endian i64',
  },
  pipe: {
    ret: 'i32',
    args: [['data', 'out']],
    doc: 'pipe2(2): the read end, which is non-blocking (-EAGAIN), and the write end, as two little-endian i64',
  },
  sealedFile: {
    ret: 'i32',
    args: [['data', 'buf']],
    doc: 'memfd_create(2): a sealed anonymous file that holds data, its offset at 0; the descriptor',
  },
  unixListen: {
    ret: 'i32',
    args: [
      ['dirfd', 'i32'],
      ['name', 'str'],
      ['backlog', 'i32'],
    ],
    doc: 'binds name, relative to dirfd through /proc/self/fd, with mode 0600, and listens',
  },
  accept: {
    ret: 'i32',
    args: [['socket', 'i32']],
    doc: "accept4(2) of a readable unix socket; the connection. Closes it and returns -EACCES when the peer is neither root nor this process's user",
  },
  trustedPeer: {
    ret: 'i32',
    args: [['socket', 'i32']],
    doc: "whether the peer of a unix socket is root or this process's user (SO_PEERCRED): 1 or 0",
  },
  unixConnect: {
    ret: 'i32',
    args: [
      ['dirfd', 'i32'],
      ['name', 'str'],
    ],
    doc: 'connects to the socket name, relative to dirfd through /proc/self/fd; -EAGAIN when the queue of its listener is full',
  },
  datagramBind: {
    ret: 'i32',
    args: [
      ['dirfd', 'i32'],
      ['name', 'str'],
      ['mode', 'i32'],
    ],
    doc: 'as unixListen, but a non-blocking datagram socket (-EAGAIN) with that mode',
  },
  datagramConnect: {
    ret: 'i32',
    args: [['address', 'str']],
    doc: 'a datagram socket that sends to a path, or to an abstract address, written with @ as its first byte; a send returns -EAGAIN when the queue of the receiver is full for 1 s',
  },
  send: {
    ret: 'i32',
    args: [
      ['socket', 'i32'],
      ['data', 'buf'],
    ],
    doc: 'send(2) of as many bytes as the socket has room for; the bytes sent, -EAGAIN for none',
  },
  closesOnExec: {
    ret: 'i32',
    args: [['fd', 'i32']],
    doc: 'fcntl(2) F_GETFD: 1 when the descriptor is close-on-exec, else 0',
  },
  duplicate: { ret: 'i32', args: [['fd', 'i32']], doc: 'fcntl(2) F_DUPFD_CLOEXEC, above 2' },
  sendFds: {
    ret: 'i32',
    args: [
      ['socket', 'i32'],
      ['fds', 'buf'],
      ['data', 'buf'],
    ],
    doc: 'sendmsg(2) with descriptors (i32 each, at most 250) as SCM_RIGHTS beside the data; bytes sent',
  },
  receiveFds: {
    ret: 'i32',
    args: [
      ['socket', 'i32'],
      ['data', 'out'],
      ['fds', 'out'],
    ],
    doc: 'recvmsg(2): data and its descriptors (i32 each, close-on-exec; the rest of fds is -1); bytes received',
  },
  watch: {
    ret: 'i32',
    args: [
      ['fd', 'i32'],
      ['id', 'i32'],
    ],
    doc: 'reports once, through ready or forward, that fd is readable or hung up; -EPERM for a regular file, which is always readable',
  },
  watchOut: {
    ret: 'i32',
    args: [
      ['fd', 'i32'],
      ['id', 'i32'],
    ],
    doc: 'as watch, but reports that fd is writable or broken',
  },
  isReadable: {
    ret: 'i32',
    args: [['fd', 'i32']],
    doc: 'poll(2) without waiting: 1 when fd is readable or hung up, and for regular files, else 0',
  },
  unwatch: { ret: 'i32', args: [['fd', 'i32']], doc: 'cancels a watch' },
  ready: {
    ret: 'i32',
    args: [
      ['ids', 'out'],
      ['timeout', 'i32'],
    ],
    doc: 'sleeps until a watched descriptor is ready: the ids (i32 each); their number, 0 after timeout ms (-1 for no timeout) or a signal',
  },
  forward: {
    ret: 'i32',
    args: [],
    doc: 'starts a thread that writes the ids of ready descriptors to a pipe; the read end',
  },

  // mount sources that the runtime opens, because runt-init cannot reach them
  openTree: {
    ret: 'i32',
    args: [
      ['dirfd', 'i32'],
      ['path', 'str'],
      ['flags', 'i32'],
    ],
    doc: 'open_tree(2) with OPEN_TREE_CLOEXEC',
  },
  countMounts: {
    ret: 'i32',
    args: [['most', 'i32']],
    doc: 'the number of mounts in the mount namespace of this process, at most `most` (1 to 512)',
  },
  mountTemplate: {
    ret: 'i32',
    args: [],
    doc: 'opens the mount namespace of the kernel thread kdevtmpfs, which has one mount; -ENOENT if there is none that this process may copy',
  },
  idMapTree: {
    ret: 'i32',
    args: [
      ['tree', 'i32'],
      ['namespace', 'i32'],
      ['flags', 'i32'],
    ],
    doc: 'mount_setattr(2): MOUNT_ATTR_IDMAP with a user namespace (a descriptor) for a detached tree; flags 0 or AT_RECURSIVE',
  },

  // seccomp
  compileSeccomp: {
    ret: 'i32',
    args: [
      ['profile', 'buf'],
      ['program', 'out'],
    ],
    doc: 'libseccomp: compiles a packed profile (native/core/seccomp.c) to a BPF program; its length. On an error program holds the position of the refused item (struct position), two little-endian i64',
  },
  unknownSyscalls: {
    ret: 'i32',
    args: [
      ['names', 'buf'],
      ['data', 'out'],
    ],
    doc: 'the names (each ended by NUL) that libseccomp does not know on any architecture, each ended by NUL; the length',
  },
  seccompVersion: {
    ret: 'i32',
    args: [['data', 'out']],
    doc: 'version of libseccomp and machine, as "2.5.4 x86_64"; the length without NUL',
  },
  seccompFlags: {
    ret: 'i32',
    args: [['flags', 'i32']],
    doc: 'whether the kernel knows these flags of seccomp(2) SECCOMP_SET_MODE_FILTER; loads no filter',
  },
  sha256: {
    ret: 'i32',
    args: [
      ['data', 'buf'],
      ['digest', 'out'],
    ],
    doc: 'SHA-256 of data, 32 bytes',
  },

  // HTTP/2: a session is one connection, without I/O
  http2Open: {
    ret: 'i32',
    args: [],
    doc: 'a session of a server; -ENOSYS without nghttp2, -EMFILE for too many. Nothing else makes one: without it the other functions return -EBADF',
  },
  http2Close: { ret: 'i32', args: [['session', 'i32']], doc: 'frees a session' },
  http2Receive: {
    ret: 'i32',
    args: [
      ['session', 'i32'],
      ['data', 'buf'],
    ],
    doc: 'handles bytes from the peer and queues events; -EPROTO or -ENOMEM: close the connection',
  },
  http2Event: {
    ret: 'i32',
    args: [
      ['session', 'i32'],
      ['data', 'out'],
    ],
    doc: 'takes an event: kind (index in HTTP2_EVENT) and stream as two i64, then its bytes; the length, 0 for none. Take all of them after http2Receive and http2Send',
  },
  http2Send: {
    ret: 'i32',
    args: [
      ['session', 'i32'],
      ['data', 'out'],
    ],
    doc: 'takes bytes for the peer; their number, 0 for none now, -ENOTCONN when the session is over',
  },
  http2Respond: {
    ret: 'i32',
    args: [
      ['session', 'i32'],
      ['stream', 'i32'],
      ['headers', 'buf'],
      ['end', 'i32'],
    ],
    doc: 'sends the headers of a response: names and values, each ended by NUL; end: nothing follows. -ENOENT when the stream is closed',
  },
  http2Data: {
    ret: 'i32',
    args: [
      ['session', 'i32'],
      ['stream', 'i32'],
      ['data', 'buf'],
      ['end', 'i32'],
    ],
    doc: 'queues bytes of the body, and with end its end, without trailers; how many are queued. -ENOENT when the stream is closed',
  },
  http2Trailers: {
    ret: 'i32',
    args: [
      ['session', 'i32'],
      ['stream', 'i32'],
      ['headers', 'buf'],
    ],
    doc: 'ends the body: trailers follow what is queued. -ENOENT when the stream is closed',
  },
  http2Consume: {
    ret: 'i32',
    args: [
      ['session', 'i32'],
      ['stream', 'i32'],
      ['bytes', 'i32'],
    ],
    doc: 'allows the peer to send as many bytes again',
  },
  http2Reset: {
    ret: 'i32',
    args: [
      ['session', 'i32'],
      ['stream', 'i32'],
      ['code', 'i32'],
    ],
    doc: 'RST_STREAM with an error code; -ENOENT when the stream is closed',
  },
  http2GoAway: {
    ret: 'i32',
    args: [['session', 'i32']],
    doc: 'GOAWAY: the session ends when its streams are closed',
  },

  // text
  matching: {
    ret: 'i32',
    args: [
      ['pattern', 'str'],
      ['names', 'buf'],
      ['data', 'out'],
    ],
    doc: 'the names (each ended by NUL) in which an extended regular expression (regex(7)) matches, each ended by NUL; the length, -EINVAL for a bad pattern',
  },
  wideIntegers: {
    ret: 'i32',
    args: [
      ['json', 'buf'],
      ['data', 'out'],
    ],
    doc: 'integers of a JSON text beyond ±2^53, and numbers with an exponent: pairs of JSON pointer and literal, each ended by NUL; the length, 0 for none, -EBADMSG when the text is not JSON',
  },
  jsonError: {
    ret: 'i32',
    args: [
      ['json', 'buf'],
      ['data', 'out'],
    ],
    doc: 'the first syntax error of a JSON text: its kind (index in JSON_PROBLEM), and its offset in bytes as i64 in data; 0 for valid JSON, -ELOOP when nested too deeply',
  },
  zeroBytes: { ret: 'i32', args: [['data', 'buf']], doc: 'how many bytes are 0' },
});

type JsArgument<T> = T extends 'i32' ? number : T extends 'i64' ? bigint : T extends 'str' ? string : Uint8Array;
type JsArguments<A extends readonly (readonly [string, AbiType])[]> = { -readonly [I in keyof A]: JsArgument<A[I][1]> };

/** The bound table: every function of `abi`. */
export type Native = {
  readonly [K in keyof typeof abi]: (
    ...args: JsArguments<(typeof abi)[K]['args']>
  ) => (typeof abi)[K]['ret'] extends 'i64' ? bigint : number;
};
