/**
 * The keeper of a node: what must outlive the server. It has the connections of containerd, which takes the end of one
 * for the end of the containers, and holds the descriptors of streams.
 */
import { fdList } from '../../sys/fds.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import { forget, readable, sleep, trimWhenIdle } from '../../sys/waiting/loop.js';
import { idleServerSeconds, keeperRequestTime } from '../../sys/waiting/time-limits.js';
import { loadGrpc } from '../grpc/grpc-interface.js';
import { serveGrpc } from '../grpc/grpc-loop.js';
import { log, outliveErrors } from '../shim-log.js';
import { Clients } from '../transport/client-limits.js';
import type { Services } from '../transport/rpc.js';
import { listenAt } from '../transport/server-socket.js';
import { acceptConnections, Connection, streamingLookup, unaryHandler } from '../transport/ttrpc.js';
import { HeldAnswers } from './held-answers.js';
import { HeldDescriptors } from './held-descriptors.js';
import { HeldStreams } from './held-streams.js';
import {
  type KeeperRequest,
  keeperDescriptors,
  keeperMessage,
  keeperNo,
  keeperSocket,
  keeperYes,
  parseKeeperRequest,
  ttrpcSocket,
} from './keeper-protocol.js';
import { Relay } from './relay.js';

/** The listening sockets that the server passes: for containerd, and of the keeper itself. */
const listener = 0;
const ownListener = 1;

/**
 * Keeps until SIGINT or SIGTERM, or until nothing is held and no server has been there for a minute.
 * @param socket path of the socket for containerd @param removes whether it is removed at the end
 */
export async function keep(socket: string, removes: boolean): Promise<void> {
  outliveErrors();
  trimWhenIdle();
  const grpc = await loadGrpc();
  const { withReflection } = await import('../grpc/reflection.js');
  const keeper = new Keeper();
  const services = keeper.services;
  // Before the server learns that the keeper is there.
  const ttrpc = await listenAt(ttrpcSocket(socket));
  acceptTtrpc(ttrpc, services);
  void acceptConnections(ownListener, (fd) => void keeper.answer(fd));
  await serveGrpc(grpc, listener, withReflection(services), async (server) => {
    await Promise.race([keeper.ended, server.awaitSignal()]);
    native.unlinkAt(AT_FDCWD, keeperSocket(socket), 0);
    native.unlinkAt(AT_FDCWD, ttrpcSocket(socket), 0);
    forget(ttrpc);
    native.close(ttrpc);
    if (removes) native.unlinkAt(AT_FDCWD, socket, 0);
    // The other socket is our standard output, which a runtime may flush at the end.
    forget(ownListener);
    forget(listener);
    native.close(listener);
  });
}

/** The same services over ttrpc: containerd 2 has its streams there alone. */
function acceptTtrpc(socket: number, services: Services): void {
  const clients = new Clients((line) => log('ttrpc', line));
  const [handler, streaming] = [unaryHandler(services), streamingLookup(services)];
  void acceptConnections(socket, (fd) => {
    if (!clients.connect()) native.close(fd);
    else void new Connection(fd, handler, clients, streaming).serve().finally(() => clients.disconnect());
  });
}

class Keeper {
  readonly relay = new Relay();
  private readonly answers = new HeldAnswers((namespace, id) => this.relay.has(namespace, id));
  private readonly held = new HeldDescriptors();
  private readonly streams = new HeldStreams();
  /** Resolves when the keeper is of no more use. */
  readonly ended: Promise<void>;
  private end!: () => void;
  /** Counts the servers. */
  private servers = 0;

  constructor() {
    this.ended = new Promise((settle) => {
      this.end = settle;
    });
    this.relay.watch(this.answers);
    void this.endWhenIdle();
  }

  /** What containerd calls. */
  get services(): Services {
    const streaming = { streaming: this.streams.serve };
    return new Map([...this.relay.procedures(), ['containerd.services.streaming.v1.Streaming/Stream', streaming]]);
  }

  /** How many things would be lost with the keeper. */
  private get size(): number {
    return this.held.size + this.answers.size + this.streams.size;
  }

  /** Answers the request of one connection. */
  async answer(fd: number): Promise<void> {
    const data = new Uint8Array(keeperMessage);
    const numbers = new Uint8Array(4 * keeperDescriptors);
    const n = (await readable(fd, keeperRequestTime)) ? native.receiveFds(fd, data, numbers) : 0;
    const fds = n > 0 ? received(numbers) : [];
    const request = n > 0 ? parseKeeperRequest(data.subarray(0, n)) : undefined;
    if (request?.[0] === 'serve' && !this.relay.attached) {
      native.send(fd, new Uint8Array([keeperYes]));
      this.attach(fd);
      return;
    }
    try {
      const sent = request && (await this.perform(request, fds));
      if (sent) native.sendFds(fd, fdList(sent), new Uint8Array([keeperYes]));
      else native.send(fd, new Uint8Array([keeperNo]));
    } catch (error) {
      // Without an answer.
      log('keeper', error);
    }
    for (const unused of [...fds, fd]) native.close(unused);
  }

  /**
   * @param fds descriptors of the request; takes out those that it uses
   * @returns descriptors of the answer; undefined if that is no
   */
  private async perform(
    [request, ...names]: readonly [request: KeeperRequest, ...names: string[]],
    fds: number[],
  ): Promise<readonly number[] | undefined> {
    const [name = '', bundle = ''] = names;
    switch (request) {
      case 'hold':
        if (fds.length !== names.length) return undefined;
        for (const [i, fd] of fds.splice(0).entries()) this.storeOf(names[i] as string).hold(names[i] as string, fd);
        return [];
      case 'take': {
        const fd = this.held.get(name);
        return fd === undefined ? undefined : [fd];
      }
      case 'drop':
        for (const dropped of names) this.storeOf(dropped).drop(dropped);
        return [];
      case 'delete': {
        const [output] = fds;
        if (output === undefined || !(await this.answers.hold(name, bundle, output))) return undefined;
        fds.shift();
        return [];
      }
      case 'end':
        if (this.size > 0 || !this.relay.idle) return undefined;
        this.end();
        return [];
      case 'serve':
        // Another server is there.
        return undefined;
    }
  }

  private storeOf(name: string): HeldDescriptors | HeldStreams {
    return HeldStreams.has(name) ? this.streams : this.held;
  }

  private attach(fd: number): void {
    const server = ++this.servers;
    const connection = new Connection(fd);
    this.relay.attach(connection, () => {
      if (server === this.servers) void this.endWhenIdle();
    });
  }

  /** Ends a minute after the last server, unless it holds something or containerd waits. */
  private async endWhenIdle(): Promise<void> {
    const server = this.servers;
    while (server === this.servers) {
      await sleep(1000 * idleServerSeconds);
      if (server === this.servers && this.size === 0 && this.relay.idle) this.end();
    }
  }
}

/** The descriptors of a message. */
const received = (numbers: Uint8Array): number[] => {
  const view = new DataView(numbers.buffer);
  return Array.from({ length: keeperDescriptors }, (_, i) => view.getInt32(4 * i, true)).filter((fd) => fd >= 0);
};
