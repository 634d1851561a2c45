/** Messages of a gRPC call: split and joined in any way, refused when they are compressed or too long. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Inbox, MAX_MESSAGE } from '../../../src/shim/grpc/grpc-inbox.js';
import { Code, StatusError } from '../../../src/shim/transport/status-code.js';

function frame(message: Uint8Array, flag = 0): Uint8Array {
  const bytes = new Uint8Array(5 + message.length);
  bytes[0] = flag;
  new DataView(bytes.buffer).setUint32(1, message.length);
  bytes.set(message, 5);
  return bytes;
}

const joined = (parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));
const taken = (inbox: Inbox): Uint8Array[] => {
  const all: Uint8Array[] = [];
  for (let message = inbox.take(); message; message = inbox.take()) all.push(message.slice());
  return all;
};
const messages = [0, 1, 5, 2000, 0, 70_000, 3].map((length, i) => new Uint8Array(length).fill(i + 1));

test('messages are whole in whatever pieces they arrive', () => {
  const bytes = joined(messages.map((message) => frame(message)));
  for (const size of [1, 4, 5, 6, 999, 16_384, bytes.length]) {
    const inbox = new Inbox();
    const all: Uint8Array[] = [];
    const piece = new Uint8Array(size);
    for (let at = 0; at < bytes.length; at += size) {
      // The caller overwrites its buffer.
      piece.set(bytes.subarray(at, at + size));
      inbox.append(piece.subarray(0, Math.min(size, bytes.length - at)), () => true);
      piece.fill(0xff);
      all.push(...taken(inbox));
    }
    assert.equal(all, messages, `pieces of ${size} bytes`);
    assert.equal([inbox.isEmpty, inbox.size], [true, 0]);
  }
});

test('a buffer grows with the bytes that arrive, not with those that are announced', () => {
  const inbox = new Inbox();
  const sizes: number[] = [];
  const reserve = (size: number): boolean => sizes.push(size) > 0;
  const start = frame(new Uint8Array(MAX_MESSAGE)).subarray(0, 500);
  inbox.append(start, reserve);
  assert.equal([inbox.size, sizes], [500, []]);
  for (let n = 0; n < 20; n++) inbox.append(new Uint8Array(1000), reserve);
  assert.ok(inbox.size < 45_000, `${inbox.size}`);
  assert.is(sizes.at(-1), inbox.size);
  const small = new Inbox();
  small.append(frame(new Uint8Array(100)).subarray(0, 90), reserve);
  small.append(new Uint8Array(1), reserve);
  assert.is(small.size, 105, 'not beyond the end of the message');
});

test('a buffer that may not grow drops its bytes', () => {
  const inbox = new Inbox();
  inbox.append(frame(new Uint8Array(5000)).subarray(0, 900), () => true);
  inbox.append(new Uint8Array(1000), () => {
    inbox.clear();
    return false;
  });
  assert.equal([inbox.isEmpty, inbox.take()], [true, undefined]);
});

test('bytes after a message are noticed', () => {
  const inbox = new Inbox();
  inbox.append(frame(new Uint8Array(3)), () => true);
  assert.not.ok(inbox.hasMore);
  inbox.append(new Uint8Array(1), () => true);
  assert.ok(inbox.hasMore);
});

test('compressed messages, other flags and messages over 4 MiB are errors', () => {
  const tooLong = new Uint8Array([0, 0, 64, 0, 1]);
  for (const [bytes, code] of [
    [frame(new Uint8Array(1), 1), Code.UNIMPLEMENTED],
    [frame(new Uint8Array(1), 2), Code.INTERNAL],
    [tooLong, Code.RESOURCE_EXHAUSTED],
  ] as const) {
    const inbox = new Inbox();
    inbox.append(bytes, () => true);
    for (const use of [() => inbox.take(), () => inbox.hasMore]) {
      assert.throws(use, (error: unknown) => error instanceof StatusError && error.code === code);
    }
  }
});

test.run();
