/** Limits of what the clients of a server hold together: unfinished messages, calls, connections, unread responses. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type ClientLimits, Clients } from '../../../src/shim/transport/client-limits.js';
import { ttrpc } from '../../../src/shim/transport/protos.js';
import { Code, StatusError } from '../../../src/shim/transport/status-code.js';
import { Connection, type Handler } from '../../../src/shim/transport/ttrpc.js';
import { E } from '../../../src/sys/errno.js';
import { native } from '../../../src/sys/host.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { readable } from '../../../src/sys/waiting/loop.js';
import { elapse, eventually } from '../../deadline.js';
import { requestFrame } from '../request-frame.js';

useNodeHost([]);

const KiB = 1024;

/** A server with limits, its clients, and its log. */
class Server {
  readonly logged: string[] = [];
  readonly clients: Clients;
  readonly connections: Connection[] = [];
  readonly sockets: number[] = [];

  constructor(
    limits: Partial<ClientLimits>,
    private readonly handler: Handler = async (_, __, payload) => payload.slice(0, 1),
  ) {
    this.clients = new Clients((line) => this.logged.push(line), {
      connections: 99,
      bytes: 1 << 20,
      calls: 99,
      ...limits,
    });
  }

  /** The socket of a client, for `send`, which does not block. */
  connect(): number {
    const ends = new BigInt64Array(2);
    assert.is(native.socketPair(new Uint8Array(ends.buffer)), 0);
    const [ours, theirs] = [Number(ends[0]), Number(ends[1])];
    const connection = new Connection(theirs, this.handler, this.clients);
    this.connections.push(connection);
    this.sockets.push(ours);
    void connection.serve();
    return ours;
  }

  end(): void {
    for (const connection of this.connections) connection.close();
    for (const fd of this.sockets) native.close(fd);
  }
}

/** A request frame whose payload has this many bytes. */
const frame = (stream: number, size: number): Uint8Array =>
  requestFrame(stream, { service: 's', method: 'm', payload: new Uint8Array(size) });

/** Writes everything, at the speed of the receiver. */
async function write(fd: number, data: Uint8Array): Promise<void> {
  let at = 0;
  await eventually('all is written', () => {
    const n = native.send(fd, data.subarray(at));
    assert.ok(n > 0 || n === -E.EAGAIN, `send: ${n}`);
    at += Math.max(n, 0);
    return at === data.length;
  });
}

/** The next response: its stream and its code, 0 for none. */
async function answer(fd: number): Promise<{ stream: number; code: number; message: string }> {
  const take = async (size: number): Promise<Uint8Array> => {
    const data = new Uint8Array(size);
    for (let at = 0; at < size; ) {
      assert.ok(await readable(fd, 10_000), 'no answer');
      const n = native.read(fd, data.subarray(at));
      assert.ok(n > 0, `read: ${n}`);
      at += n;
    }
    return data;
  };
  const view = new DataView((await take(10)).buffer);
  const { status } = ttrpc.Response.decode(await take(view.getUint32(0)));
  return { stream: view.getUint32(4), code: status?.code ?? 0, message: status?.message ?? '' };
}

test('an announced message takes memory only as it arrives, and frees it', async () => {
  const server = new Server({ bytes: 8 << 20 });
  const fd = server.connect();
  const connection = server.connections[0] as Connection;
  const data = frame(1, (4 << 20) - 100);
  await write(fd, data.subarray(0, 100));
  // The announcement alone takes no memory.
  await elapse(20);
  assert.is(connection.bufferSize, 0, 'for the announcement alone');
  await write(fd, data.subarray(100, 100 * KiB));
  await eventually('a part of the message arrives', () => connection.bufferSize > 0);
  assert.ok(connection.bufferSize <= 256 * KiB, `${connection.bufferSize} bytes for 100 KiB`);
  await write(fd, data.subarray(100 * KiB));
  assert.equal(await answer(fd), { stream: 1, code: 0, message: '' });
  assert.is(connection.bufferSize, 0, 'after the message');
  // Long and short ones in one piece.
  await write(fd, new Uint8Array([...frame(3, 9000), ...frame(5, 3), ...frame(7, 5000)]));
  for (const stream of [3, 5, 7]) assert.is((await answer(fd)).stream, stream);
  assert.is(connection.bufferSize, 0);
  assert.equal(server.logged, []);
  server.end();
});

test('200 clients that stop within a message hold at most the limit, and a complete message is answered', async () => {
  const limit = 512 * KiB;
  const server = new Server({ connections: 300, bytes: limit });
  const data = frame(1, 64 * KiB);
  const held = () => server.connections.reduce((sum, c) => sum + c.bufferSize, 0);
  for (let i = 0; i < 200; i++) {
    await write(server.connect(), data.subarray(0, data.length - 1));
    assert.ok(held() <= limit, `${held()} bytes`);
  }
  const fd = server.connect();
  await write(fd, frame(1, 30 * KiB));
  assert.is((await answer(fd)).code, 0);
  assert.ok(held() <= limit && held() > limit / 4, `${held()} bytes`);
  // The log has one line, not two hundred.
  assert.is(server.logged.length, 1, server.logged.join('\n'));
  assert.match(String(server.logged[0]), /^a message is refused: the messages that clients are sending take more than/);
  server.end();
});

test('the longest message is refused with RESOURCE_EXHAUSTED, its rest is skipped, and its connection stays', async () => {
  const server = new Server({ bytes: 100 * KiB });
  const [long, short] = [server.connect(), server.connect()];
  const data = frame(7, 90 * KiB);
  await write(long, data.subarray(0, 80 * KiB));
  await eventually('the long one arrives', () => (server.connections[0] as Connection).bufferSize > 64 * KiB);
  const other = frame(1, 20 * KiB);
  await write(short, other);
  assert.is((await answer(short)).code, 0);
  const refused = await answer(long);
  assert.equal([refused.stream, refused.code], [7, Code.RESOURCE_EXHAUSTED]);
  assert.is((server.connections[0] as Connection).bufferSize, 0);
  await write(long, new Uint8Array([...data.subarray(80 * KiB), ...frame(9, 10)]));
  assert.equal(await answer(long), { stream: 9, code: 0, message: '' });
  server.end();
});

test('requests of a client that does not read are not read beyond 64 KiB of its responses', async () => {
  let calls = 0;
  const server = new Server({ calls: 1e6 }, async () => {
    calls++;
    return new Uint8Array(16 * KiB);
  });
  const fd = server.connect();
  const one = frame(1, 10);
  const asked = (): number => {
    let n = 0;
    for (let r = native.send(fd, one); r === one.length; r = native.send(fd, one)) n++;
    return n;
  };
  // Requests until the socket is full and nothing moves any more.
  let all = asked();
  for (let before = -1; before !== calls || calls === 0; ) {
    before = calls;
    // Nothing has moved for that long: the sockets are full.
    await elapse(100);
    all += asked();
  }
  assert.ok(calls < all / 2, `${calls} of ${all} requests were read`);
  // Now the client reads: all of its requests are answered.
  let answers = 0;
  for (; answers < all; answers++) await answer(fd);
  assert.is(calls, all);
  server.end();
});

test('a call beyond the limit is refused, and those before it are answered', async () => {
  let go!: () => void;
  const gate = new Promise<void>((settle) => {
    go = settle;
  });
  const server = new Server({ calls: 3 }, async () => {
    await gate;
    return new Uint8Array(1);
  });
  const fd = server.connect();
  for (const stream of [1, 3, 5, 7]) await write(fd, frame(stream, 1));
  const refused = await answer(fd);
  assert.equal([refused.stream, refused.code], [7, Code.RESOURCE_EXHAUSTED]);
  go();
  for (const stream of [1, 3, 5]) assert.equal(await answer(fd), { stream, code: 0, message: '' });
  await write(fd, frame(9, 1));
  assert.is((await answer(fd)).code, 0, 'there is room again');
  server.end();
});

test('connections beyond the limit are refused with one line in the log', () => {
  const logged: string[] = [];
  const clients = new Clients((line) => logged.push(line), { connections: 2, bytes: 1, calls: 1 });
  assert.equal([clients.connect(), clients.connect()], [true, true]);
  for (let i = 0; i < 50; i++) assert.is(clients.connect(), false);
  clients.disconnect();
  assert.is(clients.connect(), true);
  assert.equal(logged, ['a connection is closed: there are 2 already']);
});

test('a message that is too long for ttrpc closes its connection, and the log says so', async () => {
  const server = new Server({});
  const fd = server.connect();
  const head = new Uint8Array(10);
  new DataView(head.buffer).setUint32(0, (4 << 20) + 1);
  await write(fd, head);
  assert.ok(await readable(fd, 10_000));
  assert.is(native.read(fd, new Uint8Array(1)), 0);
  assert.match(server.logged.join(), /a connection is closed: it announces a message of 4194305 bytes/);
  server.end();
});

test('a call that is too long to be sent fails and leaves nothing', async () => {
  const server = new Server({});
  const client = new Connection(server.connect());
  const error = await client.call('s', 'm', new Uint8Array((4 << 20) + 1)).catch((e) => e);
  assert.ok(error instanceof StatusError, String(error));
  client.close();
  server.sockets.length = 0;
  server.end();
});

test.run();
