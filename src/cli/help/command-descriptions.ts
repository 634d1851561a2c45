/** Descriptions of all commands and flags in `cli/command-syntax.ts`. */
import type { CommandName, commands, FlagName, FlagsOf, globals } from '../command-syntax.js';

interface Description<F> {
  /** Begins with a verb in the imperative; lower case, without a full stop. */
  readonly summary: string;
  /** Sentences after the summary. */
  readonly text?: string;
  /** Forms of the arguments, where the command's `args` do not tell them apart. */
  readonly usage?: readonly string[];
  readonly flags: { readonly [N in Exclude<FlagName<F>, 'help'>]: string };
}

export const globalFlags: Description<typeof globals>['flags'] = {
  root: 'directory for the state of all containers (default: /run/runt, or $XDG_RUNTIME_DIR/runt for a user other than root)',
  log: 'append log messages to FILE, or send them to journald:NAME or syslog:NAME; errors also go to standard error',
  'log-format': 'format of log messages (default: text)',
  'log-level': 'log messages of this level and above (default: error)',
  debug: 'log messages of all levels: the command line, and the stack of an error',
  rootless: 'whether runt lacks the privileges of root on the host (default: auto, which detects it)',
  'systemd-cgroup': 'the same as --cgroup-manager systemd; linux.cgroupsPath is SLICE:PREFIX:NAME (cgroup v2)',
  'cgroup-manager': 'what creates cgroups: runt, systemd (as scopes) or nothing (default: cgroupfs)',
  'unsafe-annotations':
    'allow, warn about or deny annotations that weaken a container (default: $RUNT_UNSAFE_ANNOTATIONS, else warn)',
  'hook-timeout':
    'kill a hook that has no timeout of its own after this time; 0: never (default: $RUNT_HOOK_TIMEOUT, else 10m)',
  criu: 'path or name of criu, for checkpoint and restore (default: criu in PATH)',
  version: 'print the version',
  format: 'output format of --version (default: text)',
};

const createFlags: Description<(typeof commands)['create']['flags']>['flags'] = {
  bundle: 'directory with config.json (default: the current directory)',
  config: 'config file: an absolute path, or a path below the bundle (default: config.json)',
  'console-socket': "send the master of the container's terminal to this socket",
  'pidfd-socket': 'send a pidfd of the process to this socket',
  'pid-file': 'write the process ID to this file',
  init: 'let the first process reap orphans and forward signals to the program, its child',
  'no-pivot': 'enter the root file system by MS_MOVE and chroot instead of pivot_root',
  'no-new-keyring': "keep the caller's session keyring",
  'preserve-fds': 'pass this many file descriptors from 3 on, after those of LISTEN_FDS (default: 0)',
  supervise: 'run the container under a supervisor, which records its exit status for "runt wait"',
  trace: 'write the duration of each operation to this file, in Chrome trace format',
};

const jobFlags = {
  stdin: 'read standard input from this file; null: /dev/null',
  stdout: "append standard output to this file; null: /dev/null; journal: systemd's journal",
  stderr: "append standard error to this file; null: /dev/null; journal: systemd's journal",
  timeout: 'end the process after this time: TERM, then KILL; the exit status is 124',
  'stop-timeout': 'time between TERM and KILL (default: 10s)',
  'error-status': 'exit status if runt itself fails (default: 1; exec: 255)',
};

const noSubreaper = "do not adopt the container's orphaned processes while waiting";

const criuFlags = {
  'image-path': 'directory of the images (default: checkpoint)',
  'work-path': "directory of criu's log (default: that of the images)",
  'tcp-established': 'allow established TCP connections',
  'ext-unix-sk': 'allow unix sockets that are connected to a process outside the container',
  'shell-job': 'allow a terminal that was opened outside the container',
  'file-locks': 'allow file locks',
  'auto-dedup': "remove memory pages from the parent's images that newer images replace",
  'lazy-pages': 'transfer memory on demand by userfaultfd, through "criu lazy-pages"',
  'manage-cgroups-mode': 'what criu does with cgroups (default: soft)',
  'empty-ns': 'leave this namespace empty; always on',
} as const;

/** Flags of both `spec` and `bundle`. */
const specOptions = {
  rootless: 'write a config for the calling user, who need not be root',
  overlay: 'write changes of the root file system to this directory by overlayfs, for one container at a time',
  ephemeral: 'write changes to a fresh layer, removed with the container; =SIZE: in memory (default: on disk)',
  'layer-dir': 'directory of the layers of --ephemeral on disk (default: /var/lib/runt/layers)',
  volume: 'bind mount SRC at DST, with options such as ro, rshared or idmap',
  env: 'set an environment variable',
  'env-file': 'set the environment variables of a file, one a line',
  cwd: 'working directory (default: /)',
  workdir: 'the same as --cwd',
  user: 'user ID and group ID (default: 0:0)',
  hostname: 'host name (default: runt)',
  tty: 'allocate a terminal (default: only without a command)',
  'read-only': 'make the root file system read-only (default, unless --overlay or --ephemeral is set)',
  'host-network': "use the host's network namespace",
  memory: 'limit of memory; -1: unlimited',
  cpus: 'average number of CPUs that the container may use, such as 1.5',
  pids: 'limit of processes and threads; -1: unlimited',
  'uid-map': 'create a user namespace that maps these user IDs',
  'gid-map': 'map these group IDs (default: as --uid-map)',
  profile: 'capabilities, seccomp profile, limits and masked paths of an engine (default: as runc spec)',
  'cap-add': 'add a capability, or ALL',
  'cap-drop': 'drop a capability, or ALL',
  'no-new-privs': 'ignore setuid bits and file capabilities (default: as the profile; true without one)',
  seccomp: 'filter of system calls (default: default with --profile, else unconfined)',
  ulimit: 'set a resource limit, such as nofile=1024:4096',
  tmpfs: 'mount a tmpfs (default: nosuid,nodev,noexec)',
  'shm-size': 'size of /dev/shm (default: 64m)',
  device: 'add a device of the host, all devices below a directory, or a CDI device such as vendor.com/class=name',
  'cdi-spec-dir': 'directory of CDI spec files (default: /etc/cdi and /var/run/cdi)',
  sysctl: "set a kernel parameter of the container's namespaces",
  annotation: 'add an annotation',
  label: 'add a label, which is stored as an annotation',
  hook: 'call a program at a point of the lifecycle',
  pid: 'PID namespace (default: new)',
  net: 'network namespace, or what connects a new one: bridge, cni:NAME, cni:FILE, pasta or slirp4netns (default: new)',
  ipc: 'IPC namespace (default: new)',
  uts: 'UTS namespace, with the host name (default: new)',
  userns: 'user namespace; new needs --uid-map (default: host)',
  cgroupns: 'cgroup namespace (default: new on cgroup v2 alone, else host)',
};

export const commandDescriptions: { readonly [N in CommandName]: Description<FlagsOf<N>> } = {
  create: {
    summary: 'create a container from a bundle',
    text: 'The container\'s process waits until "runt start" starts the user\'s program. The process has the standard input, output and error of runt. If create fails, nothing remains.',
    flags: createFlags,
  },
  start: {
    summary: "start the user's program in a created container",
    flags: { trace: createFlags.trace },
  },
  run: {
    summary: 'create and start a container',
    text: 'In the foreground, runt waits for the container, deletes it, and exits with its status, or with 128+N if signal N killed it.',
    flags: {
      ...createFlags,
      detach: 'return when the program has started',
      keep: 'keep the stopped container for "runt state" and "runt delete"',
      'no-subreaper': noSubreaper,
      summary: 'report how it ended and what it used; --summary=FILE: as JSON, to this file',
      'die-with-parent': 'kill the container when the process that runs runt has ended',
      ...jobFlags,
    },
  },
  wait: {
    summary: 'wait for a supervised container and print its exit status',
    text: 'The container must have been created with --supervise. The status is 128+N if signal N killed the process.',
    flags: {
      pid: 'wait for this process, which exec --detach started, instead of the container',
      timeout: 'exit with 124 if it has not ended after this time',
      format: 'text: the status; json: the exit record, with reason, times and usage (default: text)',
    },
  },
  state: { summary: 'print the state of a container as JSON', flags: {} },
  exec: {
    summary: 'execute another process in a container',
    text: 'Flags precede the ID: everything after it is the command. runt exits with the status of the process, or with 128+N if signal N killed it. If the process cannot be executed, it exits with 255.',
    usage: ['ID COMMAND…', '--process FILE ID'],
    flags: {
      process: 'JSON file that describes the process, like process in config.json',
      cwd: "working directory (default: that of the container's process)",
      env: 'set an environment variable',
      tty: 'allocate a terminal',
      interactive: 'pass standard input to the process; always on',
      user: "user and group: IDs, or names in the container's /etc/passwd and /etc/group",
      'additional-gids': 'add a supplementary group',
      cap: 'add a capability',
      'no-new-privs': 'set no_new_privs',
      detach: 'return when the process has been executed',
      'pid-file': createFlags['pid-file'],
      'console-socket': "send the master of the process's terminal to this socket",
      'preserve-fds': createFlags['preserve-fds'],
      cgroup: "move the process to this existing cgroup below the container's",
      'ignore-paused': 'allow a paused container; the process waits until the container is resumed',
      'process-label': 'SELinux label of the process',
      apparmor: 'AppArmor profile of the process',
      'pidfd-socket': createFlags['pidfd-socket'],
      'die-with-parent': 'kill the process when the process that runs runt has ended',
      trace: createFlags.trace,
      ...jobFlags,
    },
  },
  ps: {
    summary: 'list the processes of a container',
    text: "runt runs ps(1) with the options after the ID (default: -ef) and prints the container's processes. The output of ps must have a column PID.",
    flags: { format: 'table: output of ps; json: list of process IDs (default: table)' },
  },
  checkpoint: {
    summary: 'write the processes of a running container to image files',
    text: 'It needs criu and root. Without --leave-running or --pre-dump, it stops and deletes the container afterwards.',
    flags: {
      ...criuFlags,
      'parent-path': 'directory of the images of an earlier pre-dump, relative to --image-path',
      'leave-running': 'let the container continue to run',
      'pre-dump': 'write only the memory, and let the container continue to run',
      'link-remap': 'allow open files that were deleted, by linking them temporarily',
      'tcp-skip-in-flight': 'omit TCP connections that are not yet accepted',
      'page-server': 'send the memory to a "criu page-server" at this address',
      'status-fd': 'write a NUL byte to this file descriptor when lazy pages are ready',
    },
  },
  restore: {
    summary: 'restore a container from image files',
    text: 'It needs criu and root, and a bundle like that of the checkpointed container. In the foreground, runt waits for the container, deletes it, and exits with its status, as with "runt run".',
    flags: {
      bundle: createFlags.bundle,
      config: createFlags.config,
      ...criuFlags,
      'tcp-close': 'close the TCP connections of the images',
      'lsm-profile': 'set another AppArmor profile or SELinux label for the processes',
      'lsm-mount-context': 'set another SELinux label for the mounts',
      detach: 'return when the container has been restored',
      'pid-file': createFlags['pid-file'],
      'console-socket': createFlags['console-socket'],
      'no-pivot': 'no effect: criu sets up the root file system',
      'no-new-keyring': 'no effect: criu creates no keyring',
      'no-subreaper': noSubreaper,
    },
  },
  pause: { summary: 'freeze all processes of a container', flags: {} },
  resume: { summary: 'thaw all processes of a paused container', flags: {} },
  update: {
    summary: 'change the resource limits of a container',
    text: 'Only the given limits change. If the kernel refuses one of them, none changes.',
    usage: ['ID', '--resources FILE ID'],
    flags: {
      resources:
        'read the limits as JSON, like linux.resources in config.json; - is standard input; other flags are ignored, except those for RDT',
      'blkio-weight': 'weight of block I/O, 10 to 1000',
      'cpu-period': 'period of the CPU quota',
      'cpu-quota': 'CPU time in each period; -1: unlimited',
      'cpu-burst': 'unused CPU time that later periods may add to their quota',
      'cpu-share': 'weight of CPU time, 2 to 262144',
      'cpu-rt-period': 'period of the real-time quota (cgroup v1)',
      'cpu-rt-runtime': 'real-time CPU time in each period (cgroup v1)',
      'cpu-idle': '1: run only on CPUs that are otherwise idle (SCHED_IDLE); 0: run normally',
      'cpuset-cpus': 'CPUs that the container may use',
      'cpuset-mems': 'memory nodes that the container may use',
      'kernel-memory': 'limit of kernel memory (cgroup v1, before Linux 5.16)',
      'kernel-memory-tcp': 'limit of TCP buffers (cgroup v1)',
      memory: 'limit of memory; -1: unlimited',
      'memory-reservation': 'memory that the kernel protects from reclaim (cgroup v1: soft limit)',
      'memory-swap': 'limit of memory and swap together; -1: unlimited',
      'pids-limit': 'limit of processes and threads; -1: unlimited',
      'l3-cache-schema': 'allocation of the L3 cache (Intel RDT)',
      'mem-bw-schema': 'allocation of memory bandwidth (Intel RDT)',
    },
  },
  events: {
    summary: 'print statistics and out-of-memory events of a container',
    text: 'Each line is a JSON object. runt exits when the container has stopped.',
    usage: ['ID', '--stats ID'],
    flags: {
      interval: 'time between statistics (default: 5s)',
      stats: 'print the statistics once',
    },
  },
  kill: {
    summary: 'send a signal to a container',
    text: 'The default signal is TERM. A signal may also be a flag, as with kill(1): -9 or -KILL.',
    usage: ['ID [SIGNAL]', '-SIGNAL ID'],
    flags: {
      all: 'send the signal to every process of the container',
      regex: 'treat the ID as an extended regular expression, and signal every container that it matches',
      signal: 'signal to send, instead of the argument SIGNAL',
      wait: 'return when the container has ended',
    },
  },
  stop: {
    summary: 'end a container: its stop signal, then KILL',
    text: 'runt returns when the container has ended. The container and its exit status stay until "runt delete".',
    flags: {
      timeout: 'time before KILL (default: 10s)',
      signal: 'first signal (default: annotation org.opencontainers.image.stopSignal, else TERM)',
    },
  },
  delete: {
    summary: 'delete a stopped or created container',
    flags: {
      force: 'kill a running container first; do not fail if the container does not exist',
      regex: 'treat the ID as an extended regular expression, and delete every container that it matches',
      wait: 'wait until a running container has ended',
    },
  },
  list: {
    summary: 'list containers',
    flags: { format: 'output format (default: table)', quiet: 'print only the IDs' },
  },
  spec: {
    summary: 'write a config.json',
    text: 'Without flags and a command, the config runs a shell on a terminal in a read-only root file system. Flags precede the command. Only --force replaces an existing file.',
    usage: ['[COMMAND…]'],
    flags: {
      bundle: 'directory of the new file (default: the current directory)',
      file: 'new file: an absolute path, or a path below the bundle (default: config.json)',
      schema: 'URL of a JSON schema, written as $schema for editors (default: none)',
      rootfs: 'directory with the root file system (default: rootfs in the bundle)',
      ...specOptions,
      force: 'replace an existing file',
    },
  },
  bundle: {
    summary: 'make a bundle of an image on disk',
    text: 'IMAGE is a directory in the OCI layout, an archive of one, or an archive of docker save. DIR must be new or empty; it is whole at the end, or it is not there. COMMAND takes the place of the command of the image, behind its entry point. The other flags are those of spec, and precede IMAGE.',
    usage: ['IMAGE DIR [COMMAND…]'],
    flags: {
      ref: 'name of the image, where there are several',
      platform: 'platform of the image (default: that of this machine)',
      'max-size': 'limit of the unpacked image (default: 64g)',
      entrypoint: "take the place of the entry point and the command of the image; '' for none",
      ...specOptions,
      cwd: "working directory (default: the image's)",
      user: "names or IDs of the user and the group (default: the image's)",
      tty: 'allocate a terminal',
      'read-only': 'make the root file system read-only',
    },
  },
  version: {
    summary: 'print the version, the commit and the runtime-spec version',
    flags: {
      format: 'output format; json also has the date of the sources and the libseccomp version (default: text)',
    },
  },
  validate: {
    summary: 'check a config.json and print every violation',
    text: 'The argument is a bundle or a config file (default: the current directory).',
    flags: {
      strict: 'treat unknown properties and warnings as violations',
      format: 'output format (default: text)',
    },
  },
  explain: {
    summary: 'print the operations of create, without performing them',
    text: 'It needs no root. The argument is a bundle (default: the current directory).',
    usage: ['[DIR]', '--diff DIR DIR'],
    flags: {
      config: createFlags.config,
      diff: 'print the difference between the plans of two bundles',
      format: 'output format (default: text)',
      id: "ID of the container (default: the name of the bundle's directory)",
      init: createFlags.init,
      'no-pivot': createFlags['no-pivot'],
      'no-new-keyring': createFlags['no-new-keyring'],
      'preserve-fds': createFlags['preserve-fds'],
    },
  },
  features: { summary: 'print the features of runt as JSON', flags: {} },
  serve: {
    summary: 'serve containers over gRPC on a unix socket',
    text: 'SIGTERM ends it; the containers continue to run.',
    usage: ['--listen URL [--containerd SOCKET [--api URL]]'],
    flags: {
      listen:
        'unix:///PATH: create this socket with mode 0600, for root and the same user (default: that of LISTEN_FDS)',
      containerd: 'serve the pods and containers of the containerd with this gRPC socket',
      'containerd-root': 'its directory "root" (default: /var/lib/containerd)',
      'containerd-state': 'its directory "state" (default: /run/containerd)',
      streaming: 'with --containerd: drive the containers of pods over ttrpc, as io_type = "streaming" needs',
      api: 'with --containerd: unix:///PATH of a socket for the API for scripts',
      keeper: 'keep the connections to this socket for a server, which starts its keeper itself',
    },
  },
  debug: {
    summary: 'print a report about a container',
    text: 'The report has its state, processes, namespaces, cgroups with their limits, mounts, file descriptors, and its last error.',
    flags: { format: 'output format (default: text)' },
  },
  doctor: {
    summary: 'find what does not work for containers on this machine',
    text: 'It creates containers in a directory of its own, and deletes them. Each problem is printed with its remedy.',
    flags: {
      all: 'also print checks that do not apply to this machine or this user',
      format: 'output format (default: text)',
    },
  },
  install: {
    summary: 'make engines run containers on runt',
    text: 'Without the name of an engine: all that this machine has. The change of each file is recorded, and --undo restores the files byte for byte. A file that somebody changed meanwhile is not overwritten.',
    flags: {
      containerd: "add a handler to containerd's CRI plugin",
      crio: 'add a runtime to CRI-O',
      docker: 'add a runtime to daemon.json',
      podman: 'add a runtime to containers.conf.d; as an ordinary user, to that of the user',
      kubernetes: 'configure the engine of this node: containerd (also of k3s and RKE2) or CRI-O',
      'host-root': 'configure the host whose root directory is mounted there; implies --bin-dir /usr/local/bin',
      'bin-dir': 'copy runt and its shims to this directory of the host first (default: engines run this program)',
      'dry-run': 'print what would be written, and write nothing',
      undo: 'restore all files, or those of the named engines',
      restart: 'restart the engine, or reload it, through systemd',
      'no-verify': 'do not run a container with each engine',
    },
  },
  network: {
    summary: 'connect a container to a network, or disconnect it',
    text: 'The hooks that spec --net writes call it. It reads the state of the container on standard input, as a hook gets it. add calls the CNI plugins, pasta or slirp4netns and returns when the container is connected; del disconnects it.',
    usage: ['add NETWORK', 'del'],
    flags: {},
  },
  completion: {
    summary: 'print the completion script for a shell',
    text: '"make install" and the packages install these scripts where the shells look for them.',
    flags: {},
  },
  help: { summary: 'print help for runt or for a command', flags: {} },
};
