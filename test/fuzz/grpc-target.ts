/**
 * gRPC: frames of HTTP/2 with messages of protobuf, whole and damaged, to `runt serve`. It answers each whole call as a
 * plain reading of its message says, and serves the next client whatever this one sent.
 */
import * as assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { health } from '../../src/shim/containers/api-protos.js';
import { task } from '../../src/shim/transport/protos.js';
import { decodeMessage, StatusError } from '../../src/shim/transport/status-code.js';
import { eventually } from '../deadline.js';
import {
  callHeaders,
  END_HEADERS,
  END_STREAM,
  Frame,
  field,
  frame,
  Http2Peer,
  message,
  preface,
  settings,
  u32,
} from '../integration/bed/http2-peer.js';
import { listening } from '../integration/bed/task-client.js';
import { bytesOf, changed, changes, type Target } from './target.js';

const checkPath = '/grpc.health.v1.Health/Check';
/** Unary methods that change nothing, as there is no container. */
const paths = [
  ...['State', 'Kill', 'Pids', 'Connect', 'Update', 'Stats', 'Delete', 'Exec', 'CloseIO', 'Wait', 'ResizePty'].map(
    (name) => `/containerd.task.v3.Task/${name}`,
  ),
  ...['Get', 'List', 'Wait', 'Kill', 'Delete', 'Start'].map((name) => `/runt.v1.Containers/${name}`),
  '/none/None',
  '/',
];

/** A number as protobuf writes it. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}

const text = fc.oneof(
  fc.constantFrom('', 'containerd.task.v3.Task', 'runt.v1.Containers', 'none', 'web'),
  fc.string({ maxLength: 20 }),
);
/** A field: its number, its wire type and the bytes of its value. */
const protoField = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.nat(3), text).map(([n, s]) => delimited(n + 1, bytesOf(s))) },
  { weight: 1, arbitrary: fc.tuple(fc.nat(9), fc.uint8Array({ maxLength: 20 })).map(([n, b]) => delimited(n + 1, b)) },
  { weight: 1, arbitrary: fc.tuple(fc.nat(9), fc.nat()).map(([n, v]) => [...varint((n + 1) * 8), ...varint(v)]) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat(9), fc.constantFrom([1, 8] as const, [5, 4] as const), fc.nat(255))
      .map(([n, [kind, size], byte]) => [...varint((n + 1) * 8 + kind), ...Array<number>(size).fill(byte)]),
  },
);
const delimited = (n: number, bytes: Uint8Array): number[] => [...varint(n * 8 + 2), ...varint(bytes.length), ...bytes];
const request = fc
  .tuple(fc.array(protoField, { maxLength: 4 }), fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, changes))
  .map(([fields, list]) => changed(Uint8Array.from(fields.flat()), list as [number, number][]));

/** The text of field 1 of a message; undefined if the message is malformed. */
function firstText(bytes: Uint8Array): string | undefined {
  let at = 0;
  let found = '';
  const number = (): number => {
    let value = 0;
    for (let factor = 1; at < bytes.length && factor < 2 ** 35; factor *= 128) {
      const byte = bytes[at++]!;
      value += (byte % 128) * factor;
      if (byte < 128) return value;
    }
    return Number.NaN;
  };
  while (at < bytes.length) {
    const tag = number();
    const kind = tag % 8;
    if (!(tag >= 8)) return undefined;
    if (kind === 0) {
      // Ten bytes at most.
      const from = at;
      while (bytes[at]! >= 128) at++;
      at++;
      if (at > bytes.length || at - from > 10) return undefined;
    } else if (kind === 1 || kind === 5) at += kind === 1 ? 8 : 4;
    else if (kind === 2) {
      const size = number();
      if (!(at + size <= bytes.length)) return undefined;
      const part = bytes.subarray(at, at + size);
      at += size;
      if (tag === 10) {
        try {
          found = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(part);
        } catch {
          return undefined;
        }
      }
    } else return undefined;
    if (at > bytes.length) return undefined;
  }
  return found;
}

/** Whether a message has what the reading above does not judge: groups, and numbers of more than 32 bits as tags. */
const isJudged = (bytes: Uint8Array): boolean => {
  let at = 0;
  while (at < bytes.length) {
    let length = 0;
    while (bytes[at + length]! >= 128) length++;
    if (length > 1 || [3, 4, 6, 7].includes(bytes[at]! % 8) || bytes[at]! === 0) return false;
    const kind = bytes[at]! % 8;
    at += length + 1;
    if (kind === 1 || kind === 5) at += kind === 1 ? 8 : 4;
    else {
      let value = 0;
      let n = 0;
      for (; bytes[at + n]! >= 128; n++) value += (bytes[at + n]! % 128) * 128 ** n;
      value += (bytes[at + n] ?? 0) * 128 ** n;
      if (n > 3) return false;
      at += n + 1 + (kind === 2 ? value : 0);
    }
  }
  return true;
};

/** Any frame of a client. */
const anyFrame = fc
  .record({
    type: fc.oneof(fc.constantFrom(...Object.values(Frame)), fc.nat(255)),
    flags: fc.nat(255),
    stream: fc.nat(12),
    payload: fc.uint8Array({ maxLength: 40 }),
  })
  .map(({ type, flags, stream, payload }) => frame(type, flags, stream, payload));

interface OneCall {
  readonly path: string;
  readonly request: Uint8Array;
  /** Bytes of each DATA frame. */
  readonly piece: number;
  readonly isPadded: boolean;
  readonly metadata: readonly (readonly [string, string])[];
}

const metadata = fc.constantFrom(
  ['grpc-timeout', '10S'] as const,
  ['x-note', 'any'] as const,
  ['x-note-bin', 'AAEC'] as const,
  ['grpc-encoding', 'identity'] as const,
);
const call: fc.Arbitrary<OneCall> = fc.record({
  path: fc.oneof(fc.constant(checkPath), fc.constantFrom(...paths)),
  request,
  piece: fc.constantFrom(1, 2, 5, 16_384),
  isPadded: fc.boolean(),
  metadata: fc.uniqueArray(metadata, { maxLength: 2, selector: ([name]) => name }),
});

/** The frames of a call: its headers in one or two frames, its message in pieces, padded or not. */
function framesOf(stream: number, { path, request, piece, isPadded, metadata }: OneCall): Buffer {
  const headers = Buffer.concat([callHeaders(path), ...metadata.map(([name, value]) => field(name, value))]);
  const half = isPadded ? headers.length >> 1 : headers.length;
  const bytes = message(request);
  const PADDED = 8;
  const parts: Buffer[] = [
    frame(Frame.HEADERS, half < headers.length ? 0 : END_HEADERS, stream, headers.subarray(0, half)),
  ];
  if (half < headers.length) parts.push(frame(Frame.CONTINUATION, END_HEADERS, stream, headers.subarray(half)));
  for (let at = 0; at < bytes.length; at += piece) {
    const part = bytes.subarray(at, at + piece);
    const isLast = at + piece >= bytes.length;
    const payload = isPadded ? Buffer.concat([Buffer.from([3]), part, Buffer.alloc(3)]) : part;
    parts.push(frame(Frame.DATA, (isPadded ? PADDED : 0) | (isLast ? END_STREAM : 0), stream, payload));
  }
  return Buffer.concat(parts);
}

/** The server of all inputs; it ends with this process. */
class Server {
  readonly #directory = mkdtempSync(join(tmpdir(), 'runt-grpc-'));
  readonly path = join(this.#directory, 'socket');
  readonly #child: ChildProcess;
  #standing: Http2Peer | undefined;

  constructor() {
    const args = ['--root', join(this.#directory, 'root'), 'serve', '--listen', `unix://${this.path}`];
    this.#child = spawn('dist/runt', args, { stdio: ['ignore', 'ignore', 'inherit'] });
    process.on('exit', () => {
      this.#child.kill('SIGKILL');
      rmSync(this.#directory, { recursive: true, force: true });
    });
  }

  /** Fails if the server has ended, or does not answer a client that was there before. */
  async check(): Promise<void> {
    if (!this.#standing) {
      await listening(this.path);
      this.#standing = new Http2Peer(this.path);
    }
    assert.equal(this.#child.exitCode ?? this.#child.signalCode, null, 'the server has ended');
    await this.#standing.ping('an answer to another client');
    this.#standing.received.length = 0;
  }
}
let server: Server | undefined;

interface Input {
  readonly calls: readonly OneCall[];
  readonly list: readonly (readonly [number, number])[];
  readonly rest: readonly Buffer[];
}

/** Whether a call has its answer, and whether that has a message: then it succeeded. */
function answerOf({ received }: Http2Peer, stream: number): boolean | undefined {
  const own = received.filter((one) => one.stream === stream);
  const ends = own.some(({ type, flags }) => type === Frame.HEADERS && flags & END_STREAM);
  return ends ? own.some(({ type }) => type === Frame.DATA) : undefined;
}

async function isAnswered(peer: Http2Peer, calls: readonly OneCall[]): Promise<void> {
  for (const [i, { path, request }] of calls.entries()) {
    const stream = 2 * i + 1;
    const answer = await eventually(`the answer of ${path}`, () => {
      const found = answerOf(peer, stream);
      assert.ok(found !== undefined || !peer.isClosed, `${path}: the connection has ended`);
      return found === undefined ? undefined : { hasMessage: found };
    });
    if (path !== checkPath || !isJudged(request)) continue;
    const service = firstText(request);
    // Of several texts, the server looks only at the last; Node.js at all.
    if (service === undefined && request.indexOf(10) !== request.lastIndexOf(10)) continue;
    const isServed = ['', 'containerd.task.v3.Task', 'runt.v1.Containers'].includes(service ?? 'none');
    assert.equal(answer.hasMessage, isServed, `${path} of ${Buffer.from(request).toString('hex')}`);
  }
}

/** A message that is read is written again as one that is read the same. */
function decodes(bytes: Uint8Array): void {
  for (const type of [task.CreateTaskRequest, task.UpdateTaskRequest, task.ExecProcessRequest, task.KillRequest]) {
    let known: InstanceType<typeof type>;
    try {
      known = decodeMessage(type as typeof task.KillRequest, bytes) as InstanceType<typeof type>;
    } catch (error) {
      assert.ok(error instanceof StatusError, String(error));
      continue;
    }
    const again = (type as typeof task.KillRequest).encode(known as task.KillRequest).finish();
    assert.deepEqual(decodeMessage(type as typeof task.KillRequest, again), known);
  }
  let service: string | undefined;
  try {
    service = decodeMessage(health.HealthCheckRequest, bytes).service;
  } catch (error) {
    assert.ok(error instanceof StatusError, String(error));
  }
  if (isJudged(bytes)) assert.equal(service, firstText(bytes), Buffer.from(bytes).toString('hex'));
}

export const grpcFrames: Target<Input> = {
  inputs: fc.record({
    calls: fc.array(call, { minLength: 1, maxLength: 3 }),
    list: fc.oneof(fc.constant([]), changes),
    rest: fc.array(anyFrame, { maxLength: 3 }),
  }) as fc.Arbitrary<Input>,
  codes: /^never$/,
  async read({ calls, list, rest }) {
    for (const { request } of calls) decodes(request);
    server ??= new Server();
    await server.check();
    const frames = calls.map((one, i) => framesOf(2 * i + 1, one));
    const peer = new Http2Peer(server.path, false);
    try {
      const bytes = changed(Buffer.concat(frames), list);
      if (list.length > 0) await peer.send(preface, bytes, ...rest);
      else {
        await peer.send(preface, settings(), bytes, frame(Frame.WINDOW_UPDATE, 0, 0, u32(1)));
        await isAnswered(peer, calls);
        await peer.send(...rest);
      }
      await server.check();
    } finally {
      peer.end();
    }
  },
};
