/** The table of all commands with their arguments and flags, for the parser and `--help`. */
import type { Placeholder } from './help/placeholders.js';
import type { specFlags } from './spec-flags.js';

/**
 * Flags. Their descriptions are in `cli/help/command-descriptions.ts`, their placeholders in `cli/help/flag-values.ts`;
 * the compiler keeps both complete.
 *
 * A flag's key is its name and its short name (`bundle|b`). Its kind is
 *   bool   `--f`, `--f=true`, `--f=false`       str    a string
 *   int    a decimal integer ≥ 0                a|b|c  one of these words
 *   list   a string; the flag may be repeated
 *   opt    `--f`, or `--f=STRING`
 */
export type Flags = Readonly<Record<string, string>>;

/** Global flags, which precede the command. */
export const globals = {
  root: 'str',
  log: 'str',
  'log-format': 'text|json',
  'log-level': 'error|warning|debug',
  debug: 'bool',
  rootless: 'str',
  'systemd-cgroup': 'bool',
  'cgroup-manager': 'cgroupfs|systemd|disabled',
  'unsafe-annotations': 'allow|warn|deny',
  'hook-timeout': 'str',
  criu: 'str',
  'version|v': 'bool',
  format: 'text|json',
  'help|h': 'bool',
} as const;

const createFlags = {
  'bundle|b': 'str',
  'config|f': 'str',
  'console-socket': 'str',
  'pidfd-socket': 'str',
  'pid-file': 'str',
  'no-pivot': 'bool',
  'no-new-keyring': 'bool',
  'preserve-fds': 'int',
  supervise: 'bool',
  trace: 'str',
} as const;

const help = { 'help|h': 'bool' } as const;

const criuFlags = {
  'image-path': 'str',
  'work-path': 'str',
  'tcp-established': 'bool',
  'ext-unix-sk': 'bool',
  'shell-job': 'bool',
  'file-locks': 'bool',
  'auto-dedup': 'bool',
  'lazy-pages': 'bool',
  'manage-cgroups-mode': 'soft|full|strict|ignore',
  'empty-ns': 'list',
} as const;

type Argument = Extract<Placeholder, 'ID' | 'DIR' | 'SIGNAL' | 'COMMAND' | 'PS-OPTION'> | 'DIR|FILE' | 'bash|zsh|fish';
type FormPart = Argument | `[${Argument}]` | `[${Argument}…]`;

/** `X` is a required argument, `[X]` an optional one; `[X…]` is everything after the first argument, flags too. */
export const commands = {
  create: { args: 'ID', flags: { ...createFlags, ...help } },
  start: { args: 'ID', flags: { trace: 'str', ...help } },
  run: {
    args: 'ID',
    flags: { ...createFlags, 'detach|d': 'bool', keep: 'bool', 'no-subreaper': 'bool', ...help },
  },
  state: { args: 'ID', flags: help },
  wait: { args: 'ID', flags: { pid: 'int', 'format|f': 'text|json', ...help } },
  exec: {
    args: 'ID [COMMAND…]',
    flags: {
      'process|p': 'str',
      cwd: 'str',
      'env|e': 'list',
      'tty|t': 'bool',
      'interactive|i': 'bool',
      'user|u': 'str',
      'additional-gids|g': 'list',
      'cap|c': 'list',
      'no-new-privs': 'bool',
      'detach|d': 'bool',
      'pid-file': 'str',
      'console-socket': 'str',
      'preserve-fds': 'int',
      cgroup: 'list',
      'ignore-paused': 'bool',
      'process-label': 'str',
      apparmor: 'str',
      'pidfd-socket': 'str',
      trace: 'str',
      ...help,
    },
  },
  ps: { args: 'ID [PS-OPTION…]', flags: { 'format|f': 'table|json', ...help } },
  checkpoint: {
    args: 'ID',
    flags: {
      ...criuFlags,
      'parent-path': 'str',
      'leave-running': 'bool',
      'pre-dump': 'bool',
      'link-remap': 'bool',
      'tcp-skip-in-flight': 'bool',
      'page-server': 'str',
      'status-fd': 'int',
      ...help,
    },
  },
  restore: {
    args: 'ID',
    flags: {
      'bundle|b': 'str',
      'config|f': 'str',
      ...criuFlags,
      'tcp-close': 'bool',
      'lsm-profile': 'str',
      'lsm-mount-context': 'str',
      'detach|d': 'bool',
      'pid-file': 'str',
      'console-socket': 'str',
      'no-pivot': 'bool',
      'no-new-keyring': 'bool',
      'no-subreaper': 'bool',
      ...help,
    },
  },
  pause: { args: 'ID', flags: help },
  resume: { args: 'ID', flags: help },
  update: {
    args: 'ID',
    flags: {
      'resources|r': 'str',
      'blkio-weight': 'str',
      'cpu-period': 'str',
      'cpu-quota': 'str',
      'cpu-burst': 'str',
      'cpu-share': 'str',
      'cpu-rt-period': 'str',
      'cpu-rt-runtime': 'str',
      'cpu-idle': 'str',
      'cpuset-cpus': 'str',
      'cpuset-mems': 'str',
      'kernel-memory': 'str',
      'kernel-memory-tcp': 'str',
      memory: 'str',
      'memory-reservation': 'str',
      'memory-swap': 'str',
      'pids-limit': 'str',
      'l3-cache-schema': 'str',
      'mem-bw-schema': 'str',
      ...help,
    },
  },
  events: { args: 'ID', flags: { interval: 'str', stats: 'bool', ...help } },
  kill: { args: 'ID [SIGNAL]', flags: { 'all|a': 'bool', 'regex|r': 'bool', 'signal|s': 'str', ...help } },
  delete: { args: 'ID', flags: { 'force|f': 'bool', 'regex|r': 'bool', ...help } },
  list: { args: '', flags: { 'format|f': 'table|json', 'quiet|q': 'bool', ...help } },
  // Its other flags are in spec-flags.ts: this table is in every command's bytecode.
  spec: { args: '[COMMAND…]', flags: help },
  version: { args: '', flags: { 'format|f': 'text|json', ...help } },
  validate: { args: '[DIR|FILE]', flags: { strict: 'bool', format: 'text|json', ...help } },
  explain: {
    args: '[DIR] [DIR]',
    flags: {
      'config|f': 'str',
      diff: 'bool',
      format: 'text|json',
      id: 'str',
      'no-pivot': 'bool',
      'no-new-keyring': 'bool',
      'preserve-fds': 'int',
      ...help,
    },
  },
  features: { args: '', flags: help },
  serve: {
    args: '',
    flags: {
      listen: 'str',
      containerd: 'str',
      'containerd-root': 'str',
      'containerd-state': 'str',
      api: 'str',
      streaming: 'bool',
      keeper: 'str',
      ...help,
    },
  },
  debug: { args: 'ID', flags: { 'format|f': 'text|json', ...help } },
  completion: { args: 'bash|zsh|fish', flags: help },
  help: { args: '[COMMAND]', flags: help },
} as const satisfies Record<string, { args: '' | FormPart | `${FormPart} ${FormPart}`; flags: Flags }>;

export type CommandName = keyof typeof commands;

/** The table of a command's flags. */
export type FlagsOf<N extends CommandName> = N extends 'spec' ? typeof specFlags : (typeof commands)[N]['flags'];

type Long<K> = K extends `${infer N}|${string}` ? N : K & string;
type Choice<K> = K extends `${infer A}|${infer B}` ? A | Choice<B> : K;
type ValueOf<K> = K extends 'bool'
  ? boolean
  : K extends 'int'
    ? number
    : K extends 'str'
      ? string
      : K extends 'list'
        ? readonly string[]
        : K extends 'opt'
          ? true | string
          : Choice<K>;

/** The values of a table of flags, by long name; unset flags are absent. */
export type Values<F> = { -readonly [K in keyof F as Long<K>]?: ValueOf<F[K]> };

/** The long names of a table of flags. */
export type FlagName<F> = Long<keyof F>;

/** One parsed command line. */
export interface Call<N extends CommandName> {
  readonly global: Values<typeof globals>;
  readonly flags: Values<FlagsOf<N>>;
  readonly args: readonly string[];
}
