/** The constants that two programs or two languages share; hack/gen.mjs writes build/gen/protocol.h from them. */

/** Single values, with the same names in C. An enumeration, because esbuild inlines its members and drops the rest. */
export enum Protocol {
  // ── runtime → runt-init ──

  /** First field of a plan. */
  PLAN_MAGIC = 'runt-plan-1',
  /** First field of the frame that makes runt-init a supervisor. */
  SUPERVISE_MAGIC = 'runt-supervise-1',
  /** First field of the frame that makes runt-init hold the answer of a shim's `delete`. */
  HOLD_MAGIC = 'runt-hold-1',
  /** First field of the frame that makes runt-init the guard of an exec. */
  GUARD_MAGIC = 'runt-guard-1',
  /** First field of the frame with which a foreground command becomes runt-init until its process ends. */
  WAIT_MAGIC = 'runt-wait-2',
  /** The name of runt when the waiter executes it; after colons: the child's pid and pidfd, and why it is to end. */
  RUN_END_PROGRAM = 'runt-run-end',
  /** Limit of a frame in bytes; no config comes near it. */
  PLAN_MAX = 16 << 20,
  /** Limit of the slots of a plan. */
  SLOTS_MAX = 65536,
  /** Bytes of the digest at the end of a cached seccomp program. */
  DIGEST_SIZE = 32,

  /** The byte that makes a waiting runt-init continue; after `hooks`, 32 bits with its pid follow. */
  GO = 0x67,

  // ── runt-init → runtime ──

  /** Bytes of the shared memory for runt-init's last report. */
  LAST_REPORT_SIZE = 3 * 4096,
  /** Name of the process that waits for start: no program has this name, because it contains a slash. */
  WAITING_NAME = 'runt/init',

  // ── requests to the supervisor ──

  /** Name of its socket in the state directory. */
  SUPERVISOR_SOCKET = 'supervisor.sock',
  SPAWN_REQUEST = 'runt-spawn-1',
  ADOPT_REQUEST = 'runt-adopt-2',
  FORGET_REQUEST = 'runt-forget-1',
  WATCH_REQUEST = 'runt-watch-1',
  UNREAD_REQUEST = 'runt-unread-1',
  LIMIT_REQUEST = 'runt-limit-1',
  FOLLOW_REQUEST = 'runt-follow-2',
  ORPHAN_REQUEST = 'runt-orphan-1',

  // ── records of the supervisor, in the state directory ──

  /** The exit record of the init process. */
  EXIT_RECORD = 'exit.json',
  /** The parts of the name of an exec's record before and after "PID-TIME". */
  EXEC_RECORD = 'exec-',
  EXEC_RECORD_END = '.json',
  /** The third Ctrl-C in this time (ms) kills the process of a foreground command, which writes this. */
  INTERRUPTS_TIME = 2000,
  INTERRUPTED_TEXT = 'runt: the third Ctrl-C within two seconds kills the process\n',
  /** Why the supervisor, or the waiter, ended a process. */
  REASON_TIMEOUT = 'timeout',
  REASON_PARENT = 'parent',
  /** Why the waiter executes runt: it cannot wait; after a colon: the errno. */
  REASON_UNAWAITED = 'unawaited',
  /** Limit of unread records; docs/cli.md has this number. */
  UNREAD_MAX = 1024,

  // ── the shim's server and the holder of an answer ──

  /** First byte of a held answer: a field of four bytes, which the rest of the answer begins with. */
  HOLD_HEAD = 0x7d,
  /** The server's bytes that answer a request: that it has the container, or not. */
  HOLD_YES = 0x79,
  HOLD_NO = 0x6e,
  /** The server's byte that asks whether the answer still has a reader, and the holder's byte that says so. */
  HOLD_ASK = 0x3f,
  HOLD_READ = 0x21,

  // ── native functions ──

  /** Descriptors in one message: the kernel's SCM_MAX_FD is 253. */
  MESSAGE_FDS_MAX = 250,
  /** Nesting depth that the JSON scanner accepts; the runtime-spec has less than ten levels. */
  JSON_DEPTH_MAX = 512,

  // Results of `transfer`, which moves bytes from one descriptor to another.
  /** The first is at end-of-file. */
  TRANSFER_ENDED = 0,
  /** Wait until the first is readable. */
  TRANSFER_READABLE = 1,
  /** Wait until the second is writable. */
  TRANSFER_WRITABLE = 2,
  /** The first is a terminal's master, and no process has the terminal open. */
  TRANSFER_HUNG_UP = 3,
  /** The second has no reader. */
  TRANSFER_GONE = 4,
  /** There may be more bytes: call again after other work. */
  TRANSFER_MORE = 5,
  /** Bytes before the data in the state of `transfer`. */
  TRANSFER_HEAD = 8,

  /** Bytes of the header list of an HTTP/2 request. */
  HTTP2_LIST_MAX = 16384,
  /** Streams of one connection at a time: a client of `runt serve` keeps one, a Wait, for each process. */
  HTTP2_STREAMS_MAX = 4096,
  /** Bytes before those of an event of `http2Event`. */
  HTTP2_HEAD = 16,
}

/**
 * An object whose values equal their keys: code writes the strings, and TypeScript checks them against the keys. In C,
 * each key is a string NAME_KEY; an exported list is an enumeration of NAME_ITEM.
 */
const keyValues = <const T extends string>(list: readonly T[]): { readonly [K in T]: K } =>
  Object.fromEntries(list.map((name) => [name, name])) as { readonly [K in T]: K };

/**
 * The reports of runt-init: the fields after the kind, in order. `#` marks an integer, `@` a descriptor that is sent
 * with the text, `*` three numbers for each operation; the others are strings. hack/gen.mjs writes C that encodes each
 * report. The table holds strings, because one of objects takes 20 KB of every process.
 */
export const REPORT = {
  /** runt-init has finished its operations and waits for start. */
  created: '',
  /** runt-init waits for the prestart and createRuntime hooks. */
  hooks: '',
  /** runt-init executes the process now; then follows only an error of execve(2) or the end of the stream. */
  exec: '',
  /** The operation at `index` failed; runt-init ends. */
  error: '#index #errno syscall detail',
  /** Start and end of each operation, on CLOCK_MONOTONIC in ns. */
  trace: '*spans',
  /** The operation at `index` made another process, which continues instead of this one. */
  pid: '#index #pid @pidfd',
  /** The hook at `index` of the member `point` of `hooks` still runs after `slowHookTime`. */
  slow: 'point #index',
  /** The operation at `index` waits for the runtime's operations before it. */
  await: '#index',
  /** MOUNT_ATTR_* that the operation could not clear: `kept` on its mount, `recursive` on the mounts below too. */
  kept: '#index #kept #recursive',
  /** The operation has bind-mounted the host's /sys instead of mounting a new sysfs. */
  bound: '#index',
  /** Asks the runtime to chown the stdio descriptors in the bit mask `fds` to a uid of the process's user namespace. */
  stdio: '#index #uid #fds',
  /** The listener of a seccomp filter, the path of the agent's socket, and the metadata for the agent. */
  listener: '@fd agent metadata',
  /** Shared memory for the last report, because the process's own seccomp filter may prevent sending it. */
  words: '@page',
} as const;
export type ReportKind = keyof typeof REPORT;

/** The space-separated parts of a text. */
export type Parts<T extends string> = T extends `${infer First} ${infer Rest}`
  ? First | Parts<Rest>
  : T extends ''
    ? never
    : T;
type NameOf<F extends string> = F extends `${'#' | '@' | '*'}${infer Name}` ? Name : F;
type ValueOf<F extends string> = F extends `${'#' | '@'}${string}`
  ? number
  : F extends `*${string}`
    ? readonly Span[]
    : string;

/** One report, by its kind. The reader must close a descriptor in it; -1 if the message had none. */
export type ReportOf<K extends ReportKind> = { readonly kind: K } & {
  readonly [F in Parts<(typeof REPORT)[K]> as NameOf<F>]: ValueOf<F>;
};

/** A span of one operation: its index in the plan, start and end on CLOCK_MONOTONIC in ns. */
export interface Span {
  readonly index: number;
  readonly start: bigint;
  readonly end: bigint;
}

/** The ways in which a hook that runt-init executes fails. */
export const HOOK_END = /* @__PURE__ */ keyValues(['exit', 'signal', 'timeout', 'exec']);
export type HookEndKind = keyof typeof HOOK_END;

/** The kinds of the supervisor's children. */
export const CHILD = /* @__PURE__ */ keyValues(['init', 'successor', 'exec']);
export type ChildKind = keyof typeof CHILD;

/** The kinds of descriptors in a request that are not passed on to the process. */
export const REQUEST_FD = /* @__PURE__ */ keyValues(['image', 'cgroup']);
export type RequestFdName = keyof typeof REQUEST_FD;

/** The first field of the supervisor's answer. */
export const ANSWER = /* @__PURE__ */ keyValues(['pid', 'error']);
export type AnswerKind = keyof typeof ANSWER;

/** The system calls in which a start of runt-init can fail, by index. */
export const START_CALL = ['clone3', 'memfd_create', 'execveat', 'dup3', 'capset'] as const;

/** JSON syntax errors, by index; src/spec/json/parse-json.ts has the sentences. */
export const JSON_PROBLEM = [
  'none',
  /** At its opening quote. */
  'openString',
  /** A control character in a string. */
  'control',
  /** At its backslash. */
  'escape',
  /** At the bracket after the comma. */
  'lastComma',
  // From here on: the expected item, where the text has something else or ends.
  'value',
  'key',
  'keyOrEnd',
  'colon',
  'commaOrEnd',
  'commaOrListEnd',
  'endOfText',
] as const;
export type JsonProblem = Exclude<(typeof JSON_PROBLEM)[number], 'none'>;

/** The kinds of events of `http2Event`; its result is the index. */
export const HTTP2_EVENT = [
  'none',
  /** The peer's SETTINGS: it speaks HTTP/2. */
  'settings',
  /** Request, response or trailers: names and values, each ended by NUL. None: the list of a request is too long. */
  'headers',
  /** Bytes of the body. The peer may send as many more after `http2Consume`. */
  'data',
  /** The peer sends no more on this stream. */
  'end',
  /** All bytes of `http2Data` have been passed to `http2Send`. */
  'drained',
  /** The stream is closed. */
  'closed',
] as const;

/** The first field of each report of runt-layer; then the kind, errno, count, path in the archive and detail. */
export const LAYER_REPORT = /* @__PURE__ */ keyValues(['error', 'warning', 'done']);

/** Why runt-layer ended. */
export const LAYER_ERROR = /* @__PURE__ */ keyValues([
  /** A system call, which the detail names. */
  'call',
  'archive',
  'compression',
  'size',
  'digest',
  'diffId',
  /** A name with `..`. */
  'path',
  'depth',
  'bytes',
  'entries',
  /** A whiteout of no name, or below another whiteout. */
  'whiteout',
  'type',
  'owner',
  /** The whiteout of overlayfs. */
  'device',
  /** A hard link to nothing that is there. */
  'link',
]);
export type LayerErrorKind = keyof typeof LAYER_ERROR;

/** What runt-layer left out. */
export const LAYER_WARNING = /* @__PURE__ */ keyValues(['owner', 'device', 'xattr', 'overlay', 'acl']);
export type LayerWarningKind = keyof typeof LAYER_WARNING;
