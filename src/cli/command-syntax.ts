/** The table of all commands with their arguments and flags, for the parser and `--help`. */
import type { Placeholder } from './help/placeholders.js';
import type { rareFlags } from './rare-flags.js';

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
  init: 'bool',
  'no-pivot': 'bool',
  'no-new-keyring': 'bool',
  'preserve-fds': 'int',
  supervise: 'bool',
  trace: 'str',
} as const;

/** Of `run` and `exec`. */
const jobFlags = {
  'die-with-parent': 'bool',
  stdin: 'str',
  stdout: 'str',
  stderr: 'str',
  timeout: 'str',
  'stop-timeout': 'str',
  'error-status': 'int',
} as const;
const help = { 'help|h': 'bool' } as const;
/** The flags are in rare-flags.ts. */
export const rare = {};

type Argument =
  | Extract<Placeholder, 'ID' | 'IMAGE' | 'DIR' | 'SIGNAL' | 'NETWORK' | 'COMMAND' | 'PS-OPTION'>
  | 'DIR|FILE'
  | 'bash|zsh|fish'
  | 'add|del';
type FormPart = Argument | `[${Argument}]` | `[${Argument}…]`;

/**
 * `X` is a required argument, `[X]` an optional one; `[X…]` is everything after the first argument, flags too.
 *
 * This table is in every command's bytecode: those that engines seldom run have their flags elsewhere.
 */
export const commands = {
  create: { args: 'ID', flags: { ...createFlags, ...help } },
  start: { args: 'ID', flags: { trace: 'str', ...help } },
  run: {
    args: 'ID',
    flags: {
      ...createFlags,
      'detach|d': 'bool',
      keep: 'bool',
      'no-subreaper': 'bool',
      summary: 'opt',
      ...jobFlags,
      ...help,
    },
  },
  state: { args: 'ID', flags: help },
  wait: { args: 'ID', flags: { pid: 'int', timeout: 'str', 'format|f': 'text|json', ...help } },
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
      ...jobFlags,
      ...help,
    },
  },
  ps: { args: 'ID [PS-OPTION…]', flags: { 'format|f': 'table|json', ...help } },
  checkpoint: { args: 'ID', flags: rare },
  restore: { args: 'ID', flags: rare },
  pause: { args: 'ID', flags: help },
  resume: { args: 'ID', flags: help },
  update: { args: 'ID', flags: rare },
  events: { args: 'ID', flags: { interval: 'str', stats: 'bool', ...help } },
  kill: {
    args: 'ID [SIGNAL]',
    flags: { 'all|a': 'bool', 'regex|r': 'bool', 'signal|s': 'str', wait: 'bool', ...help },
  },
  stop: { args: 'ID', flags: rare },
  delete: { args: 'ID', flags: { 'force|f': 'bool', 'regex|r': 'bool', wait: 'bool', ...help } },
  list: { args: '', flags: { 'format|f': 'table|json', 'quiet|q': 'bool', ...help } },
  spec: { args: '[COMMAND…]', flags: rare },
  bundle: { args: 'IMAGE DIR [COMMAND…]', flags: rare },
  version: { args: '', flags: { 'format|f': 'text|json', ...help } },
  validate: { args: '[DIR|FILE]', flags: { strict: 'bool', format: 'text|json', ...help } },
  explain: { args: '[DIR] [DIR]', flags: rare },
  features: { args: '', flags: help },
  serve: { args: '', flags: rare },
  debug: { args: 'ID', flags: { 'format|f': 'text|json', ...help } },
  doctor: { args: '', flags: rare },
  install: { args: '', flags: rare },
  network: { args: 'add|del [NETWORK]', flags: help },
  completion: { args: 'bash|zsh|fish', flags: help },
  help: { args: '[COMMAND]', flags: help },
} as const satisfies Record<
  string,
  { args: '' | FormPart | `${FormPart} ${FormPart}` | `${FormPart} ${FormPart} ${FormPart}`; flags: Flags }
>;

export type CommandName = keyof typeof commands;

/** The table of a command's flags. */
export type FlagsOf<N extends CommandName> = N extends keyof typeof rareFlags
  ? (typeof rareFlags)[N]
  : (typeof commands)[N]['flags'];

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
