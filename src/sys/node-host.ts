/** The Node.js host: librunt.so bound by koffi. Node only. */
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import koffi from 'koffi';
import { type AbiType, abi, type Native } from './abi.js';
import { check } from './error.js';
import { type Host, native, setHost, type WaitIds } from './host.js';
import { O_ACCMODE, O_CLOEXEC, O_NONBLOCK } from './linux.js';
import { endWait, isWaiting, pendingWaits } from './waiting/loop.js';
import { turnTime } from './waiting/time-limits.js';

const cTypes: Record<AbiType, string[]> = {
  i32: ['int32_t'],
  i64: ['int64_t'],
  str: ['str'],
  buf: ['uint8_t *', 'uint32_t'],
  out: ['uint8_t *', 'uint32_t'],
};

/**
 * Path of librunt.so: beside this module or above it (dist/, dist/chunks/), or RUNT_LIBRARY, for tests. The published
 * packages have one for each architecture, librunt-x64.so and librunt-arm64.so.
 */
function libraryPath(): string {
  const named = process.env.RUNT_LIBRARY;
  if (named) return named;
  const candidates = ['.', '..'].flatMap((dir) => [`${dir}/librunt.so`, `${dir}/librunt-${process.arch}.so`]);
  for (const candidate of candidates) {
    const path = fileURLToPath(new URL(candidate, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw new Error(`librunt.so is not beside ${fileURLToPath(import.meta.url)}: run "make build"`);
}

/** Refuses the same arguments as the QuickJS bindings (build/gen/quickjs-abi.c), with the same messages. */
function pushChecked(name: string, argument: string, type: AbiType, value: unknown, out: unknown[]): void {
  switch (type) {
    case 'i32':
      if (typeof value !== 'number' || (value | 0) !== value) {
        throw new TypeError(`${name}: ${argument} must be a 32-bit integer`);
      }
      out.push(value);
      return;
    case 'i64':
      if (typeof value !== 'bigint' || BigInt.asIntN(64, value) !== value) {
        throw new TypeError(`${name}: ${argument} must be a 64-bit BigInt`);
      }
      out.push(value);
      return;
    case 'str':
      if (typeof value !== 'string') throw new TypeError(`${name}: ${argument} must be a string`);
      if (value.includes('\0')) throw new TypeError(`${name}: ${argument} holds a NUL`);
      if (LONE.test(value)) out.push(Buffer.from([...rawBytes(value, `${name}: ${argument}`), 0]));
      else out.push(value);
      return;
    default:
      if (!(value instanceof Uint8Array)) throw new TypeError(`${name}: ${argument} must be a Uint8Array`);
      out.push(value, value.length);
  }
}

/** A lone surrogate: with the flag u, a surrogate pair is one character. */
const LONE = /\p{Surrogate}/u;

/**
 * The bytes of a string with lone surrogates: those of decodeRaw become bytes. Others become U+FFFD, or throw if the
 * string is a native function's argument, named `what`.
 */
function rawBytes(text: string, what?: string): Uint8Array {
  const parts = text.split(/([\ud800-\udfff])/u).map((part) => {
    const code = LONE.test(part) ? part.charCodeAt(0) : 0;
    if (code >= 0xdc80 && code <= 0xdcff) return Buffer.from([code & 0xff]);
    if (code > 0 && what !== undefined) throw new TypeError(`${what} holds a lone surrogate`);
    return Buffer.from(code > 0 ? '\ufffd' : part);
  });
  return new Uint8Array(Buffer.concat(parts));
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Decodes UTF-8; undefined for malformed bytes. */
function strictText(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** decodeRaw, as in the static binary. Malformed bytes are rare, so that case may be slow. */
function decodeRaw(bytes: Uint8Array): string {
  const whole = strictText(bytes);
  if (whole !== undefined) return whole;
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = [1, 2, 3, 4].find((n) => strictText(bytes.subarray(at, at + n)) !== undefined);
    text += length ? strictText(bytes.subarray(at, at + length)) : String.fromCharCode(0xdc00 + bytes[at]!);
    at += length ?? 1;
  }
  return text;
}

/**
 * The NUL-terminated texts of a file: arguments or variables whose malformed bytes Node.js has replaced by U+FFFD.
 */
function rawTexts(file: string): string[] {
  const bytes = readFileSync(file);
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0, at);
    texts.push(decodeRaw(bytes.subarray(at, end < 0 ? bytes.length : end)));
    at = end < 0 ? bytes.length : end + 1;
  }
  return texts;
}

function rawArguments(args: readonly string[]): readonly string[] {
  if (!args.some((arg) => arg.includes('\ufffd'))) return args;
  const raw = rawTexts('/proc/self/cmdline').slice(-args.length);
  // The caller may have passed other arguments than those of the process.
  return raw.every((text, i) => Buffer.from(rawBytes(text)).toString() === args[i]) ? raw : args;
}

function rawEnvironment(env: NodeJS.ProcessEnv): Readonly<Record<string, string | undefined>> {
  if (
    !Object.entries(env)
      .flat()
      .some((text) => text?.includes('\ufffd'))
  )
    return env;
  const raw = rawTexts('/proc/self/environ').map((text) => [text.split('=', 1)[0]!, text.slice(text.indexOf('=') + 1)]);
  const original: Record<string, string | undefined> = { ...env };
  for (const [name = '', value = ''] of raw) {
    const shown = Buffer.from(rawBytes(name)).toString();
    if (env[shown] !== Buffer.from(rawBytes(value)).toString()) continue; // changed since
    if (shown !== name) delete original[shown];
    original[name] = value;
  }
  return original;
}

/**
 * Binds every function of `abi`; looks each one up in the library at its first call. `inThread` calls one of them in a
 * thread of libuv's.
 */
function bind(path: string): { native: Native; inThread: NonNullable<Host['inThread']> } {
  const library = koffi.load(path);
  const native: Record<string, (...args: unknown[]) => unknown> = {};
  const found = new Map<string, ReturnType<ReturnType<typeof koffi.load>['func']>>();
  const prepare = (name: keyof Native, values: readonly unknown[]) => {
    const { ret, args } = abi[name];
    if (values.length !== args.length) throw new TypeError(`${name} takes ${args.length} arguments`);
    let call = found.get(name);
    if (!call) {
      const types = args.flatMap(([, type]) => cTypes[type]);
      call = library.func(`runt_${name}`, ret === 'i64' ? 'int64_t' : 'int32_t', types);
      found.set(name, call);
    }
    const list: unknown[] = [];
    args.forEach(([argument, type], i) => {
      pushChecked(name, argument, type, values[i], list);
    });
    return { call, list, ret };
  };
  for (const name of Object.keys(abi) as (keyof Native)[]) {
    native[name] = (...values) => {
      const { call, list, ret } = prepare(name, values);
      const value = call(...list);
      return ret === 'i64' ? BigInt(value) : Number(value);
    };
  }
  /** The arguments of calls in threads, whose buffers must not be collected meanwhile. */
  const inUse = new Set<unknown[]>();
  const inThread = (name: keyof Native, values: readonly unknown[]): Promise<number> =>
    new Promise((settle, fail) => {
      const { call, list } = prepare(name, values);
      inUse.add(list);
      call.async(...list, (error: unknown, value: number | bigint) => {
        inUse.delete(list);
        if (error) fail(error);
        else settle(Number(value));
      });
    });
  return { native: native as unknown as Native, inThread };
}

/** Lets other events have their turn: those of timers, sockets and of other promises. */
function turns(): () => Promise<void> | undefined {
  let last = performance.now();
  return () => {
    if (performance.now() - last < turnTime) return undefined;
    return new Promise((settle) => {
      setImmediate(() => {
        last = performance.now();
        settle();
      });
    });
  };
}

/** One copy of this module: a program may load several, for example for each test file. */
interface Copy {
  readonly endWait: typeof endWait;
  readonly isWaiting: typeof isWaiting;
  readonly pendingWaits: typeof pendingWaits;
}

/** What all copies in a thread of JavaScript share, as librunt.so has one epoll instance for the thread. */
class Forwarded implements WaitIds {
  last = 0;
  private readonly copies: Copy[] = [];
  private pipe: Socket | undefined;

  isUsed(id: number): boolean {
    return this.copies.some((copy) => copy.isWaiting(id));
  }

  add(copy: Copy): void {
    this.copies.push(copy);
  }

  open(): void {
    this.pipe ??= this.opened();
    this.hold();
  }

  /** The pipe keeps the program running only while one of the copies waits. */
  hold(): void {
    if (this.copies.every((copy) => copy.pendingWaits() === 0)) this.pipe?.unref();
    else this.pipe?.ref();
  }

  private opened(): Socket {
    const fd = check(native.forward(), { code: 'ERR_IO', message: 'start the thread that waits' });
    const socket = new Socket({ fd, readable: true, writable: false });
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      const all = Buffer.concat([rest, chunk]);
      const whole = all.length - (all.length % 4);
      for (let i = 0; i < whole; i += 4) for (const copy of this.copies) copy.endWait(all.readInt32LE(i), true);
      rest = all.subarray(whole);
    });
    return socket;
  }
}

/** The one of this thread, which an earlier copy of this module may have made. */
function sharedForwarded(library: string): Forwarded {
  const { dev, ino } = statSync(library);
  const name = Symbol.for(`runt-oci waits of ${dev}:${ino}`);
  const known = globalThis as { [name: symbol]: Forwarded | undefined };
  known[name] ??= new Forwarded();
  return known[name];
}

/**
 * Waits under Node.js: a thread of the library writes the ids of ready descriptors to a pipe that libuv reads. The
 * first wait creates both.
 */
function forwarded(library: string): Required<Pick<Host, 'onWait' | 'onWaitEnd' | 'waitIds'>> {
  const shared = sharedForwarded(library);
  shared.add({ endWait, isWaiting, pendingWaits });
  const timers = new Map<number, NodeJS.Timeout>();
  const onWaitEnd = (id: number) => {
    clearTimeout(timers.get(id));
    timers.delete(id);
    shared.hold();
  };
  // libuv counts from the time that it last looked at the clock, so a timer can end too early.
  const endAt = (id: number, deadline: number): void => {
    const left = deadline - performance.now();
    if (left <= 0) endWait(id, false);
    else timers.set(id, setTimeout(endAt, Math.ceil(left), id, deadline));
  };
  const onWait = (id: number, timeout: number) => {
    shared.open();
    if (timeout >= 0) timers.set(id, setTimeout(endAt, timeout, id, performance.now() + timeout));
  };
  return { waitIds: shared, onWait, onWaitEnd };
}

/**
 * The inherited descriptors: all except those that Node.js opened at its start, which are epoll, eventfd, pipes with
 * both ends in this process, and /dev/null. Node.js makes inherited ones close-on-exec too, so only their kind
 * distinguishes them. In doubt a descriptor counts as Node.js's: passing one of those on would be worse.
 */
function inheritedFds(): Set<number> {
  const all: { fd: number; link: string; flags: number }[] = [];
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      const link = readlinkSync(`/proc/self/fd/${name}`);
      const flags = Number.parseInt(
        /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'utf8'))![1]!,
        8,
      );
      all.push({ fd: Number(name), link, flags });
    } catch (error) {
      // The descriptor of the listed directory is closed by now.
      if ((error as { code?: string }).code !== 'ENOENT') throw error;
    }
  }
  all.sort((a, b) => a.fd - b.fd);
  const own = all.filter(({ fd, link, flags }) => {
    if (fd < 3 || (flags & O_CLOEXEC) === 0) return false;
    if (link === 'anon_inode:[eventfd]') return (flags & O_NONBLOCK) !== 0;
    if (!link.startsWith('pipe:')) return link === 'anon_inode:[eventpoll]' || link === 'anon_inode:[io_uring]';
    return all.some((other) => other.link === link && (other.flags & O_ACCMODE) !== (flags & O_ACCMODE));
  });
  // libuv opens /dev/null after its pipes and right before the first eventfd, and each gets the lowest free number.
  const event = own.find(({ link }) => link === 'anon_inode:[eventfd]')?.fd ?? 0;
  const pipe = own.filter(({ fd, link }) => fd < event && link.startsWith('pipe:')).at(-1)?.fd ?? event;
  const nothing = all.find(
    ({ fd, link, flags }) => fd > pipe && fd < event && link === '/dev/null' && (flags & O_ACCMODE) === 0,
  );
  return new Set(all.filter((one) => one !== nothing && !own.includes(one)).map(({ fd }) => fd));
}

/** Loads the library and makes this host the current one. @param args the arguments after the program's name */
export function useNodeHost(args: readonly string[] = process.argv.slice(2)): Host {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const encoder = new TextEncoder();
  // Look now, only for a command that passes descriptors on: later it may have opened its log.
  const passesFds = process.env.LISTEN_FDS !== undefined || args.some((word) => /preserve-fds|status-fd/.test(word));
  const inherited = passesFds ? inheritedFds() : new Set<number>();
  const library = libraryPath();
  const host: Host = {
    name: 'node',
    ...bind(library),
    turn: turns(),
    args: rawArguments(args),
    env: rawEnvironment(process.env),
    decode: (bytes, length) => decoder.decode(bytes.subarray(0, length)),
    decodeRaw: (bytes, length) => decodeRaw(bytes.subarray(0, length)),
    encode: (text) => (LONE.test(text) ? rawBytes(text) : encoder.encode(text)),
    outlive(report) {
      process.on('unhandledRejection', report);
      process.on('uncaughtException', report);
    },
    inherited: (fd) => inherited.has(fd),
    ...forwarded(library),
  };
  setHost(host);
  return host;
}
