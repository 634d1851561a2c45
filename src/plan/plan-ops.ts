/**
 * The single table of plan operations. TypeScript builds and encodes from it; `hack/gen.mjs` writes the C header
 * that `runt-init` decodes with (`native/init`). An operation is done either by the runtime (TypeScript, before or
 * after the clone) or by runt-init inside the new namespaces, in the order of the plan.
 *
 * Field types: `str` (no NUL), `int` (64-bit, signed or unsigned, exact), `list` (of str).
 */
export type FieldType = 'str' | 'int' | 'list';

export interface OpShape {
  readonly code: number;
  readonly by: 'runtime' | 'init';
  readonly fields: Readonly<Record<string, FieldType>>;
  /** What it does, for `explain` writers and readers of the C. */
  readonly doc: string;
}

const table = <const T extends Record<string, OpShape>>(t: T): T => t;

export const ops = table({
  // ── done by the runtime ──
  stateDir: {
    code: 1,
    by: 'runtime',
    fields: { path: 'str' },
    doc: 'make the state directory (0700) and write state "creating"',
  },
  cgroupCreate: {
    code: 2,
    by: 'runtime',
    fields: { path: 'str' },
    doc: 'make the cgroup directory (and its parents) at an absolute path below /sys/fs/cgroup',
  },
  cgroupWrite: { code: 3, by: 'runtime', fields: { path: 'str', value: 'str' }, doc: 'write value to a cgroup file' },
  startSocket: { code: 4, by: 'runtime', fields: { path: 'str' }, doc: 'bind the socket on which `start` is awaited' },
  openTree: {
    code: 5,
    by: 'runtime',
    fields: { source: 'str', recursive: 'int', nofollow: 'int', optional: 'int', slot: 'int' },
    doc: 'clone a mount tree that the container root may not be able to reach, or whose ids are to be mapped; init finds it at slot; nofollow 1: source itself, were it a symlink; optional 1: one that is missing is left to mountBind',
  },
  clone: {
    code: 6,
    by: 'runtime',
    fields: { flags: 'int', cgroup: 'str' },
    doc: 'start runt-init in new namespaces (CLONE_NEW* flags), born into the v2 cgroup when one is named (CLONE_INTO_CGROUP, or cgroup.procs where that is refused)',
  },
  setGroupsPolicy: { code: 7, by: 'runtime', fields: { value: 'str' }, doc: 'write /proc/PID/setgroups' },
  idMap: {
    code: 8,
    by: 'runtime',
    fields: { kind: 'str', lines: 'list', helper: 'str' },
    doc: 'write uid_map or gid_map (kind), by helper (newuidmap, newgidmap) when it is not empty',
  },
  oomScoreAdj: {
    code: 10,
    by: 'runtime',
    fields: { value: 'int' },
    doc: 'write /proc/PID/oom_score_adj: lowering needs a capability that init in a user namespace has not',
  },
  prlimit: {
    code: 11,
    by: 'runtime',
    fields: { resource: 'int', soft: 'int', hard: 'int' },
    doc: 'prlimit(2) on runt-init once it reports "created": in a user namespace it could not raise a hard limit itself; 2^64-1 is infinity',
  },
  cgroupInherit: {
    code: 12,
    by: 'runtime',
    fields: { path: 'str', top: 'str', file: 'str' },
    doc: 'v1 cpuset: copy file from each parent between top (the mount point) and path to its child where the child has it empty; no process can join before',
  },
  cgroupControllers: {
    code: 13,
    by: 'runtime',
    fields: { path: 'str', top: 'str', required: 'list', wanted: 'list' },
    doc: 'v2: enable controllers for the cgroup path by the cgroup.subtree_control files above it, up to top (the mount point) where need be; required ones must be there after, wanted ones may be refused',
  },
  cgroupDevices: {
    code: 14,
    by: 'runtime',
    fields: { path: 'str', allow: 'int', exceptions: 'list' },
    doc: 'v2: attach a BPF filter to the cgroup path that allows (1) or denies (0) every device but the exceptions, each as v1 writes it: "c 1:3 rwm", "b *:* m"; or, where v1 could not hold them, but for rules, of which the last that matches decides about each kind of access: "deny c 4:64 w"',
  },
  cgroupOwner: {
    code: 170,
    by: 'runtime',
    fields: { path: 'str', uid: 'int' },
    doc: 'v2: give the cgroup path, and those of its files that /sys/kernel/cgroup/delegate names, to uid',
  },
  systemdScope: {
    code: 190,
    by: 'runtime',
    fields: { path: 'str', unit: 'str', properties: 'list', optional: 'list' },
    doc: 'v2: have systemd start the scope unit with these properties (NAME=GVariant text; those named in optional only if its version knows them) and a process of the runtime that holds the place until the container is born there; its cgroup must be path',
  },
  cgroupOpen: {
    code: 15,
    by: 'runtime',
    fields: { path: 'str', slot: 'int' },
    doc: 'open the file tasks of a v1 cgroup, or cgroup.procs of a v2 one, for runt-init, which finds it at slot',
  },
  cgroupWriteFirst: {
    code: 16,
    by: 'runtime',
    fields: { paths: 'list', values: 'list', required: 'int' },
    doc: 'write to the first of several cgroup files that is there (kernels differ in their names) its value; required 0: none need be there',
  },
  cgroupRealtime: {
    code: 17,
    by: 'runtime',
    fields: { path: 'str', file: 'str', value: 'str' },
    doc: 'v1: write the real-time period or runtime to file of each parent of the cgroup path that was made for it, then of path: a child can have only what its parent has',
  },
  supervise: {
    code: 26,
    by: 'runtime',
    fields: { path: 'str' },
    doc: 'start the supervisor, which listens at path, starts runt-init and every exec as its children, and records how they end',
  },
  consoleConnect: {
    code: 80,
    by: 'runtime',
    fields: { path: 'str', slot: 'int' },
    doc: 'connect to the console socket (--console-socket), which gets the master of the terminal; runt-init finds the connection at slot',
  },
  consolePair: {
    code: 81,
    by: 'runtime',
    fields: { slot: 'int' },
    doc: 'make a socket pair over which the runtime gets the master of the terminal; runt-init finds its end at slot',
  },

  namespaceOpen: {
    code: 100,
    by: 'runtime',
    fields: { path: 'str', type: 'str', slot: 'int' },
    doc: 'open the file of a namespace and verify that it is one of this type, and no namespace of the runtime that this config would change; runt-init finds it at slot',
  },
  idMapVerify: {
    code: 106,
    by: 'runtime',
    fields: { kind: 'str', lines: 'list' },
    doc: 'read uid_map or gid_map (kind) of runt-init, which has joined a user namespace: it must be that of the config',
  },
  netDevice: {
    code: 105,
    by: 'runtime',
    fields: { name: 'str', target: 'str' },
    doc: 'move a network interface of the host into the network namespace of runt-init as target, with its permanent global addresses, and set it up',
  },
  cgroupDirectory: {
    code: 91,
    by: 'runtime',
    fields: { path: 'str', slot: 'int' },
    doc: 'open the directory of a v2 cgroup for runt-init, which finds it at slot',
  },
  initProcess: {
    code: 90,
    by: 'runtime',
    fields: { pid: 'int', startTime: 'str', slot: 'int' },
    doc: "exec: open a pidfd of the container's first process, verified by its start time; runt-init finds it at slot",
  },

  processRoot: {
    code: 152,
    by: 'runtime',
    fields: { slot: 'int' },
    doc: "exec: open the root directory of the container's first process, which setns(2) does not lead to when its mount namespace is the runtime's; runt-init finds it at slot",
  },
  seccompProgram: {
    code: 70,
    by: 'runtime',
    fields: { profile: 'list', slot: 'int' },
    doc: 'compile the profile (lines as native/core/seccomp.c reads them), or take its kept program; runt-init finds it at slot',
  },

  hostHook: {
    code: 78,
    by: 'runtime',
    fields: { name: 'str', path: 'str', args: 'list', timeout: 'int' },
    doc: 'run a hook in the namespaces of the runtime: prestart and createRuntime while init is in awaitHooks, poststart after the exec, poststop after the delete; name and timeout as for hook',
  },

  notifyDirectory: {
    code: 130,
    by: 'runtime',
    fields: { path: 'str', bind: 'int' },
    doc: 'make the directory that the container gets as /run/notify; bind 1: and the socket in it, on which sd_notify messages are awaited (without it `start` binds it)',
  },
  pidfdSocket: {
    code: 131,
    by: 'runtime',
    fields: { path: 'str' },
    doc: 'once the process waits: connect to path (--pidfd-socket) and send a pidfd of it by SCM_RIGHTS, beside the word that runc sends',
  },
  idMapNamespace: {
    code: 110,
    by: 'runtime',
    fields: { path: 'str', uids: 'list', gids: 'list', slot: 'int' },
    doc: 'make a user namespace with these lines as its id maps (or open the one at path, when that is not empty), for id-mapped mounts; found at slot',
  },
  idMapTree: {
    code: 111,
    by: 'runtime',
    fields: { source: 'str', tree: 'int', recursive: 'int', slot: 'int' },
    doc: 'mount_setattr(MOUNT_ATTR_IDMAP): give the tree that openTree cloned from source into slot `tree` the id maps of the user namespace at slot, all mounts of it when recursive',
  },

  scheduler: {
    code: 133,
    by: 'runtime',
    fields: {
      policy: 'int',
      flags: 'int',
      nice: 'int',
      priority: 'int',
      runtime: 'int',
      deadline: 'int',
      period: 'int',
    },
    doc: 'sched_setattr(2) on the process once it waits; times in ns',
  },
  ioPriority: {
    code: 134,
    by: 'runtime',
    fields: { class: 'int', priority: 'int' },
    doc: 'ioprio_set(2) on the process once it waits',
  },

  // ── done by runt-init ──
  keepGroups: {
    code: 142,
    by: 'init',
    fields: {},
    doc: 'the supplementary groups stay as they are: becomeRoot does not let them go',
  },
  hookFile: {
    code: 143,
    by: 'runtime',
    fields: { path: 'str', slot: 'int' },
    doc: 'open the file that what hooks write is appended to, made when missing (0600); runt-init finds it at slot',
  },
  hookOutput: {
    code: 144,
    by: 'init',
    fields: { out: 'int', err: 'int' },
    doc: 'hooks write to the files at these slots from here on; -1: where they wrote before',
  },
  seccompData: {
    code: 145,
    by: 'runtime',
    fields: { data: 'str', slot: 'int' },
    doc: 'decode a seccomp program from base64; runt-init finds it at slot',
  },
  rdtGroup: {
    code: 138,
    by: 'runtime',
    fields: { path: 'str', make: 'str', schemata: 'list' },
    doc: 'the resctrl group at path: make is "new", "there" (it must be there) or "either"; the lines go into the schemata of one that is made, and must be in those of one that is there',
  },
  rdtMonitor: {
    code: 139,
    by: 'runtime',
    fields: { path: 'str' },
    doc: 'make a resctrl monitoring group',
  },
  rdtAssign: {
    code: 140,
    by: 'runtime',
    fields: { paths: 'list' },
    doc: 'move runt-init into these resctrl groups, one after the other',
  },
  securityLabel: {
    code: 141,
    by: 'init',
    fields: { file: 'str', label: 'str' },
    doc: 'write label to /proc/self/attr/FILE (exec, keycreate, apparmor/exec) through the private procfs; empty takes it back',
  },
  cpuAffinity: {
    code: 135,
    by: 'init',
    fields: { cpus: 'list' },
    doc: 'sched_setaffinity(2) to these CPUs, each a number or first-last; none: to all that the cpuset of its cgroup has',
  },
  memoryPolicy: {
    code: 136,
    by: 'init',
    fields: { mode: 'int', nodes: 'list' },
    doc: 'set_mempolicy(2) with the mode (and its flags) for these nodes, each a number or first-last',
  },
  personality: {
    code: 137,
    by: 'init',
    fields: { domain: 'int' },
    doc: 'personality(2): the execution domain, PER_*',
  },
  listenFds: {
    code: 132,
    by: 'init',
    fields: { count: 'int', names: 'str' },
    doc: 'socket activation: exec adds LISTEN_FDS=count, LISTEN_PID= its own pid, and LISTEN_FDNAMES=names unless empty, to the environment',
  },
  keepFds: {
    code: 32,
    by: 'init',
    fields: { count: 'int' },
    doc: 'close all descriptors but stdio, 3…3+count-1 and our own',
  },
  procfs: {
    code: 33,
    by: 'init',
    fields: {},
    doc: 'open and verify a private procfs, through which all writes to /proc go',
  },
  keyring: { code: 34, by: 'init', fields: { name: 'str' }, doc: 'keyctl(KEYCTL_JOIN_SESSION_KEYRING, name)' },
  sync: { code: 35, by: 'init', fields: {}, doc: 'wait until the runtime has written the id maps' },
  becomeRoot: {
    code: 36,
    by: 'init',
    fields: {},
    doc: 'setgroups([]) where allowed, setresgid(0), setresuid(0) in the new user namespace',
  },
  unshare: {
    code: 37,
    by: 'init',
    fields: { flags: 'int' },
    doc: 'unshare(2); for the cgroup namespace, once in the cgroups',
  },
  hostPropagation: {
    code: 38,
    by: 'init',
    fields: { flags: 'int' },
    doc: 'set the propagation (MS_* flags) of the whole inherited mount tree',
  },
  isolate: {
    code: 154,
    by: 'init',
    fields: { path: 'str' },
    doc: 'make private the mount that path is on',
  },
  cloneSource: {
    code: 153,
    by: 'init',
    fields: { source: 'str', recursive: 'int', nofollow: 'int', optional: 'int', slot: 'int' },
    doc: 'clone the source of a bind mount into slot, before the root is attached over `/`; nofollow 1: source itself, were it a symlink; optional 1: one that is missing is left to mountBind',
  },
  rootfs: {
    code: 39,
    by: 'init',
    fields: { path: 'str', slot: 'int' },
    doc: 'make a private mount of the rootfs (from slot when ≥ 0; pivot_root(2) refuses a shared one), attach it over `/`, and take it as the root that paths are resolved in',
  },
  mountFs: {
    code: 40,
    by: 'init',
    fields: {
      target: 'str',
      fstype: 'str',
      source: 'str',
      options: 'list',
      attrs: 'int',
      propagation: 'list',
      inheritMode: 'int',
      flags: 'int',
      copyUp: 'int',
      idmap: 'int',
      instead: 'int',
    },
    doc: "mount a file system on target, made when missing (0755), which is the root from then on when it was the root; options are key=value or key; attrs MOUNT_ATTR_*; propagation: decimal MS_* flags in order; inheritMode 1: a target that was there gives its permission bits as mode=, before the options (tmpfs, as runc); flags: MS_* that only mount(2) passes to a file system; copyUp 1: it begins with a copy of what target holds; idmap ≥ 0: the slot of the user namespace with its id maps; instead ≥ 0: the slot of a clone of the host's /sys, which is bound, read-only with all mounts below it, when the kernel refuses a sysfs (EPERM)",
  },
  mountBind: {
    code: 41,
    by: 'init',
    fields: {
      target: 'str',
      source: 'str',
      slot: 'int',
      recursive: 'int',
      setAttrs: 'int',
      clearAttrs: 'int',
      setAttrsRec: 'int',
      clearAttrsRec: 'int',
      propagation: 'list',
      sourceNofollow: 'int',
      targetNofollow: 'int',
      copySymlink: 'int',
    },
    doc: 'bind source (or the tree in slot when ≥ 0) on target, made as directory or file like the source, which is the root from then on when it was the root; attributes for the mount, and for all mounts below (…Rec); sourceNofollow, targetNofollow 1: a symlink there is not followed but mounted, or mounted on; copySymlink 1: a source that is a symlink is made anew at target, and nothing mounted',
  },
  reconfigure: {
    code: 112,
    by: 'init',
    fields: { target: 'str', options: 'list' },
    doc: 'fspick(2) and fsconfig(2): change options of the file system that is mounted at target (a mount with the option remount)',
  },
  labelMount: {
    code: 114,
    by: 'init',
    fields: { target: 'str', label: 'str' },
    doc: 'set the extended attribute security.selinux of the directory at target (mqueue takes no context=)',
  },
  propagate: {
    code: 113,
    by: 'init',
    fields: { target: 'str', propagation: 'list' },
    doc: 'set the propagation of the mount that is at target: decimal MS_* flags in order',
  },
  symlink: {
    code: 43,
    by: 'init',
    fields: { content: 'str', path: 'str', required: 'int' },
    doc: 'make a symlink at path (its parent resolved in the root); EEXIST is accepted, unless required and its content differs',
  },
  device: {
    code: 44,
    by: 'init',
    fields: { path: 'str', type: 'str', major: 'int', minor: 'int', mode: 'int', uid: 'int', gid: 'int', bind: 'int' },
    doc: 'mknod (type c, b or p), or bind of the host node when bind is 1 or mknod is not permitted',
  },
  mask: {
    code: 45,
    by: 'init',
    fields: { path: 'str', label: 'str' },
    doc: 'hide path: a verified /dev/null over a file, an empty read-only tmpfs over a directory, whose SELinux label is label unless that is empty; missing is fine',
  },
  readonlyPath: {
    code: 46,
    by: 'init',
    fields: { path: 'str' },
    doc: 'bind path on itself, read-only, keeping its other flags; missing is fine',
  },
  detachedRoot: {
    code: 150,
    by: 'init',
    fields: { path: 'str' },
    doc: 'without a mount namespace: clone the rootfs into a tree that is attached nowhere, and take it as the root that paths are resolved in (mounting in it: Linux 6.15)',
  },
  changeRoot: {
    code: 151,
    by: 'init',
    fields: { slot: 'int' },
    doc: 'chroot(2) into the root, or into the directory at slot when ≥ 0 (exec)',
  },
  leaveChroot: {
    code: 155,
    by: 'init',
    fields: {},
    doc: 'look whether runt is in a chroot, and leave it; pivotRoot and moveRoot find that out too, but pivotRoot only when mounts are not locked',
  },
  pivotRoot: {
    code: 47,
    by: 'init',
    fields: {},
    doc: 'pivot_root(2) into the root and detach the old one; in a chroot of runt from the root of the mount namespace; on a ramdisk the root covers it instead, and all else that is mounted there is detached',
  },
  moveRoot: {
    code: 48,
    by: 'init',
    fields: {},
    doc: 'MS_MOVE the root over / and chroot(2) (--no-pivot), other mounts detached or covered first; in a chroot of runt as pivotRoot',
  },
  rootPropagation: {
    code: 49,
    by: 'init',
    fields: { flags: 'int' },
    doc: 'set the propagation of the new / (rootfsPropagation)',
  },
  readonlyRoot: { code: 50, by: 'init', fields: {}, doc: 'make the root mount read-only' },
  sysctl: {
    code: 51,
    by: 'init',
    fields: { key: 'str', value: 'str' },
    doc: 'write a file below /proc/sys through the private procfs; key with slashes',
  },
  hostname: { code: 52, by: 'init', fields: { name: 'str' }, doc: 'sethostname(2)' },
  domainname: { code: 53, by: 'init', fields: { name: 'str' }, doc: 'setdomainname(2)' },
  noNewPrivileges: { code: 56, by: 'init', fields: {}, doc: 'prctl(PR_SET_NO_NEW_PRIVS)' },
  bounding: {
    code: 57,
    by: 'init',
    fields: { mask: 'int' },
    doc: 'drop every capability that is not in mask from the bounding set',
  },
  stdioOwner: {
    code: 200,
    by: 'init',
    fields: { uid: 'int', pipes: 'int' },
    doc: 'fchown(2): what is at 0, 1 and 2 and can be opened again (pipes, unless pipes is 1 also files open for writing and terminals) is given to uid, by the runtime where a user namespace does not map its owner; what may not be given away stays',
  },
  user: {
    code: 58,
    by: 'init',
    fields: { uid: 'int', gid: 'int', groups: 'list', setGroups: 'int', umask: 'int' },
    doc: 'setgroups (when setGroups is 1; 2: may be denied when there are no groups), setresgid, setresuid keeping capabilities, umask when ≥ 0',
  },
  capabilities: {
    code: 59,
    by: 'init',
    fields: { effective: 'int', permitted: 'int', inheritable: 'int', ambient: 'int' },
    doc: 'capset(2) and the ambient set',
  },
  seccomp: {
    code: 71,
    by: 'init',
    fields: {
      slot: 'int',
      flags: 'int',
      late: 'int',
      agent: 'str',
      metadata: 'str',
      summary: 'str',
    },
    doc: 'load the BPF program at slot with the flags of seccomp(2), at once or (late 1) right before the execve; with an agent (path of its socket) the runtime gets the listener and hands it over before it goes on; summary is for explain',
  },
  cwd: {
    code: 60,
    by: 'init',
    fields: { path: 'str', optional: 'int' },
    doc: 'chdir(2), then verify that the directory is inside the root; optional 1: EACCES and EPERM pass (it is tried again as the user); nothing where it is entered already',
  },
  findExecutable: {
    code: 61,
    by: 'init',
    fields: { name: 'str', path: 'str' },
    doc: 'look name up in the PATH of the container, as execvp does; kept for exec',
  },
  wait: {
    code: 62,
    by: 'init',
    fields: {},
    doc: 'report "created"; await the runtime\'s word, and with a start socket then a connection to it',
  },
  exec: {
    code: 63,
    by: 'init',
    fields: { args: 'list', env: 'list', homeOf: 'int' },
    doc: 'close what the process must not have, then execve(2) of what findExecutable found; homeOf ≥ 0: HOME= of that uid is added from /etc/passwd of the container, / when it has none; -2: of the uid that namedUser found',
  },
  cgroupEnter: {
    code: 67,
    by: 'init',
    fields: { path: 'str', slot: 'int' },
    doc: 'move this process, which has one thread, into the cgroup whose file tasks (v1) or cgroup.procs (v2) is at slot',
  },
  undumpable: {
    code: 68,
    by: 'init',
    fields: {},
    doc: 'prctl(PR_SET_DUMPABLE, 0): no process of the container may trace this one or open its files in /proc',
  },
  showRoot: {
    code: 75,
    by: 'init',
    fields: { path: 'str' },
    doc: "move the root's mount from over / to its path in the host's tree, where hooks look for it; where init may not go it stays",
  },
  awaitHooks: {
    code: 76,
    by: 'init',
    fields: {},
    doc: 'report "hooks"; await the word, with the pid that the runtime sees, once its prestart and createRuntime hooks have run',
  },
  hook: {
    code: 77,
    by: 'init',
    fields: {
      name: 'str',
      path: 'str',
      args: 'list',
      env: 'list',
      homeOf: 'int',
      timeout: 'int',
      state: 'list',
      inside: 'int',
    },
    doc: 'run a hook to its end, for timeout seconds at most (0: no limit); name as in hooks, "startContainer/0"; state is what comes before and after the pid; homeOf as for exec; inside 0: before the switch of root, in the directory of the root with umask 022',
  },
  rlimit: {
    code: 55,
    by: 'init',
    fields: { resource: 'int', soft: 'int', hard: 'int' },
    doc: 'setrlimit(2), while there are capabilities to raise with; 2^64-1 is infinity',
  },
  session: {
    code: 69,
    by: 'init',
    fields: {},
    doc: 'setsid(2): the process leads a session of its own, out of reach of the terminal of the caller',
  },
  terminal: {
    code: 82,
    by: 'init',
    fields: { slot: 'int', uid: 'int', width: 'int', height: 'int', console: 'int' },
    doc: "make a terminal in the devpts on the container's /dev/pts for uid, of that size (0: none), bind it on /dev/console when console is 1, make it the controlling terminal and stdio, and send its master over the socket at slot",
  },
  mountAttrs: {
    code: 64,
    by: 'init',
    fields: { target: 'str', setAttrs: 'int', clearAttrs: 'int', recursive: 'int' },
    doc: 'mount_setattr(2) on the mount at target (its top mount), for all mounts below it too when recursive; used for read-only after what had to be made inside',
  },
  verifyMounts: {
    code: 210,
    by: 'init',
    fields: { last: 'int' },
    doc: 'look whether each mount of the plan is still on its path; last 0: after hooks, and what one has mounted on a mount is in its place from then on; last 1: after the last mount, and the descriptors of the mounts are closed',
  },
  setns: {
    code: 101,
    by: 'init',
    fields: { path: 'str', flag: 'int', slot: 'int', optional: 'int' },
    doc: 'setns(2) into the namespace at slot, unless it is joined already; optional 1: EPERM leaves it for a second try, in the user namespace that is joined in between. Being in a user namespace already passes',
  },
  timeOpen: {
    code: 103,
    by: 'init',
    fields: {},
    doc: 'open timens_offsets of this process, while it may',
  },
  timeEnter: {
    code: 104,
    by: 'init',
    fields: { offsets: 'list' },
    doc: 'write the offsets ("clock seconds nanoseconds") of the time namespace that was unshared, then enter it',
  },
  await: {
    code: 102,
    by: 'init',
    fields: { what: 'str' },
    doc: 'report "await"; await the word that the operations of the runtime before this one in the plan are done',
  },
  cgroupFork: {
    code: 88,
    by: 'init',
    fields: { path: 'str', slot: 'int' },
    doc: 'clone into the v2 cgroup whose directory is at slot (with cgroup.procs where that is refused), as a child of the runtime; report its pid and end',
  },
  join: {
    code: 85,
    by: 'init',
    fields: { flags: 'int', slot: 'int' },
    doc: 'exec: setns(2) into these namespaces (CLONE_NEW* flags) of the process whose pidfd is at slot, all at once',
  },
  fork: {
    code: 86,
    by: 'init',
    fields: {},
    doc: 'clone into the pid namespace that was joined or unshared, as a child of the runtime; report its pid and end',
  },
  namedUser: {
    code: 87,
    by: 'init',
    fields: { user: 'str', group: 'str', gid: 'int', groups: 'list', setGroups: 'int', umask: 'int', pipes: 'int' },
    doc: 'exec: as user, by names from /etc/passwd and /etc/group of the container; digits are a number; gid where neither names one. A user by name without a group gets the groups that list it; stdio is given as by stdioOwner',
  },
  loopback: { code: 65, by: 'init', fields: {}, doc: 'bring lo up in the new network namespace (SIOCSIFFLAGS)' },
  mkdir: {
    code: 66,
    by: 'init',
    fields: { path: 'str', mode: 'int' },
    doc: 'make a directory and its missing parents in the root, by the resolver; there already is fine',
  },
});

export type OpName = keyof typeof ops;
type FieldValue<T extends FieldType> = T extends 'str' ? string : T extends 'int' ? number | bigint : readonly string[];
export type OpFields<N extends OpName> = {
  [F in keyof (typeof ops)[N]['fields']]: (typeof ops)[N]['fields'][F] extends FieldType
    ? FieldValue<(typeof ops)[N]['fields'][F]>
    : never;
};

/** One operation of a plan: its fields, and the JSON pointer of the config value it came from ('' for the runtime's own). */
export type Op = { [N in OpName]: { readonly op: N; readonly at: string } & OpFields<N> }[OpName];

/** The ordered list of all that will be done for one container. */
export interface Plan {
  readonly version: 1;
  readonly ops: readonly Op[];
  /** For whoever reads the plan; absent when there are none. */
  readonly unsafeAnnotations?: readonly { readonly at: string; readonly effect: string }[];
}
