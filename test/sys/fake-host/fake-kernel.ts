/**
 * A host whose kernel is simulated: files, processes, sockets, and a clock that takes no real time. With it, tests of
 * system calls need no root, and can make every call fail.
 *
 *     const kernel = new FakeKernel();             // installed from now on
 *     kernel.tree.file('/b/config.json', '{}');    // an existing file
 *     kernel.failAt('mkdirAt', 1, E.EIO);          // the next mkdirat(2)
 *     await kernel.finish(create(…));              // runs it to its end
 *     kernel.calls;                                // ['mkdirAt(</run>, web, 0o700) = EIO', …]
 *
 * src/container/state/state-directory.ts caches the root's descriptor and the caller's ids while the program runs. So
 * use `kernel.root`, a path that no other kernel has; a test as an ordinary user needs a separate file.
 */
import { abi, type Native } from '../../../src/sys/abi.js';
import { E } from '../../../src/sys/errno.js';
import { type Host, setHost } from '../../../src/sys/host.js';
import { S_IFREG } from '../../../src/sys/linux.js';
import { pendingWaits, runOnce } from '../../../src/sys/waiting/loop.js';
import { putIntegers } from './buffers.js';
import { Clock } from './clock.js';
import { Descriptors, OpenInode } from './descriptors.js';
import { Fifo, streamCalls } from './fifos.js';
import { fileCalls } from './file-calls.js';
import { FileTree } from './file-tree.js';
import { namespaceCalls } from './namespaces.js';
import { Processes } from './processes.js';
import { mountProcfs } from './procfs.js';
import { programCalls } from './program-calls.js';
import { Sockets } from './sockets.js';

type Name = keyof Native;

/** An event at the n-th call of a function from now on. */
interface Plan {
  readonly name: Name | '*';
  left: number;
  /** The result instead of the call's own. */
  readonly errno?: number;
  readonly before?: () => void;
}

interface KernelOptions {
  /** Under Node.js a program reaps its children; the static binary leaves that to its parent. */
  readonly name?: Host['name'];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number;
}

/** These return a descriptor, whose number is meaningless to a reader. */
const OPENS =
  /^(open|accept|unix|pidfdOpen|duplicate|datagram|namespaceOpen|sealedFile|initImage|netlinkOpen|nonBlocking|signalFd)/;
/** These do not fail; `finish` calls `ready`, not the work. */
const SAFE: readonly string[] = ['close', 'pid', 'ids', 'monotonic', 'realtime', 'unwatch', 'isTerminal', 'ready'];

let roots = 0;

export class FakeKernel {
  readonly tree = new FileTree();
  readonly descriptors = new Descriptors();
  readonly processes = new Processes(this.descriptors);
  readonly sockets = new Sockets(this.tree, this.descriptors);
  readonly clock = new Clock(this.descriptors);
  /** A path for the state of containers that no other kernel uses. It does not exist yet. */
  readonly root = `/run/runt-${++roots}`;
  /** Every call with its result, in order, as `name(arguments) = result`. */
  readonly calls: string[] = [];
  private plans: Plan[] = [];
  private readonly functions: Partial<Native>;
  private readonly host: Host;

  constructor({ name = 'quickjs', args = [], env = {}, uid = 0 }: KernelOptions = {}) {
    if (pendingWaits() > 0) throw new Error(`an earlier test left ${pendingWaits()} waits`);
    this.tree.directory('/run');
    mountProcfs(this.tree, this.processes, this.descriptors);
    this.functions = {
      ...fileCalls(this.tree, this.descriptors),
      ...this.processes.calls(),
      ...this.sockets.calls(),
      ...this.clock.calls(),
      ...namespaceCalls(this.tree, this.descriptors),
      ...programCalls(),
      ...streamCalls(this.descriptors),
      ids: (data) => {
        putIntegers(data, [uid, uid, uid, uid]);
        return 0;
      },
      isTerminal: () => 0,
      closesOnExec: () => 1,
      duplicate: (fd) => this.copy(fd),
      nonBlocking: (fd) => this.copy(fd),
      sealedFile: (data) => this.anonymous(data),
      initImage: () => this.anonymous(new Uint8Array(0)),
    };
    const decode = (bytes: Uint8Array, length: number): string => new TextDecoder().decode(bytes.subarray(0, length));
    const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
    this.host = { name, native: this.native(), args, env, decode, decodeRaw: decode, encode };
    this.use();
  }

  /** Installs this kernel again, after another one was made. */
  use(): void {
    setHost(this.host);
  }

  /** Sets or replaces the implementation of a function. */
  on<N extends Name>(name: N, call: Native[N]): void {
    this.functions[name] = call;
  }

  /** The current implementation of a function, for one that differs only partly. */
  performs<N extends Name>(name: N): Native[N] {
    const call = this.functions[name];
    if (!call) throw new Error(`the fake kernel does not have native.${name}`);
    return call as Native[N];
  }

  /** Makes the n-th call of a function from now on (the first is 1) fail; '*' counts all calls that can fail. */
  failAt(name: Name | '*', n: number, errno: E): void {
    this.plans.push({ name, left: n, errno });
  }

  /** Schedules an event right before the n-th call from now on, such as an action of another process. */
  before(name: Name | '*', n: number, happens: () => void): void {
    this.plans.push({ name, left: n, before: happens });
  }

  /** The planned failures and events that have not happened. */
  get unreached(): string[] {
    return this.plans.map(({ name, left, errno }) => `call ${left} of ${name}${errno ? `: ${E[errno]}` : ''}`);
  }

  /** The names of the calls so far, without those that only read the time. */
  get names(): string[] {
    return this.calls.map((call) => call.slice(0, call.indexOf('('))).filter((name) => name !== 'monotonic');
  }

  /** Runs asynchronous work to its end, with the clock of the kernel. @throws Error if it can never end */
  async finish<T>(work: Promise<T>): Promise<T> {
    let settled = false;
    const settle = () => {
      settled = true;
    };
    work.then(settle, settle);
    for (;;) {
      await new Promise((next) => setImmediate(next));
      if (settled) return work;
      if (!runOnce() && !this.clock.step()) throw new Error('the work waits, and there are no more events');
    }
  }

  /** The open files of the process under test, as paths, for a comparison with an earlier state. */
  get open(): string[] {
    return [...this.descriptors.all.values()].map((file) => file.shown).sort();
  }

  fifo(path: string): Fifo {
    return new Fifo(this.tree, path);
  }

  private copy(fd: number): number {
    const file = this.descriptors.get(fd);
    return file ? this.descriptors.open(file) : -E.EBADF;
  }

  private anonymous(data: Uint8Array): number {
    const inode = this.tree.inode(S_IFREG | 0o600, this.tree.root.fs);
    inode.name = 'memfd';
    inode.parent = this.tree.root;
    inode.data = data.slice();
    return this.descriptors.open(new OpenInode(inode, 0));
  }

  private native(): Native {
    const table = Object.keys(abi).map((name) => [name, (...args: unknown[]) => this.call(name as Name, args)]);
    return Object.fromEntries(table) as Native;
  }

  private call(name: Name, args: readonly unknown[]): unknown {
    const text = this.shown(name, args);
    const perform = this.functions[name] as ((...args: readonly unknown[]) => number | bigint) | undefined;
    if (!perform) throw new Error(`unexpected call: native.${text}`);
    if (args.length !== abi[name].args.length) throw new Error(`wrong number of arguments: native.${text}`);
    const errno = this.planned(name);
    const failed = abi[name].ret === 'i64' ? BigInt(-(errno ?? 0)) : -(errno ?? 0);
    const at = this.calls.push(text) - 1;
    const result = errno === undefined ? perform(...args) : failed;
    const number = Number(result);
    this.calls[at] = `${text} = ${number < 0 ? E[-number] : OPENS.test(name) ? 'fd' : result}`;
    return result;
  }

  /** The errno with which this call must fail, after the events planned before it. */
  private planned(name: Name): number | undefined {
    const due = this.plans.filter(
      (p) => (p.name === name || (p.name === '*' && !SAFE.includes(name))) && --p.left === 0,
    );
    this.plans = this.plans.filter((p) => !due.includes(p));
    for (const { before } of due) before?.();
    return due.find(({ errno }) => errno !== undefined)?.errno;
  }

  private shown(name: Name, args: readonly unknown[]): string {
    const texts = abi[name].args.map(([argument], i) => {
      const value = args[i];
      if (value instanceof Uint8Array) return `${value.length} bytes`;
      if (/fd$|^(socket|tree|from|to)$/.test(argument)) return this.fdShown(Number(value));
      if (argument === 'mode' && name !== 'access') return `0o${Number(value).toString(8)}`;
      if (argument === 'flags' || argument === 'resolve') return `0x${Number(value).toString(16)}`;
      return String(value);
    });
    return `${name}(${texts.join(', ')})`;
  }

  private fdShown(fd: number): string {
    if (fd < 0) return fd === -100 ? 'AT_FDCWD' : String(fd);
    return `<${this.descriptors.get(fd)?.shown ?? fd}>`;
  }
}
