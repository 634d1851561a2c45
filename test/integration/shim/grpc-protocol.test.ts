/** gRPC as the static binary serves it: statuses, deadlines, cancellation, limits (grpc: PROTOCOL-HTTP2). */
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { grpc } from '../../../build/gen/grpc.js';
import { task } from '../../../src/shim/transport/protos.js';
import { Code } from '../../../src/shim/transport/status-code.js';
import { needing, onBed } from '../bed/bed.js';
import { message } from '../bed/http2-peer.js';
import { serve, TaskClient } from '../bed/task-client.js';

const test = needing('gRPC protocol', 'root');

type Headers = Record<string, string | number | string[] | undefined>;
interface Answer {
  readonly headers: Headers;
  readonly trailers: Headers;
  readonly body: Buffer;
}

const service = '/containerd.task.v3.Task';
const reflectionPath = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
const connectRequest = message(task.ConnectRequest.encode({ id: 'x' }).finish());

/** One request, with all of its body. */
function ask(session: ClientHttp2Session, headers: Headers, ...parts: readonly Uint8Array[]): Promise<Answer> {
  return new Promise((settle, fail) => {
    const stream = session.request({
      ':method': 'POST',
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    const answer = { headers: {} as Headers, trailers: {} as Headers };
    const body: Buffer[] = [];
    stream.on('response', (received) => {
      answer.headers = received as Headers;
    });
    stream.on('trailers', (received) => {
      answer.trailers = received as Headers;
    });
    stream.on('data', (data) => body.push(data as Buffer));
    stream.on('error', fail);
    stream.on('close', () => settle({ ...answer, body: Buffer.concat(body) }));
    for (const part of parts) stream.write(part);
    stream.end();
  });
}

/** The status, which is a trailer, or a header of an answer without any message. */
const statusOf = ({ headers, trailers }: Answer): [code: number, message: string] => {
  const { 'grpc-status': code, 'grpc-message': text = '' } = { ...headers, ...trailers };
  return [Number(code), decodeURIComponent(String(text))];
};

const onServer = (body: (session: ClientHttp2Session, client: TaskClient, id: string) => Promise<void>) =>
  onBed(async (bed) => {
    const path = join(bed.dir, 'api.sock');
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const server = await serve(bed, path);
    const client = new TaskClient(path);
    const session = connect('http://localhost', { createConnection: () => connectSocket(path) });
    try {
      const { id, bundle } = bed;
      await client.call('Create', { id, bundle });
      await body(session, client, id);
      assert.is(statusOf(await ask(session, { ':path': `${service}/Connect` }, connectRequest))[0], 0, 'it serves on');
    } finally {
      session.destroy();
      client.close();
      server.kill('SIGKILL');
      bed.runt(['delete', '--force', bed.id]);
    }
  });

test(
  'a call has an answer of headers, a message and trailers; a failed one has headers alone',
  onServer(async (session, _, id) => {
    const done = await ask(session, { ':path': `${service}/Connect` }, connectRequest);
    assert.equal([done.headers[':status'], done.headers['content-type']], [200, 'application/grpc']);
    assert.equal([done.trailers['grpc-status'], done.headers['grpc-status']], ['0', undefined]);
    assert.is(task.ConnectResponse.decode(done.body.subarray(5)).taskPid, 0);
    assert.equal([done.body[0], done.body.readUInt32BE(1)], [0, done.body.length - 5]);
    const request = message(task.StateRequest.encode({ id: 'ünkn\nown' }).finish());
    const failed = await ask(session, { ':path': `${service}/State` }, request);
    assert.equal(statusOf(failed), [Code.NOT_FOUND, 'container ünkn\nown does not exist']);
    assert.equal([failed.trailers, failed.body.length], [{}, 0]);
    // The message in several frames, and bytes of its header apart.
    const state = message(task.StateRequest.encode({ id }).finish());
    const pieces = [...state].map((byte) => Buffer.from([byte]));
    const answer = await ask(session, { ':path': `${service}/State` }, ...pieces);
    assert.is(task.StateResponse.decode(answer.body.subarray(5)).id, id);
  }),
);

test(
  'requests that are not gRPC get 405 or 415, and calls of unknown methods UNIMPLEMENTED',
  onServer(async (session) => {
    const path = `${service}/Connect`;
    const status = async (headers: Headers) => (await ask(session, headers, connectRequest)).headers[':status'];
    assert.is(await status({ ':path': path, ':method': 'PUT' }), 405);
    assert.is(await status({ ':path': path, 'content-type': 'application/json' }), 415);
    assert.is(await status({ ':path': path, 'content-type': undefined }), 415);
    assert.is(await status({ ':path': path, 'x-long': 'x'.repeat(20_000) }), 431);
    for (const unknown of ['/none/None', `${service}/None`, '/', `${path}/`, '/containerd.task.v2.Task/Connect']) {
      const [code, text] = statusOf(await ask(session, { ':path': unknown }, connectRequest));
      assert.equal([code, text.startsWith(unknown.slice(1))], [Code.UNIMPLEMENTED, true], unknown);
    }
  }),
);

test(
  'compressed, missing, incomplete, further and too long messages are refused',
  onServer(async (session) => {
    const headers = { ':path': `${service}/Connect` };
    const compressed = Buffer.from(connectRequest);
    compressed[0] = 1;
    const long = Buffer.from([0, 0, 64, 0, 1]);
    for (const [what, code, parts, more] of [
      ['compressed', Code.UNIMPLEMENTED, [compressed], {}],
      ['gzip', Code.UNIMPLEMENTED, [connectRequest], { 'grpc-encoding': 'gzip' }],
      ['none', Code.INTERNAL, [], {}],
      ['half', Code.INTERNAL, [connectRequest.subarray(0, 6)], {}],
      ['two', Code.INTERNAL, [connectRequest, connectRequest], {}],
      ['flag', Code.INTERNAL, [Buffer.concat([Buffer.from([7]), connectRequest.subarray(1)])], {}],
      ['long', Code.RESOURCE_EXHAUSTED, [long, Buffer.alloc(1000)], {}],
      ['malformed', Code.INVALID_ARGUMENT, [message(Buffer.from([255]))], {}],
      ['timeout', Code.INTERNAL, [connectRequest], { 'grpc-timeout': '1x' }],
    ] as const) {
      assert.is(statusOf(await ask(session, { ...headers, ...more }, ...parts))[0], code, what);
    }
    const identity = { ...headers, 'grpc-encoding': 'identity', 'grpc-accept-encoding': 'gzip' };
    assert.is(statusOf(await ask(session, identity, connectRequest))[0], Code.OK);
  }),
);

test(
  'messages of 4 MiB pass in one direction and in the other',
  onServer(async (session) => {
    const value = Buffer.alloc((4 << 20) - 100, 0x20);
    const request = message(
      task.UpdateTaskRequest.encode({ id: 'none', resources: { type_url: 'x', value } }).finish(),
    );
    assert.is(statusOf(await ask(session, { ':path': `${service}/Update` }, request))[0], Code.NOT_FOUND);
    // An answer that repeats its request.
    const { ServerReflectionRequest } = grpc.reflection.v1;
    const long = ServerReflectionRequest.encode({ host: 'h'.repeat(2_000_000), listServices: '' }).finish();
    const answer = await ask(session, { ':path': reflectionPath }, message(long));
    assert.equal([statusOf(answer)[0], answer.body.length > 4_000_000], [Code.OK, true]);
    const longer = ServerReflectionRequest.encode({ host: 'h'.repeat(2_100_000), listServices: '' }).finish();
    assert.equal(
      statusOf(await ask(session, { ':path': reflectionPath }, message(longer)))[0],
      Code.RESOURCE_EXHAUSTED,
    );
  }),
);

test(
  'a deadline ends a Wait with DEADLINE_EXCEEDED, and cancelling one leaves the others',
  onServer(async (session, client, id) => {
    await client.call('Start', { id });
    const wait = message(task.WaitRequest.encode({ id }).finish());
    const headers = { ':path': `${service}/Wait` };
    const other = ask(session, headers, wait);
    const late = await ask(session, { ...headers, 'grpc-timeout': '50m' }, wait);
    assert.equal(statusOf(late), [4, 'the deadline of the call has passed']);
    const cancelled = session.request({ ':method': 'POST', 'content-type': 'application/grpc', ...headers });
    cancelled.on('error', () => {});
    cancelled.end(wait);
    const closed = new Promise((settle) => cancelled.once('close', settle));
    cancelled.close(constants.NGHTTP2_CANCEL);
    await closed;
    await client.call('Kill', { id, signal: 9 });
    const answer = await other;
    assert.is(task.WaitResponse.decode(answer.body.subarray(5)).exitStatus, 137);
  }),
);

test(
  'a stream answers each message before the next one is sent, and many that are sent at once',
  onServer(async (session) => {
    const { ServerReflectionRequest, ServerReflectionResponse } = grpc.reflection.v1;
    const stream = session.request({ ':method': 'POST', ':path': reflectionPath, 'content-type': 'application/grpc' });
    let data = Buffer.alloc(0);
    let wake = (): void => {};
    stream.on('data', (more) => {
      data = Buffer.concat([data, more as Buffer]);
      wake();
    });
    const next = async () => {
      while (data.length < 5 || data.length < 5 + data.readUInt32BE(1)) {
        await new Promise<void>((settle) => {
          wake = settle;
        });
      }
      const end = 5 + data.readUInt32BE(1);
      const answer = ServerReflectionResponse.decode(data.subarray(5, end));
      data = data.subarray(end);
      return answer.originalRequest?.host;
    };
    const request = (host: string) =>
      message(ServerReflectionRequest.encode({ host, fileContainingSymbol: 'containerd.task.v3.Task' }).finish());
    for (const host of ['a', 'b', 'c']) {
      stream.write(request(host));
      assert.is(await next(), host);
    }
    // Answers of 20 KB each, which are not read for a while: more than all buffers between.
    stream.pause();
    const hosts = Array.from({ length: 1000 }, (_, i) => `h${i}`);
    for (const host of hosts) stream.write(request(host));
    stream.end();
    stream.resume();
    for (const host of hosts) assert.is(await next(), host);
    const status = await new Promise<Headers>((settle) => stream.once('trailers', (h) => settle(h as Headers)));
    assert.is(status['grpc-status'], '0');
  }),
);

test.run();
