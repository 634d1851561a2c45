/** The watches of native/core/events.c, which outlive the descriptors that they are for. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fdPair } from '../../../src/sys/fds.js';
import { native } from '../../../src/sys/host.js';
import { useNodeHost } from '../../../src/sys/node-host.js';

useNodeHost([]);

const test = suite('events');

/** Two connected sockets; the first has a byte to read. */
function readableSocket(): [fd: number, peer: number] {
  const out = new Uint8Array(16);
  assert.is(native.socketPair(out), 0);
  const [fd, peer] = fdPair(out);
  assert.is(native.write(peer, new Uint8Array(1)), 1);
  return [fd, peer];
}

/** The id of the descriptor that is ready; -1 if there is none. */
function readyId(): number {
  const ids = new Uint8Array(8);
  return native.ready(ids, 0) === 1 ? new DataView(ids.buffer).getInt32(0, true) : -1;
}

test('a descriptor is reported once for each watch, also after an end of the watch', () => {
  const [fd, peer] = readableSocket();
  for (const id of [1, 2, 3]) {
    assert.is(native.watch(fd, id), 0);
    assert.equal([readyId(), readyId()], [id, -1]);
  }
  assert.is(native.watch(fd, 4), 0);
  assert.is(native.unwatch(fd), 0);
  assert.is(readyId(), -1);
  assert.is(native.watch(fd, 5), 0);
  assert.is(readyId(), 5);
  native.close(fd);
  native.close(peer);
});

test('a number that is used again for another file is watched for that file', () => {
  const [first, peer] = readableSocket();
  native.watch(first, 1);
  assert.is(readyId(), 1);
  native.close(first);
  native.close(peer);
  const [again, other] = readableSocket();
  assert.is(again, first, 'the lowest free number');
  assert.is(native.watch(again, 2), 0);
  assert.is(readyId(), 2);
  native.close(again);
  native.close(other);
});

test('the watch of a closed number stays as long as a copy is open, and a new one is its own', () => {
  const [first, peer] = readableSocket();
  native.watch(first, 1);
  const copy = native.duplicate(first);
  native.close(first);
  const [again, other] = readableSocket();
  assert.is(again, first, 'the lowest free number');
  assert.is(readyId(), 1, 'epoll(7), question 6');
  assert.is(native.watch(again, 2), 0);
  assert.is(readyId(), 2);
  for (const fd of [copy, peer, again, other]) native.close(fd);
});

test('a descriptor with a large number is watched again and again', () => {
  const [fd, peer] = readableSocket();
  const copies: number[] = [];
  do copies.push(native.duplicate(fd));
  while ((copies.at(-1) ?? 0) < 300);
  const large = copies.at(-1) as number;
  for (const id of [1, 2]) {
    assert.is(native.watch(large, id), 0);
    assert.is(readyId(), id);
  }
  for (const each of [fd, peer, ...copies]) native.close(each);
});

test.run();
