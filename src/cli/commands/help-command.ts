/** `runt help` and `--help`: descriptions of all commands and flags in `cli/command-syntax.ts`. Loaded on demand. */
import { usageError } from '../arguments.js';
import { colour } from '../colour.js';
import { print } from '../command-output.js';
import { type Call, type CommandName, commands, type FlagName, type Flags, globals } from '../command-syntax.js';
import { placeholderOf } from '../placeholders.js';
import { versionText } from './version-command.js';

interface Words<F> {
  readonly summary: string;
  readonly text?: string;
  readonly flags: { readonly [N in Exclude<FlagName<F>, 'help'>]: string };
}

const globalWords: Words<typeof globals>['flags'] = {
  root: 'directory for the state of containers (default: /run/runt, or $XDG_RUNTIME_DIR/runt when not root)',
  log: 'append log lines to this file, or to journald:NAME or syslog:NAME; errors are on standard error too',
  'log-format': 'format of log lines (default: text)',
  'log-level': 'the least that is logged: error, warning or debug (default: error)',
  debug: 'log what is asked, and where an error came from',
  rootless: 'true, false or auto: whether limits of an ordinary user are expected (default: auto)',
  'systemd-cgroup':
    'let systemd manage the cgroup: a scope, named by linux.cgroupsPath as slice:prefix:name (cgroup v2; without root by the session of the user)',
  'unsafe-annotations': 'what to do about annotations that weaken a container (default: warn)',
  'hook-timeout': 'time after which a hook without a timeout of its own is killed, 0 for never (default: 10m)',
  'cgroup-manager': 'who manages cgroups; systemd: as --systemd-cgroup; disabled: the container gets none',
  criu: 'path of criu, for checkpoint and restore (default: the first in PATH)',
  version: 'print the version',
  format: 'with --version: output format; json has more (default: text)',
};

const createWords: Words<(typeof commands)['create']['flags']>['flags'] = {
  bundle: 'the bundle: directory with config.json (default: the current directory)',
  config: 'the config, below the bundle or an absolute path (default: config.json)',
  'console-socket': 'socket that receives the master of the pseudoterminal',
  'pidfd-socket': 'socket that receives a pidfd of the container',
  'pid-file': 'write the process id to this file',
  'no-pivot': 'move the root with MS_MOVE and chroot instead of pivot_root',
  'no-new-keyring': "keep the caller's session keyring",
  'preserve-fds': 'keep this many descriptors open from 3 on, besides those of LISTEN_FDS (default: 0)',
  supervise: 'run it under a supervisor, which records how it ends, for "runt wait"',
  trace: 'write the time that each operation took to this file, in Chrome trace format',
};

const criuWords = {
  'image-path': 'directory of the images (default: checkpoint)',
  'work-path': "directory of criu's log (default: that of the images)",
  'tcp-established': 'with established TCP connections',
  'ext-unix-sk': 'with unix sockets whose other end is outside of the container',
  'shell-job': "with a terminal that is not the container's own",
  'file-locks': 'with locks of files',
  'auto-dedup': 'keep each page of memory once in the images of several dumps',
  'lazy-pages': 'memory comes later, by userfaultfd, from "criu lazy-pages"',
  'manage-cgroups-mode': 'what criu does with cgroups (default: soft)',
  'empty-ns': 'network: it is left empty, as always; no other namespace can be',
} as const;

const words: { [N in CommandName]: Words<(typeof commands)[N]['flags']> } = {
  create: {
    summary: 'create a container',
    text: 'All of the container is made, down to its process, which waits for "runt start".',
    flags: createWords,
  },
  start: {
    summary: 'start the process of a created container',
    flags: { trace: createWords.trace },
  },
  run: {
    summary: 'create and start a container',
    text: 'In the foreground it waits, deletes the container and exits with its status (128+n for signal n).',
    flags: {
      ...createWords,
      detach: 'do not wait for the process',
      keep: 'do not delete the container when its process has ended',
      'no-subreaper': "do not adopt the container's orphaned processes while waiting",
    },
  },
  wait: {
    summary: 'print how a supervised container has ended',
    text: 'Waits until it has ended. The status is the one that its parent saw; 128+n for signal n.',
    flags: {
      pid: 'an exec in the container, by its process id',
      format: 'text: the status; json: pid, status, signal, exitedAt, oom (default: text)',
    },
  },
  state: { summary: 'print the state of a container as JSON', flags: {} },
  exec: {
    summary: 'execute another process in a container',
    text: 'Flags come before the id: what follows it is the command. It exits with the status of the process (128+n for\nsignal n), and with 255 when the process could not be started.',
    flags: {
      process: 'file with the whole process as JSON, as in config.json; then there is no command',
      cwd: "working directory (default: that of the container's process)",
      env: 'NAME=VALUE; may be given many times',
      tty: 'give it a terminal',
      interactive: 'let it read standard input, as it always may',
      user: "UID[:GID], or names from the container's own /etc/passwd and /etc/group",
      'additional-gids': 'a further group, a number; may be given many times',
      cap: 'a further capability; may be given many times',
      'no-new-privs': 'set no_new_privs',
      detach: 'do not wait for the process',
      'pid-file': createWords['pid-file'],
      'console-socket': createWords['console-socket'],
      'preserve-fds': createWords['preserve-fds'],
      cgroup: "[CONTROLLER[,CONTROLLER…]:]PATH: a cgroup that exists below the container's; may be given many times",
      'ignore-paused': 'in a paused container too: the process waits until it is resumed',
      'process-label': 'SELinux label of the process',
      apparmor: 'AppArmor profile of the process',
      'pidfd-socket': 'socket that receives a pidfd of the process',
      trace: createWords.trace,
    },
  },
  ps: {
    summary: 'list the processes of a container',
    text: 'What follows the id are options of ps(1) (default: -ef).',
    flags: { format: 'output format (default: table); json is the list of process ids' },
  },
  checkpoint: {
    summary: 'write the processes of a running container to image files',
    text: 'With criu, as root. Unless it is left running, the container is deleted then.',
    flags: {
      ...criuWords,
      'parent-path': 'images of an earlier pre-dump, relative to --image-path',
      'leave-running': 'let the container run on',
      'pre-dump': 'write the memory alone, and let the container run on',
      'link-remap': 'with files that have no name any more: give them one',
      'tcp-skip-in-flight': 'leave out connections that are not yet accepted',
      'page-server': 'ADDRESS:PORT of a "criu page-server" that takes the memory',
      'status-fd': 'descriptor that gets a NUL byte when lazy pages can be asked for',
    },
  },
  restore: {
    summary: 'make a container of image files',
    text: 'With criu, as root, and with a bundle like that of the container that was written.',
    flags: {
      bundle: createWords.bundle,
      config: createWords.config,
      ...criuWords,
      'tcp-close': 'close the TCP connections that the images hold',
      'lsm-profile': 'TYPE:NAME, apparmor or selinux: another profile or label for the processes',
      'lsm-mount-context': 'another SELinux context for the mounts',
      detach: 'do not wait for the process',
      'pid-file': createWords['pid-file'],
      'console-socket': createWords['console-socket'],
      'no-pivot': 'taken, as engines pass it; criu makes the root',
      'no-new-keyring': 'taken, as engines pass it; criu makes no keyring',
      'no-subreaper': "do not adopt the container's orphaned processes while waiting",
    },
  },
  pause: { summary: 'stop all processes of a container', flags: {} },
  resume: { summary: 'let a paused container go on', flags: {} },
  update: {
    summary: 'change the limits of a container',
    text: 'What is not given stays. When a limit is refused, none is changed. Sizes are bytes, or numbers with k, m, g, t or p.',
    flags: {
      resources:
        'file with the limits as JSON, as linux.resources in config.json; - is standard input; other flags are ignored',
      'blkio-weight': 'share of block I/O, 10 to 1000',
      'cpu-period': 'period of the CPU quota in µs',
      'cpu-quota': 'CPU time in each period in µs; -1 is no limit',
      'cpu-burst': 'CPU time in µs that may be saved up from earlier periods',
      'cpu-share': 'share of CPU time, 2 to 262144',
      'cpu-rt-period': 'period of real-time scheduling in µs (cgroup v1)',
      'cpu-rt-runtime': 'real-time in each of its periods in µs (cgroup v1)',
      'cpu-idle': '1: only what CPU time is left (SCHED_IDLE); 0: not so',
      'cpuset-cpus': 'CPUs to use, such as 0-3,7',
      'cpuset-mems': 'memory nodes to use',
      'kernel-memory': 'limit of kernel memory (cgroup v1 before Linux 5.16)',
      'kernel-memory-tcp': 'limit of the buffers of TCP (cgroup v1)',
      memory: 'limit of memory; -1 is no limit',
      'memory-reservation': 'memory that is kept for it when the host has little (v1: what it is pushed back to)',
      'memory-swap': 'limit of memory and swap together; -1 is no limit',
      'pids-limit': 'most processes; -1 is no limit',
      'l3-cache-schema': 'schema for the L3 cache (Intel RDT)',
      'mem-bw-schema': 'schema for memory bandwidth (Intel RDT)',
    },
  },
  events: {
    summary: 'print statistics and out-of-memory events of a container',
    text: 'One JSON object a line, until the container has stopped.',
    flags: {
      interval: 'time between statistics, such as 5s or 100ms (default: 5s)',
      stats: 'print the statistics once',
    },
  },
  kill: {
    summary: 'send a signal to a container',
    text: 'The signal is a number or a name, with or without SIG (default: TERM); -9 and -KILL are signals too.',
    flags: {
      all: 'send it to every process of the container',
      regex: 'the id is an extended regular expression: all containers that it matches',
      signal: 'the signal, as kill(1) takes it',
    },
  },
  delete: {
    summary: 'delete a container and what it holds',
    flags: {
      force: 'kill the container first when it runs; an unknown container is no error',
      regex: 'the id is an extended regular expression: all containers that it matches',
    },
  },
  list: {
    summary: 'list containers',
    flags: { format: 'output format (default: table)', quiet: 'print ids only' },
  },
  spec: {
    summary: 'write a config.json',
    text: 'Without options it is a starter to edit: a shell on a terminal in a read-only root. Flags come before the command.',
    flags: {
      bundle: 'directory to write it to (default: the current directory)',
      file: 'another name: below the bundle, or an absolute path (default: config.json)',
      rootless: 'make one that an ordinary user can run',
      schema: 'URL of a JSON schema, for editors: the $schema of the file (default: none)',
      rootfs: 'directory with the root file system (default: rootfs in the bundle)',
      overlay: 'leave the root file system as it is, and keep what is written in this directory (overlayfs)',
      volume: 'SRC:DST[:OPTIONS]: show SRC of the host at DST, with ro, rshared, idmap …; may be given many times',
      env: 'NAME=VALUE; may be given many times',
      cwd: 'working directory (default: /)',
      user: 'UID[:GID] (default: 0:0)',
      hostname: 'host name (default: runt)',
      tty: 'give it a terminal (default: not when a command is given)',
      'read-only': 'make the root read-only (default: unless there is an overlay)',
      'host-network': "use the host's network",
      memory: 'limit of memory, such as 64m',
      cpus: 'most CPUs in use on average, such as 1.5',
      pids: 'most processes',
      'uid-map': 'CONTAINER:HOST:SIZE: a user namespace with these user ids; may be given many times',
      'gid-map': 'the same for groups (default: as --uid-map)',
    },
  },
  version: {
    summary: 'print the version, the commit and the runtime-spec that is followed, as --version',
    flags: {
      format: 'output format; json has the date of the sources and the version of libseccomp too (default: text)',
    },
  },
  validate: {
    summary: 'check a config.json and print every violation',
    flags: {
      strict: 'properties that the runtime-spec does not know are violations too',
      format: 'output format (default: text)',
    },
  },
  explain: {
    summary: 'print what create would do for a bundle',
    text: 'It needs no root and touches nothing.',
    flags: {
      config: 'as for create',
      diff: 'print what differs between the plans of two bundles',
      format: 'output format (default: text)',
      id: "id of the container (default: the bundle's name)",
      'no-pivot': 'as for create',
      'no-new-keyring': 'as for create',
      'preserve-fds': 'as for create',
    },
  },
  features: { summary: 'print what this runtime supports as JSON', flags: {} },
  serve: {
    summary: 'serve the task service over gRPC on a unix socket, for scripts',
    text: 'It needs Node.js and the npm package. It ends with SIGTERM; containers go on. docs/grpc.md has examples.',
    flags: { listen: 'the socket: unix:///path, mode 0600; root and its own user may use it' },
  },
  debug: {
    summary: 'print all that is known of a container in one report',
    text: 'Its state, processes, namespaces, cgroups with their limits, mounts, descriptors, and what went wrong last.',
    flags: { format: 'output format (default: text)' },
  },
  completion: {
    summary: 'print the completion script for bash, zsh or fish',
    text: 'For bash: source <(runt completion bash). "make install" puts the scripts where the shells look for them.',
    flags: {},
  },
  help: { summary: 'print this help or that of a command', flags: {} },
};

export function command({ args }: Call<'help'>): number {
  const name = args[0];
  if (name !== undefined && !Object.hasOwn(commands, name)) {
    throw usageError('help', `unknown command ${name}`, name, Object.keys(commands));
  }
  print(name === undefined ? overview() : commandHelp(name as CommandName));
  return 0;
}

function overview(): string {
  const names = Object.keys(commands) as CommandName[];
  return [
    `${versionText().split('\n')[0]}: OCI container runtime`,
    '',
    heading('Usage'),
    '  runt [global flags] command [flags] [arguments]',
    '',
    heading('Commands'),
    ...columns(names.map((n) => [n, words[n].summary])),
    '',
    heading('Global flags'),
    ...columns(flagRows('')),
    '',
    '"runt help COMMAND" tells more of each.',
    '',
  ].join('\n');
}

/** The help of one command. */
function commandHelp(name: CommandName): string {
  const { args } = commands[name];
  const { summary, text } = words[name];
  return [
    `runt ${name}: ${summary}`,
    ...(text === undefined ? [] : ['', text]),
    '',
    heading('Usage'),
    `  runt ${name} [flags]${args && ` ${args}`}`,
    '',
    heading('Flags'),
    ...columns(flagRows(name)),
    '',
  ].join('\n');
}

/** One flag as help, manual and completion show it. */
export interface FlagLine {
  readonly name: string;
  readonly short?: string;
  /** A placeholder such as `DIR`, the allowed words (`text|json`), or '' for a boolean. */
  readonly value: string;
  readonly text: string;
}

/** The flags of a command, '' for the global ones, in the order of the table. */
export function flagLines(command: CommandName | ''): FlagLine[] {
  const flags: Flags = command === '' ? globals : commands[command].flags;
  const texts: Readonly<Record<string, string>> = command === '' ? globalWords : words[command].flags;
  return Object.entries(flags).map(([key, kind]) => {
    const [name = '', short] = key.split('|');
    const plain = kind === 'str' || kind === 'list';
    const value = kind === 'bool' ? '' : plain ? placeholderOf(name) : kind === 'int' ? 'N' : kind;
    const text = name === 'help' ? 'print this help' : texts[name]!;
    return { name, ...(short !== undefined && { short }), value, text };
  });
}

/** The summary of a command, and its longer description if it has one. */
export function wordsOf(command: CommandName): { readonly summary: string; readonly text?: string } {
  return words[command];
}

function flagRows(command: CommandName | ''): string[][] {
  return flagLines(command).map(({ name, short, value, text }) => [
    `${short === undefined ? '    ' : `-${short}, `}--${name}${value && ` ${value}`}`,
    text,
  ]);
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const width = rows.reduce((most, [first = '']) => Math.max(most, first.length), 0) + 2;
  return rows.map((r) => `  ${r[0]!.padEnd(width)}${r[1]}`);
}

function heading(text: string): string {
  return colour() ? `\x1b[1m${text}:\x1b[0m` : `${text}:`;
}
