/** Streams that the keeper holds, with clients that do not behave. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { containerd, google } from '../../../build/gen/streams.js';
import { HeldStreams } from '../../../src/shim/node/held-streams.js';
import { windowMessage } from '../../../src/shim/node/stream-protos.js';
import type { Stream } from '../../../src/shim/transport/rpc.js';
import { Code, StatusError } from '../../../src/shim/transport/status-code.js';
import { native } from '../../../src/sys/host.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { eventually } from '../../deadline.js';

useNodeHost([]);

/** The read and the write end of a pipe. */
function pipe(): [number, number] {
  const ends = new BigInt64Array(2);
  assert.is(native.pipe(new Uint8Array(ends.buffer)), 0);
  return [Number(ends[0]), Number(ends[1])];
}

/** A client that sends its messages at once, and then none; after `reads` messages it reads no more. */
class Client implements Stream {
  readonly received: Uint8Array[] = [];
  readonly header = (): undefined => undefined;
  readonly cancelled: Promise<void> = new Promise(() => {});

  constructor(
    private readonly messages: Uint8Array[],
    private readonly reads = Number.POSITIVE_INFINITY,
  ) {}

  async receive(): Promise<Uint8Array | undefined> {
    return this.messages.shift() ?? new Promise(() => {});
  }

  async send(message: Uint8Array): Promise<void> {
    this.received.push(message);
    if (this.received.length > this.reads) await new Promise(() => {});
  }
}

const init = (id: string): Uint8Array =>
  google.protobuf.Any.encode({
    type_url: 'containerd.services.streaming.v1.StreamInit',
    value: containerd.services.streaming.v1.StreamInit.encode({ id }).finish(),
  }).finish();

test('a client that reads no output does not hold it from the client that replaces it', async () => {
  const streams = new HeldStreams();
  const [output, process] = pipe();
  streams.hold('>out', output);
  const silent = new Client([init('out'), windowMessage(1 << 20)], 1);
  const replaced = streams.serve(silent).catch((error: unknown) => error);
  native.write(process, new TextEncoder().encode('lost'));
  // The answer to the StreamInit, and the output.
  await eventually('the first client has what it does not read', () => silent.received.length === 2);
  const client = new Client([init('out'), windowMessage(1 << 20)]);
  const served = streams.serve(client);
  assert.is(((await replaced) as StatusError).code, Code.CANCELLED);
  native.write(process, new TextEncoder().encode('more'));
  await eventually('the second client has the next output', () => client.received.length === 2);
  assert.ok(new TextDecoder().decode(client.received[1]).includes('more'));
  native.close(process);
  await served;
  await eventually('the stream is forgotten', () => streams.size === 0);
});

test('the id of a stream has at most 1024 characters', async () => {
  const error = await new HeldStreams().serve(new Client([init('x'.repeat(1025))])).catch((e: unknown) => e);
  assert.instance(error, StatusError);
  assert.is((error as StatusError).code, Code.INVALID_ARGUMENT);
});

test.run();
