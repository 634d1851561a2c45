/** ttrpc over a socket pair: client and server of the code, and handmade frames. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Clients } from '../../../src/shim/transport/client-limits.js';
import { ttrpc } from '../../../src/shim/transport/protos.js';
import type { UnaryCall } from '../../../src/shim/transport/rpc.js';
import { Code, StatusError } from '../../../src/shim/transport/status-code.js';
import { Connection, type Handler } from '../../../src/shim/transport/ttrpc.js';
import { TtrpcStream } from '../../../src/shim/transport/ttrpc-stream.js';
import { RuntError } from '../../../src/sys/error.js';
import { native } from '../../../src/sys/host.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { readable } from '../../../src/sys/waiting/loop.js';
import { DEADLINE, eventually } from '../../deadline.js';
import { requestFrame } from '../request-frame.js';

useNodeHost([]);

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);

function pair(): [number, number] {
  const ends = new BigInt64Array(2);
  assert.is(native.socketPair(new Uint8Array(ends.buffer)), 0);
  return [Number(ends[0]), Number(ends[1])];
}

function connected(handler: Handler): { client: Connection; server: Connection } {
  const [a, b] = pair();
  const client = new Connection(a);
  const server = new Connection(b, handler);
  void client.serve();
  void server.serve();
  return { client, server };
}

const echo: Handler = async (service, method, payload) => bytes(`${service}/${method}:${text(payload)}`);

test('responses reach their calls in any order', async () => {
  let release = () => {};
  const answered = new Promise<void>((settle) => {
    release = settle;
  });
  const { client } = connected(async (_, method, payload) => {
    if (method === 'Slow') await answered;
    return payload;
  });
  const order: string[] = [];
  const ask = async (method: string) => {
    const answer = text(await client.call('s', method, bytes(method)));
    order.push(answer);
    release();
  };
  await Promise.all([ask('Slow'), ask('Fast')]);
  assert.equal(order, ['Fast', 'Slow']);
  client.close();
});

test('an error has its code: that of a status, or of a RuntError with its whole report', async () => {
  const { client } = connected(async (_, method) => {
    if (method === 'Gone') throw new StatusError(Code.NOT_FOUND, 'gone');
    throw new RuntError({ code: 'ERR_CONTAINER_EXISTS', message: 'is there', pointer: '/x', hint: 'because' });
  });
  const failure = (method: string) =>
    client.call('s', method, bytes('')).then(
      () => assert.unreachable(),
      (e: StatusError) => e,
    ) as Promise<StatusError>;
  const gone = await failure('Gone');
  assert.equal([gone.code, gone.message], [Code.NOT_FOUND, 'gone']);
  const there = await failure('Other');
  assert.is(there.code, Code.ALREADY_EXISTS);
  assert.match(there.message, /is there\n {2}at {2}\/x in config.json\n {2}fix because/);
  client.close();
});

test('a message of a megabyte passes, and calls fail when the other side ends', async () => {
  const { client, server } = connected(async (_, method, payload) => {
    if (method === 'Never') await new Promise(() => {});
    return payload;
  });
  const large = new Uint8Array(1 << 20).fill(7);
  assert.is((await client.call('s', 'm', large)).length, 1 << 20);
  const waiting = client.call('s', 'Never', bytes(''));
  server.close();
  const error = await waiting.then(
    () => assert.unreachable(),
    (e: unknown) => e,
  );
  assert.match(String(error), /connection has ended/);
});

test('a frame that arrives byte by byte is one frame, and two in one piece are two', async () => {
  const [a, b] = pair();
  void new Connection(b, echo).serve();
  const frame = (stream: number, method: string) => requestFrame(stream, { service: 's', method, payload: bytes('p') });
  const client = new Connection(a);
  for (const byte of frame(1, 'Slowly')) native.write(a, new Uint8Array([byte]));
  native.write(a, new Uint8Array([...frame(3, 'One'), ...frame(5, 'Two')]));
  const buffer = new Uint8Array(4096);
  let all = '';
  while (!all.includes('Two')) {
    assert.ok(await readable(a, DEADLINE), `no answer after ${all}`);
    const n = native.read(a, buffer);
    all += text(buffer.subarray(0, n));
  }
  for (const method of ['Slowly', 'One', 'Two']) assert.ok(all.includes(`s/${method}:p`), all);
  client.close();
});

test('a response that is too long fails its call, and the next call is answered', async () => {
  const { client } = connected(async (_, method) => new Uint8Array(method === 'Long' ? (4 << 20) + 1 : 1));
  const error = await client.call('s', 'Long', bytes('')).then(
    () => assert.unreachable(),
    (e: StatusError) => e,
  );
  assert.is((error as StatusError).code, Code.RESOURCE_EXHAUSTED);
  assert.match((error as StatusError).message, /the answer is too long: 4194\d+ bytes/);
  assert.is((await client.call('s', 'Short', bytes(''))).length, 1);
  client.close();
});

test('a frame longer than 4 MiB ends the connection', async () => {
  const [a, b] = pair();
  const served = new Connection(b, echo).serve();
  const head = new Uint8Array(10);
  new DataView(head.buffer).setUint32(0, (4 << 20) + 1);
  native.write(a, head);
  await served;
  assert.is(native.read(a, new Uint8Array(1)), 0);
  native.close(a);
});

test('calls are cancelled when their connection ends, and not after their answer', async () => {
  const calls: UnaryCall[] = [];
  const cancelled: string[] = [];
  const { client } = connected(async (_, method, payload, call) => {
    calls.push(call);
    call.onCancel = () => cancelled.push(method);
    if (method === 'Wait') await new Promise(() => {});
    return payload;
  });
  await client.call('s', 'Answered', bytes(''));
  const waiting = client.call('s', 'Wait', bytes('')).catch(() => 'ended');
  await eventually('the call', () => calls.length === 2);
  client.close();
  assert.is(await waiting, 'ended');
  await eventually('its end', () => cancelled.length > 0);
  assert.equal(cancelled, ['Wait']);
});

/** The first frame of a call with streams. */
function openingFrame(stream: number): Uint8Array {
  const data = requestFrame(stream, { service: 's', method: 'm' });
  data[9] = 2; // REMOTE_OPEN
  return data;
}

/** Frames of DATA without bytes. */
function emptyFrames(stream: number, count: number): Uint8Array {
  const data = new Uint8Array(10 * count);
  const view = new DataView(data.buffer);
  for (let at = 0; at < data.length; at += 10) {
    view.setUint32(at + 4, stream);
    view.setUint8(at + 8, 3);
  }
  return data;
}

/** The status of the next response of a server. */
async function nextStatus(fd: number): Promise<ttrpc.Response.$Properties['status']> {
  const data = new Uint8Array(4096);
  assert.ok(await readable(fd, DEADLINE), 'no answer');
  const n = native.read(fd, data);
  return ttrpc.Response.decode(data.subarray(10, n)).status;
}

test('a request with more than 16 KiB of headers is refused, with and without streams', async () => {
  const [a, b] = pair();
  const server = new Connection(b, echo, undefined, () => async () => {});
  void server.serve();
  const request = (entries: number) => ({ service: 's', method: 'm', metadata: Array(entries).fill({}) });
  for (const flags of [0, 2]) {
    const frame = requestFrame(1, request(513));
    frame[9] = flags;
    native.write(a, frame);
    const status = await nextStatus(a);
    assert.is(status?.code, Code.RESOURCE_EXHAUSTED);
    assert.match(status?.message ?? '', /16416 bytes of headers, more than 16384/);
  }
  native.write(a, requestFrame(3, request(512)));
  assert.is((await nextStatus(a))?.code ?? 0, 0);
  native.close(a);
});

test('a second call on a stream that is in use fails, and the first one ends with the connection', async () => {
  const [a, b] = pair();
  let [begun, ended] = [0, 0];
  const server = new Connection(b, echo, undefined, () => async (call) => {
    begun++;
    await call.cancelled;
    ended++;
  });
  void server.serve();
  native.write(a, openingFrame(1));
  native.write(a, openingFrame(1));
  const status = await nextStatus(a);
  assert.equal([status?.code, status?.message], [Code.INVALID_ARGUMENT, 'the stream 1 is in use']);
  native.close(a);
  await eventually('the end', () => ended === 1);
  assert.is(begun, 1);
});

test('a stream whose messages are not read fails, even if they have no bytes', async () => {
  const [a, b] = pair();
  const server = new Connection(b, echo, undefined, () => async (call) => {
    await call.cancelled;
    await call.receive();
  });
  void server.serve();
  native.write(a, openingFrame(1));
  native.write(a, emptyFrames(1, 5000));
  const status = await nextStatus(a);
  assert.equal([status?.code, status?.message], [Code.RESOURCE_EXHAUSTED, 'the client sends more than is read']);
  native.close(a);
});

test('the unread messages of all streams have one limit, and the longest queue is refused', async () => {
  const clients = new Clients(() => {}, { connections: 1, bytes: 10_000, calls: 3 });
  const [long, short, later] = [1, 2, 3].map(
    () =>
      new TtrpcStream(
        () => undefined,
        async () => {},
        clients,
      ),
  );
  long!.push(new Uint8Array(6000));
  short!.push(new Uint8Array(2000));
  short!.push(new Uint8Array(3000));
  const refused = await long!.receive().catch((error: unknown) => error);
  assert.instance(refused, StatusError);
  assert.is((refused as StatusError).code, Code.RESOURCE_EXHAUSTED);
  assert.is((await short!.receive())?.length, 2000);
  assert.is((await short!.receive())?.length, 3000);
  // What is read or dropped takes nothing.
  later!.push(new Uint8Array(9000));
  later!.drop();
  short!.push(new Uint8Array(9900));
  assert.is((await short!.receive())?.length, 9900);
});

test.run();
