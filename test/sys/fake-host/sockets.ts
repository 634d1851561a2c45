/** Sockets and pipes of the fake kernel. A test holds the other end and writes its script. */
import type { Native } from '../../../src/sys/abi.js';
import { E } from '../../../src/sys/errno.js';
import { AT_FDCWD, O_ACCMODE, O_RDONLY, S_IFIFO, S_IFSOCK } from '../../../src/sys/linux.js';
import { integersOf, putIntegers } from './buffers.js';
import { type Descriptors, OpenFile } from './descriptors.js';
import type { FileTree, Inode } from './file-tree.js';

interface Message {
  readonly data: Uint8Array;
  readonly files: readonly OpenFile[];
}

/** One end of a connection or a pipe. */
export class SocketEnd extends OpenFile {
  private readonly queue: Message[] = [];
  private peer: SocketEnd | undefined;
  /** The inode of a pipe, which both ends have. */
  override inode: Inode | undefined = undefined;
  /** Whether its process is root or the user of the process under test. */
  trusted = true;
  isClosed = false;
  /** The script of a peer: called when something has arrived. */
  onMessage: ((end: this) => void) | undefined;
  /** Called when the other end was closed. */
  onHangUp: ((end: this) => void) | undefined;

  constructor(
    readonly shown: string,
    private readonly blocks = true,
  ) {
    super();
  }

  static pair(shown: string, blocks = true): [SocketEnd, SocketEnd] {
    const [a, b] = [new SocketEnd(shown, blocks), new SocketEnd(`peer of ${shown}`)];
    a.peer = b;
    b.peer = a;
    return [a, b];
  }

  get readable(): boolean {
    return this.queue.length > 0 || this.hungUp;
  }

  private get hungUp(): boolean {
    return this.peer?.isClosed ?? false;
  }

  /** Puts a message into its queue. */
  arrive(message: Message): void {
    this.queue.push(message);
    this.onMessage?.(this);
  }

  send(data: Uint8Array | string, files: readonly OpenFile[] = []): number {
    if (!this.peer || this.hungUp) return -E.EPIPE;
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data.slice();
    this.peer.arrive({ data: bytes, files: files.map((file) => file.hold()) });
    return bytes.length;
  }

  /** The next message, or the part of it that fits; -errno. */
  receive(room: number, waits = this.blocks): Message | number {
    const message = this.queue.shift();
    if (!message) {
      if (this.hungUp) return { data: new Uint8Array(0), files: [] };
      if (!waits) return -E.EAGAIN;
      throw new Error(`a read from ${this.shown} would block for ever: wait until it is readable`);
    }
    if (message.data.length > room) this.queue.unshift({ data: message.data.subarray(room), files: [] });
    return { data: message.data.subarray(0, room), files: message.files };
  }

  /** Everything that has arrived, as text. */
  text(): string {
    const messages = this.queue.splice(0);
    for (const file of messages.flatMap(({ files }) => files)) file.drop();
    return messages.map(({ data }) => new TextDecoder().decode(data)).join('');
  }

  override read(data: Uint8Array): number {
    const message = this.receive(data.length);
    if (typeof message === 'number') return message;
    for (const file of message.files) file.drop();
    data.set(message.data);
    return message.data.length;
  }

  override write(data: Uint8Array): number {
    return this.send(data);
  }

  protected override closed(): void {
    this.isClosed = true;
    for (const file of this.queue.splice(0).flatMap(({ files }) => files)) file.drop();
    this.peer?.onHangUp?.(this.peer);
  }
}

/** A socket that accepts connections. */
class Listener extends OpenFile {
  readonly waiting: SocketEnd[] = [];
  isClosed = false;

  constructor(
    override readonly inode: Inode,
    readonly backlog: number,
    /** The script of a server. */
    public onConnect?: (end: SocketEnd) => void,
  ) {
    super();
  }

  get shown(): string {
    return this.inode.path;
  }

  get readable(): boolean {
    return this.waiting.length > 0;
  }

  protected override closed(): void {
    this.isClosed = true;
    for (const end of this.waiting.splice(0)) end.drop();
  }
}

export class Sockets {
  private readonly listeners = new Map<Inode, Listener>();
  private readonly datagrams = new Map<Inode | string, SocketEnd>();

  constructor(
    private readonly tree: FileTree,
    private readonly descriptors: Descriptors,
  ) {}

  /** A server at a path: `onConnect` gets its end of each connection. */
  listen(path: string, onConnect: (end: SocketEnd) => void): Inode {
    const inode = this.tree.socket(path);
    this.listeners.set(inode, new Listener(inode, 128, onConnect).hold() as Listener);
    return inode;
  }

  /** Makes a child serve a listener that it inherited. */
  serve(listener: OpenFile, onConnect: (end: SocketEnd) => void): void {
    if (!(listener instanceof Listener)) throw new Error(`${listener.shown} is not a listener`);
    listener.onConnect = onConnect;
  }

  /** Connects a client of another process to a listener of the process under test. */
  connect(path: string, trusted = true): SocketEnd {
    const inode = this.tree.at(path);
    const end = inode && this.connectTo(inode);
    if (!end || typeof end === 'number') throw new Error(`nothing listens at ${path}`);
    const listener = this.listeners.get(inode);
    for (const waiting of listener?.waiting ?? []) waiting.trusted = trusted;
    return end.hold();
  }

  /** Receives datagrams at a path, or at an abstract address with @ before it. */
  receiver(address: string): SocketEnd {
    const end = new SocketEnd(address, false).hold();
    this.datagrams.set(address[0] === '@' ? address : this.tree.socket(address), end);
    return end;
  }

  /** Sends a datagram of another process to a socket that the process under test has bound. */
  sendDatagram(path: string, text: string): void {
    const inode = this.tree.at(path);
    const receiver = inode && this.datagrams.get(inode);
    if (!receiver) throw new Error(`nobody receives datagrams at ${path}`);
    receiver.arrive({ data: new TextEncoder().encode(text), files: [] });
  }

  /** The client's end of a new connection, to which there is no reference yet. */
  private connectTo(inode: Inode): SocketEnd | number {
    if (!inode.is(S_IFSOCK)) return -E.ECONNREFUSED;
    const listener = this.listeners.get(inode);
    if (!listener || listener.isClosed) return -E.ECONNREFUSED;
    if (listener.waiting.length > listener.backlog) return -E.EAGAIN;
    const [client, server] = SocketEnd.pair(`connection to ${inode.path}`);
    server.hold();
    if (listener.onConnect) listener.onConnect(server);
    else listener.waiting.push(server);
    return client;
  }

  private find(dirfd: number, name: string) {
    const from = dirfd === AT_FDCWD ? this.tree.cwd : this.descriptors.get(dirfd)?.inode;
    return from ? this.tree.find(from, name, true) : -E.EBADF;
  }

  /** Makes the inode of a bound socket. */
  private bind(dirfd: number, name: string, mode: number): Inode | number {
    const found = this.find(dirfd, name);
    if (typeof found === 'number') return found;
    return found.inode ? -E.EADDRINUSE : this.tree.add(found, S_IFSOCK | mode);
  }

  private pipe(): [SocketEnd, SocketEnd] {
    const [reader, writer] = SocketEnd.pair('pipe', false);
    const inode = this.tree.inode(S_IFIFO | 0o600, this.tree.root.fs);
    inode.opens = (flags) => ((flags & O_ACCMODE) === O_RDONLY ? reader : writer);
    for (const end of [reader, writer]) end.inode = inode;
    return [reader, writer];
  }

  private openPair(data: Uint8Array, [a, b]: readonly [SocketEnd, SocketEnd]): number {
    putIntegers(data, [this.descriptors.open(a), this.descriptors.open(b)]);
    return 0;
  }

  calls() {
    const { descriptors } = this;
    const end = (fd: number): SocketEnd | undefined => {
      const file = descriptors.get(fd);
      return file instanceof SocketEnd ? file : undefined;
    };
    return {
      socketPair: (data) => this.openPair(data, SocketEnd.pair('socket pair')),
      packetPair: (data) => this.openPair(data, SocketEnd.pair('packet pair')),
      pipe: (data) => this.openPair(data, this.pipe()),
      unixListen: (dirfd, name, backlog) => {
        const inode = this.bind(dirfd, name, 0o600);
        if (typeof inode === 'number') return inode;
        const listener = new Listener(inode, backlog);
        this.listeners.set(inode, listener);
        return descriptors.open(listener);
      },
      accept: (socket) => {
        const listener = descriptors.get(socket);
        const connection = listener instanceof Listener ? listener.waiting.shift() : undefined;
        if (!connection) return -E.EAGAIN;
        const fd = connection.trusted ? descriptors.open(connection) : -E.EACCES;
        connection.drop();
        return fd;
      },
      trustedPeer: (socket) => (end(socket)?.trusted === false ? 0 : 1),
      unixConnect: (dirfd, name) => {
        const found = this.find(dirfd, name);
        if (typeof found === 'number') return found;
        const client = found.inode ? this.connectTo(found.inode) : -E.ENOENT;
        return typeof client === 'number' ? client : descriptors.open(client);
      },
      datagramBind: (dirfd, name, mode) => {
        const inode = this.bind(dirfd, name, mode);
        if (typeof inode === 'number') return inode;
        const receiver = new SocketEnd(inode.path, false);
        this.datagrams.set(inode, receiver);
        return descriptors.open(receiver);
      },
      datagramConnect: (address) => {
        const found = address[0] === '@' ? undefined : this.tree.find(this.tree.cwd, address, true);
        if (typeof found === 'number') return found;
        if (found && !found.inode) return -E.ENOENT;
        const receiver = this.datagrams.get(found?.inode ?? address);
        if (!receiver || receiver.isClosed) return -E.ECONNREFUSED;
        const [sender, relay] = SocketEnd.pair(`datagrams to ${address}`);
        relay.onMessage = () => {
          const message = relay.receive(1 << 20);
          if (typeof message !== 'number') receiver.arrive(message);
        };
        return descriptors.open(sender);
      },
      send: (socket, data) => end(socket)?.send(data) ?? -E.ENOTSOCK,
      sendFds: (socket, fds, data) => {
        const files = integersOf(fds).map((fd) => descriptors.get(fd));
        if (files.includes(undefined)) return -E.EBADF;
        return end(socket)?.send(data, files as OpenFile[]) ?? -E.ENOTSOCK;
      },
      receiveFds: (socket, data, fds) => {
        // MSG_DONTWAIT
        const message = end(socket)?.receive(data.length, false) ?? -E.ENOTSOCK;
        if (typeof message === 'number') return message;
        data.set(message.data);
        const list = new Int32Array(fds.length / 4).fill(-1);
        message.files.forEach((file, i) => {
          if (i < list.length) list[i] = descriptors.open(file);
          file.drop();
        });
        fds.set(new Uint8Array(list.buffer));
        return message.data.length;
      },
    } satisfies Partial<Native>;
  }
}
