/** The server's side of the keeper: starts one if there is none, gets calls from it, and lets it hold descriptors. */
import { check, RuntError } from '../../sys/error.js';
import { fdList } from '../../sys/fds.js';
import { readLink, readText } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import { nulList } from '../../sys/nul-list.js';
import { connectAt } from '../../sys/sockets/connect-deadline.js';
import { readable, sleep } from '../../sys/waiting/loop.js';
import { keeperRequestTime, keeperStartTime, longestKeeperPause } from '../../sys/waiting/time-limits.js';
import { log } from '../shim-log.js';
import type { DescriptorKeeper } from '../streams/descriptor-keeper.js';
import { claimSocket, inUseError, withSocketDirectory } from '../transport/server-socket.js';
import { Connection, type Handler } from '../transport/ttrpc.js';
import { type KeeperRequest, keeperSocket, keeperYes } from './keeper-protocol.js';

export class Keeper implements DescriptorKeeper {
  /** What is held: the server's own copies, for another keeper if this one is killed. */
  private readonly held = new Map<string, number>();
  private ending = false;

  private constructor(
    /** Path of the socket for containerd. */
    private readonly socket: string,
    /** The socket itself, which outlives a keeper; undefined if an earlier server had it. */
    private listener: number | undefined,
    /** Whether the keeper removes it at its end. */
    private readonly removes: boolean,
  ) {}

  /**
   * The keeper behind the socket, or a new one. @param listener the socket, if a service manager has made it
   * @throws RuntError ERR_SHIM
   */
  static async open(socket: string, listener: number | undefined): Promise<Keeper> {
    const keeper = new Keeper(socket, listener, listener === undefined);
    await keeper.start();
    return keeper;
  }

  /**
   * Answers the calls until `end`. If the keeper is killed, starts another one.
   * @throws RuntError ERR_SHIM if another server has this keeper
   */
  async serve(handler: Handler): Promise<void> {
    const connection = await this.attach(handler);
    void this.stay(connection, handler);
  }

  private async stay(first: Connection, handler: Handler): Promise<void> {
    for (let connection: Connection | undefined = first, pause = 1; ; ) {
      await connection?.serve();
      if (this.ending) return;
      if (connection) log('keeper', 'it has ended, so containerd loses its connections: another one is started');
      connection = undefined;
      try {
        await this.start();
        await this.holdAll();
        connection = await this.attach(handler);
        pause = 1;
      } catch (error) {
        log('keeper', error);
        pause = Math.min(2 * pause, longestKeeperPause);
        await sleep(pause);
      }
    }
  }

  /** Leaves the keeper, or ends it if it holds nothing. */
  async end(): Promise<void> {
    this.ending = true;
    await this.request('end', []).catch(() => undefined);
  }

  async hold(descriptors: ReadonlyMap<string, number>): Promise<void> {
    if (descriptors.size === 0) return;
    for (const [name, fd] of descriptors) this.held.set(name, fd);
    try {
      await this.request('hold', [...descriptors.keys()], [...descriptors.values()]);
    } catch (error) {
      log('keeper', error);
    }
  }

  async give(name: string, fd: number): Promise<void> {
    try {
      if ((await this.request('hold', [name], [fd])) === undefined)
        throw new RuntError({
          code: 'ERR_SHIM',
          message: `let the keeper at ${keeperSocket(this.socket)} hold ${name}`,
        });
    } finally {
      native.close(fd);
    }
  }

  async take(name: string): Promise<number | undefined> {
    const fd = await this.request('take', [name]).catch((error) => log('keeper', error));
    if (typeof fd !== 'number' || fd < 0) return undefined;
    this.held.set(name, fd);
    return fd;
  }

  async drop(names: readonly string[]): Promise<void> {
    for (const name of names) this.held.delete(name);
    await this.request('drop', names).catch((error) => log('keeper', error));
  }

  private async holdAll(): Promise<void> {
    for (const [name, fd] of this.held) await this.hold(new Map([[name, fd]]));
  }

  /** Sends a request. @returns the answer's descriptor, or -1; undefined for no. @throws RuntError ERR_SHIM */
  private async request(
    request: KeeperRequest,
    names: readonly string[],
    fds: readonly number[] = [],
  ): Promise<number | undefined> {
    const connection = await this.connect();
    try {
      return await this.exchange(connection, request, names, fds);
    } finally {
      native.close(connection);
    }
  }

  private async exchange(
    connection: number,
    request: KeeperRequest,
    names: readonly string[],
    fds: readonly number[] = [],
  ): Promise<number | undefined> {
    const facts = { code: 'ERR_SHIM', message: `ask the keeper at ${keeperSocket(this.socket)}` };
    check(native.sendFds(connection, fdList(fds), nulList([request, ...names])), { ...facts, syscall: 'sendmsg' });
    const [answer, received] = [new Uint8Array(1), new Uint8Array(4)];
    if (!(await readable(connection, keeperRequestTime)))
      throw new RuntError({ ...facts, message: `${facts.message}: it does not answer` });
    const n = check(native.receiveFds(connection, answer, received), { ...facts, syscall: 'recvmsg' });
    if (n === 0) throw new RuntError({ ...facts, message: `${facts.message}: it has ended` });
    return answer[0] === keeperYes ? new DataView(received.buffer).getInt32(0, true) : undefined;
  }

  private async connect(ms = keeperRequestTime): Promise<number> {
    const path = keeperSocket(this.socket);
    const facts = { code: 'ERR_SHIM', message: `connect to the keeper at ${path}`, path };
    const connection = check(await connectAt(AT_FDCWD, path, ms), { ...facts, syscall: 'connect' });
    if (native.trustedPeer(connection) === 1) return connection;
    native.close(connection);
    throw new RuntError({ ...facts, message: `${facts.message}: it belongs to another user` });
  }

  private async attach(handler: Handler): Promise<Connection> {
    const connection = await this.connect(keeperStartTime);
    try {
      if ((await this.exchange(connection, 'serve', [])) !== undefined) return new Connection(connection, handler);
    } catch (error) {
      native.close(connection);
      throw error;
    }
    native.close(connection);
    throw inUseError(this.socket);
  }

  /** Starts a keeper unless one runs. @throws RuntError ERR_SHIM */
  private start(): Promise<void> {
    return withSocketDirectory(this.socket, async (dir, name) => {
      const own = await claimSocket(dir, keeperSocket(name), keeperSocket(this.socket));
      if (own === undefined) return;
      this.listener ??= await claimSocket(dir, name, this.socket);
      if (this.listener === undefined) throw inUseError(this.socket);
      this.spawn(this.listener, own);
      native.close(own);
    });
  }

  private spawn(listener: number, own: number): void {
    const program = readLink('/proc/self/exe');
    const words = readText('/proc/self/cmdline').split('\0').slice(0, -1);
    const args = [...words.slice(0, words.length - host.args.length), 'serve', '--keeper', this.socket];
    if (this.removes) args.push('--listen', `unix://${this.socket}`);
    // Only the server speaks to the service manager.
    const { NOTIFY_SOCKET: _, LISTEN_FDS: __, LISTEN_PID: ___, ...rest } = host.env;
    const env = Object.entries(rest).map(([variable, value]) => `${variable}=${value}`);
    const pidfd = new Uint8Array(8);
    const errors = native.duplicate(2);
    const pid = native.spawn(program, nulList(args), nulList(env), listener, own, errors, pidfd);
    native.close(errors);
    check(pid, { code: 'ERR_SHIM', message: 'start the keeper', path: program });
    native.close(new DataView(pidfd.buffer).getInt32(0, true));
  }
}
