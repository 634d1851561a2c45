/**
 * What two programs or two languages must agree on, declared once: hack/gen.mjs writes build/gen/protocol.h from all
 * that is exported here. A member of Protocol keeps its name in C; names() gives a string NAME_KEY for each key, a list
 * an enumeration of NAME_ITEM.
 */

/** Single values. An enumeration, because its members are in the program where they are used, and nowhere else. */
export enum Protocol {
  // ── runtime → runt-init ──

  /** First field of a plan. */
  PLAN_MAGIC = 'runt-plan-1',
  /** First field of the frame that makes runt-init a supervisor. */
  SUPERVISE_MAGIC = 'runt-supervise-1',
  /** Bytes of a frame; far above what any config gives. */
  PLAN_MAX = 16 << 20,
  /** Slots of a plan. */
  SLOTS_MAX = 65536,
  /** Bytes of the digest at the end of a file with a seccomp program. */
  DIGEST_SIZE = 32,

  /** The byte by which the runtime tells a runt-init that waits to go on; after `hooks` 32 bits with its pid follow. */
  GO = 0x67,

  // ── runt-init → runtime ──

  /** Bytes of the page in which runt-init leaves its last report. */
  WORDS_SIZE = 3 * 4096,
  /** Name of the process that waits for start: no program can be called so, as it has a slash. */
  WAITING_NAME = 'runt/init',

  // ── requests to the supervisor ──

  SPAWN_REQUEST = 'runt-spawn-1',
  ADOPT_REQUEST = 'runt-adopt-2',
  FORGET_REQUEST = 'runt-forget-1',
  WATCH_REQUEST = 'runt-watch-1',
  UNREAD_REQUEST = 'runt-unread-1',

  // ── records of the supervisor, in the state directory ──

  /** How the init process ended. */
  EXIT_RECORD = 'exit.json',
  /** What comes before and after "PID-TIME" in the name of an exec's record. */
  EXEC_RECORD = 'exec-',
  EXEC_RECORD_END = '.json',
  /** Records that nobody has read; docs/cli.md has this number. */
  UNREAD_MAX = 1024,

  // ── native functions ──

  /** Descriptors that one message carries: SCM_MAX_FD of the kernel is 253. */
  MESSAGE_FDS_MAX = 250,
  /** Levels of objects and lists that the scanner of JSON follows; the runtime-spec's own are less than ten. */
  JSON_DEPTH_MAX = 512,

  // What `transfer` answers after it has moved bytes from one descriptor to another.
  /** The first is at its end. */
  TRANSFER_ENDED = 0,
  /** Wait until the first has bytes. */
  TRANSFER_READABLE = 1,
  /** Wait until the second takes some. */
  TRANSFER_WRITABLE = 2,
  /** The first is a terminal that nobody has open. */
  TRANSFER_HUNG_UP = 3,
  /** Nobody reads the second. */
  TRANSFER_GONE = 4,
  /** There may be more: others get their turn. */
  TRANSFER_MORE = 5,
  /** Bytes before the data in its state. */
  TRANSFER_HEAD = 8,
}

/** Strings that are their own keys: TypeScript writes them out, and checks them by the type of the keys. */
const names = <const T extends string>(list: readonly T[]): { readonly [K in T]: K } =>
  Object.fromEntries(list.map((name) => [name, name])) as { readonly [K in T]: K };

/**
 * The reports of runt-init: the fields that come after the kind, in order. One with `#` is an integer, with `@` a
 * descriptor that comes beside the text, with `*` three numbers for each operation; the others are strings.
 * hack/gen.mjs writes C that encodes each. Strings, because a table of objects takes 20 KB of every process.
 */
export const REPORT = {
  /** All is prepared: runt-init waits for start. */
  created: '',
  /** It waits for the prestart and createRuntime hooks. */
  hooks: '',
  /** It executes the process now; what comes after this is an error of execve(2), or the end. */
  exec: '',
  /** The operation of that index failed; runt-init ends. */
  error: '#index #errno syscall detail',
  /** When each operation began and ended, on CLOCK_MONOTONIC in ns. */
  trace: '*spans',
  /** By the operation of that index, another process goes on in place of this one. */
  pid: '#index #pid @pidfd',
  /** The hook at that index of that member of `hooks` is not done after `slowHookTime`. */
  slow: 'point #index',
  /** The operation of that index waits for the runtime's operations before it. */
  await: '#index',
  /** MOUNT_ATTR_* that the operation should have cleared; those of `recursive` on all mounts below, too. */
  kept: '#index #kept #recursive',
  /** The operation has bound the host's /sys in place of a new sysfs. */
  bound: '#index',
  /** The operation gives the descriptors of stdio with these bits to a uid of the process's user namespace. */
  stdio: '#index #uid #fds',
  /** The listener of a seccomp filter, the agent's socket, and what the agent gets as metadata. */
  listener: '@fd agent metadata',
  /** A page for the last report, which the process's own seccomp filter may keep from being sent. */
  words: '@page',
} as const;
export type ReportKind = keyof typeof REPORT;

/** The words of a text. */
export type Words<T extends string> = T extends `${infer First} ${infer Rest}`
  ? First | Words<Rest>
  : T extends ''
    ? never
    : T;
type NameOf<F extends string> = F extends `${'#' | '@' | '*'}${infer Name}` ? Name : F;
type ValueOf<F extends string> = F extends `${'#' | '@'}${string}`
  ? number
  : F extends `*${string}`
    ? readonly Span[]
    : string;

/** One report, by its kind. A descriptor in it is the reader's to close, -1 when it did not come along. */
export type ReportOf<K extends ReportKind> = { readonly kind: K } & {
  readonly [F in Words<(typeof REPORT)[K]> as NameOf<F>]: ValueOf<F>;
};

/** A span of one operation: its index in the plan, start and end on CLOCK_MONOTONIC in ns. */
export interface Span {
  readonly index: number;
  readonly start: bigint;
  readonly end: bigint;
}

/** How a hook of runt-init's failed. */
export const HOOK_END = /* @__PURE__ */ names(['exit', 'signal', 'timeout', 'exec']);
export type HookEndKind = keyof typeof HOOK_END;

/** What a process of the supervisor's is. */
export const CHILD = /* @__PURE__ */ names(['init', 'successor', 'exec']);
export type ChildKind = keyof typeof CHILD;

/** What a descriptor of a request is, when it is none of the process's. */
export const PLACE = /* @__PURE__ */ names(['image', 'cgroup']);
export type PlaceName = keyof typeof PLACE;

/** First word of an answer of the supervisor's. */
export const ANSWER = /* @__PURE__ */ names(['pid', 'error']);
export type AnswerKind = keyof typeof ANSWER;

/** What a start of runt-init has failed in, by its index. */
export const START_CALL = ['clone3', 'memfd_create', 'execveat', 'dup3', 'capset'] as const;

/** What is wrong where a text stops being JSON, by its index; src/spec/json/parse-json.ts has the sentences. */
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
  // From here on: something else, or the end, stands where this is expected.
  'value',
  'key',
  'keyOrEnd',
  'colon',
  'commaOrEnd',
  'commaOrListEnd',
  'endOfText',
] as const;
export type JsonProblem = Exclude<(typeof JSON_PROBLEM)[number], 'none'>;
