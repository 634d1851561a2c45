/** Streams of `runt serve --containerd --streaming`, read and written as containerd's CRI does with its io_type. */
import { connect, type Socket } from 'node:net';
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import * as assert from 'uvu/assert';
import { dataMessage, dataOf, updateOf, windowMessage } from '../../../src/shim/node/stream-protos.js';
import { google, ttrpc } from '../../../src/shim/transport/protos.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { NodeEngine } from '../bed/node-engine.js';
import { type ServerProgram, servers } from '../bed/task-client.js';

const suite = needing('streaming io', 'root', 'unshare');
const path = 'containerd.services.streaming.v1.Streaming/Stream';

/** The messages of one call of Stream. */
interface Messages {
  send(message: Uint8Array): void;
  /** Half-closes, as containerd's Close does. */
  end(): void;
  /** As containerd's end does when it is killed. */
  destroy(): void;
  onMessage: (message: Uint8Array) => void;
  /** Those that came with the first answer. */
  readonly early: Uint8Array[];
  /** 'end' for success, else the error. */
  readonly over: Promise<string>;
}

function overGrpc(socket: string): Messages {
  const client = new Client(`unix://${socket}`, credentials.createInsecure());
  const bytes = (value: Buffer): Buffer => value;
  const call: ClientDuplexStream<Buffer, Buffer> = client.makeBidiStreamRequest(`/${path}`, bytes, bytes);
  const messages: Messages = {
    send: (message) => void call.write(Buffer.from(message)),
    end: () => call.end(),
    // A cancelled call of grpc-js half-closes first. The next client takes the place of this one.
    destroy: () => {},
    onMessage: () => {},
    early: [],
    over: new Promise((settle) => {
      call.on('error', (error) => settle(error.message));
      call.on('end', () => settle('end'));
    }).finally(() => client.close()) as Promise<string>,
  };
  call.on('data', (message: Buffer) => messages.onMessage(new Uint8Array(message)));
  return messages;
}

/** ttrpc's frames: length, stream, type (1 request, 2 response, 3 data), flags (1 closed, 2 open, 4 no data). */
function overTtrpc(socket: string): Messages {
  const connection: Socket = connect(`${socket}.ttrpc`);
  const frame = (type: number, flags: number, message: Uint8Array): void => {
    const head = Buffer.alloc(10);
    head.writeUInt32BE(message.length, 0);
    head.writeUInt32BE(1, 4);
    head.writeUInt8(type, 8);
    head.writeUInt8(flags, 9);
    connection.write(Buffer.concat([head, message]));
  };
  const [service, method] = path.split('/') as [string, string];
  frame(1, 2, ttrpc.Request.encode({ service, method }).finish());
  let data = Buffer.alloc(0);
  let settle!: (how: string) => void;
  const messages: Messages = {
    send: (message) => frame(3, 0, message),
    end: () => frame(3, 5, new Uint8Array()),
    destroy: () => connection.destroy(),
    onMessage: () => {},
    early: [],
    over: new Promise<string>((resolve) => {
      settle = resolve;
    }),
  };
  connection.on('error', (error) => settle(error.message));
  connection.on('close', () => settle('closed'));
  connection.on('data', (chunk) => {
    data = Buffer.concat([data, chunk]);
    while (data.length >= 10 && data.length >= 10 + data.readUInt32BE(0)) {
      const [type, flags, end] = [data.readUInt8(8), data.readUInt8(9), 10 + data.readUInt32BE(0)];
      const message = new Uint8Array(data.subarray(10, end));
      if (type === 2) settle(ttrpc.Response.decode(message).status?.message ?? 'response');
      else if (!(flags & 4)) messages.onMessage(message);
      if (type === 3 && flags & 1) settle('end');
      data = data.subarray(end);
    }
  });
  void messages.over.then(() => connection.destroy());
  return messages;
}

const transports = { gRPC: overGrpc, ttrpc: overTtrpc } as const;

/** Opens a stream, and resolves at the answer. */
async function open(transport: typeof overGrpc, socket: string, id: string): Promise<Messages> {
  const messages = transport(socket);
  const answered = new Promise<Uint8Array>((settle) => {
    messages.onMessage = (message) => {
      messages.onMessage = (next) => messages.early.push(next);
      settle(message);
    };
  });
  // StreamInit: one field, the id.
  const value = Buffer.concat([Buffer.from([0x0a, id.length]), Buffer.from(id)]);
  const type_url = 'containerd.services.streaming.v1.StreamInit';
  messages.send(google.protobuf.Any.encode({ type_url, value }).finish());
  assert.is(google.protobuf.Any.decode(await answered).type_url, 'google.protobuf.Empty');
  return messages;
}

const windowSize = 64 << 10;

/** Reads an output with containerd's windows. */
class Reader {
  text = '';
  private window = 0;

  /** @param granted the first window */
  constructor(
    readonly messages: Messages,
    granted = windowSize,
  ) {
    messages.onMessage = (message) => {
      const data = Buffer.from(dataOf(message));
      this.text += data;
      this.window -= data.length;
      assert.ok(this.window >= 0, 'more than the window');
      if (granted > 0 && this.window < windowSize) this.grant(windowSize);
    };
    if (granted > 0) this.grant(granted);
    for (const message of messages.early.splice(0)) messages.onMessage(message);
  }

  grant(bytes: number): void {
    this.window += bytes;
    this.messages.send(windowMessage(bytes));
  }
}

/** Writes an input within the windows of the server. */
class Writer {
  private window = 0;
  private wake: (() => void) | undefined;

  constructor(readonly messages: Messages) {
    messages.onMessage = (message) => {
      this.window += updateOf(message);
      this.wake?.();
    };
    for (const message of messages.early.splice(0)) messages.onMessage(message);
  }

  async write(text: string): Promise<void> {
    for (let rest = Buffer.from(text); rest.length > 0; ) {
      while (this.window === 0)
        await new Promise<void>((settle) => {
          this.wake = settle;
        });
      const piece = rest.subarray(0, Math.min(this.window, 32 << 10));
      this.window -= piece.length;
      this.messages.send(dataMessage(piece));
      rest = rest.subarray(piece.length);
    }
  }
}

interface Streams {
  open(name: string): Promise<Messages>;
  /** The URL of a stream, as containerd makes it. */
  url(name: string): string;
}

const test = (name: string, body: (engine: NodeEngine, streams: Streams, bed: Bed) => Promise<void>): void => {
  for (const program of Object.keys(servers) as ServerProgram[])
    for (const [transport, connectTo] of Object.entries(transports))
      suite(
        `${program}, ${transport}: ${name}`,
        onBed(async (bed) => {
          const engine = new NodeEngine(bed, program);
          try {
            await engine.begin('--streaming');
            await body(
              engine,
              {
                open: (id) => open(connectTo, engine.socket, `${bed.id}-${id}`),
                url: (id) => `ttrpc+unix://${engine.socket}.ttrpc?streaming_id=${bed.id}-${id}`,
              },
              bed,
            );
          } finally {
            await engine.end();
          }
        }),
      );
};

test('the streams of a container and of an exec are those that containerd has opened before', async (engine, s, bed) => {
  const { id, bundle } = bed;
  bed.config.process.args = ['sh', '-c', 'cat; echo to-stderr >&2; exit 3'];
  bed.write();
  const stdin = new Writer(await s.open('stdin'));
  const [stdout, stderr] = [new Reader(await s.open('stdout')), new Reader(await s.open('stderr'))];
  await engine.tasks('Create', { id, bundle, stdin: s.url('stdin'), stdout: s.url('stdout'), stderr: s.url('stderr') });
  await engine.tasks('Start', { id });
  // More than all windows and pipes together, through both directions.
  const text = Array.from({ length: 60_000 }, (_, i) => `${i}\n`).join('');
  await stdin.write(text);
  const args = ['sh', '-c', 'read line; echo "exec $line"'];
  const value = Buffer.from(JSON.stringify({ args, cwd: '/', env: ['PATH=/bin'], user: { uid: 0, gid: 0 } }));
  const [execIn, execOut] = [new Writer(await s.open('x-stdin')), new Reader(await s.open('x-stdout'))];
  const execStreams = { stdin: s.url('x-stdin'), stdout: s.url('x-stdout') };
  await engine.tasks('Exec', { id, execId: 'x', spec: { type_url: 'x', value }, ...execStreams });
  await engine.tasks('Start', { id, execId: 'x' });
  await execIn.write('line\n');
  assert.is(await execOut.messages.over, 'end');
  assert.is(execOut.text, 'exec line\n');
  assert.is((await engine.tasks('Wait', { id, execId: 'x' })).exitStatus, 0);
  stdin.messages.end();
  assert.is(await stdout.messages.over, 'end');
  assert.is(await stderr.messages.over, 'end');
  assert.ok(stdout.text === text, 'all of the input comes back');
  assert.is(stderr.text, 'to-stderr\n');
  assert.is((await engine.tasks('Wait', { id })).exitStatus, 3);
  await engine.tasks('Delete', { id });
  // A stream that has ended has no more data.
  assert.is(await new Reader(await s.open('stdout')).messages.over, 'end');
});

test('output waits for the window, and for a containerd that connects again', async (engine, s, bed) => {
  const { id, bundle } = bed;
  bed.config.process.args = ['sh', '-c', 'read a; echo 123456; read b; echo "last $b"'];
  bed.write();
  const stdin = new Writer(await s.open('stdin'));
  const first = new Reader(await s.open('stdout'), 0);
  await engine.tasks('Create', { id, bundle, stdin: s.url('stdin'), stdout: s.url('stdout') });
  await engine.tasks('Start', { id });
  first.grant(3);
  await stdin.write('go\n');
  await eventually('three bytes', () => first.text === '123');
  // containerd is killed, and so is the server.
  first.messages.destroy();
  stdin.messages.destroy();
  await engine.kill();
  await engine.begin('--streaming');
  const [again, input] = [new Reader(await s.open('stdout')), new Writer(await s.open('stdin'))];
  await eventually('the rest', () => again.text === '456\n');
  await input.write('line\n');
  assert.is(await again.messages.over, 'end');
  assert.is(again.text, '456\nlast line\n');
  assert.is((await engine.tasks('Wait', { id })).exitStatus, 0);
  await engine.tasks('Delete', { id });
});

test('a terminal has one stream in each direction', async (engine, s, bed) => {
  const { id, bundle } = bed;
  bed.config.process.args = ['sh', '-c', 'test -t 0 && read line && echo "terminal $line"'];
  bed.config.process.terminal = true;
  bed.write();
  const [stdin, stdout] = [new Writer(await s.open('stdin')), new Reader(await s.open('stdout'))];
  await engine.tasks('Create', { id, bundle, terminal: true, stdin: s.url('stdin'), stdout: s.url('stdout') });
  await engine.tasks('Start', { id });
  await stdin.write('typed\n');
  assert.is(await stdout.messages.over, 'end');
  assert.is(stdout.text, 'typed\nterminal typed\n');
  assert.is((await engine.tasks('Wait', { id })).exitStatus, 0);
  await engine.tasks('Delete', { id });
});

test('a second client of a stream takes the place of the first, and other messages are refused', async (engine, s, bed) => {
  const { id, bundle } = bed;
  bed.config.process.args = ['sleep', '1000'];
  bed.write();
  const first = new Reader(await s.open('stdout'));
  await engine.tasks('Create', { id, bundle, stdout: s.url('stdout') });
  const second = new Reader(await s.open('stdout'));
  assert.match(await first.messages.over, /another client has this stream now/);
  second.messages.send(dataMessage(Buffer.from('x')));
  assert.match(
    await second.messages.over,
    /is containerd\.types\.transfer\.Data, not containerd\.types\.transfer\.Window/,
  );
  await engine.tasks('Delete', { id });
});

suite.run();
