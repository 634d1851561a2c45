/** Waits: how they end, and that no timer is left. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fdPair } from '../../../src/sys/fds.js';
import { native } from '../../../src/sys/host.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import {
  firstReadable,
  forget,
  now,
  pendingWaits,
  readable,
  sleep,
  withTimeout,
} from '../../../src/sys/waiting/loop.js';

useNodeHost([]);

function pipe(): [reader: number, writer: number] {
  const ends = new Uint8Array(16);
  assert.ok(native.pipe(ends) >= 0);
  return fdPair(ends) as [number, number];
}

const minute = 60_000;

test('the timer of `within` ends with the work, also if that fails', async () => {
  assert.is(await withTimeout(Promise.resolve('done'), minute), 'done');
  assert.is(pendingWaits(), 0);
  const error = await withTimeout(Promise.reject(new Error('no')), minute).catch((e) => e);
  assert.is(error.message, 'no');
  assert.is(pendingWaits(), 0);
});

test('`within` returns undefined for work that takes longer', async () => {
  const from = now();
  assert.is(await withTimeout(new Promise(() => {}), 30), undefined);
  assert.ok(now() - from >= 29);
  assert.is(pendingWaits(), 0);
});

test('a timeout that no timer can have is none, and a fraction of a millisecond is rounded up', async () => {
  for (const timeout of [2 ** 31, Number.POSITIVE_INFINITY]) {
    const [reader, writer] = pipe();
    const wait = readable(reader, timeout);
    assert.is(await Promise.race([wait, sleep(30).then(() => 'waits')]), 'waits');
    native.write(writer, new Uint8Array(1));
    assert.is(await wait, true);
    for (const fd of [reader, writer]) native.close(fd);
  }
  const from = native.monotonic();
  // The sleep itself is what is tested.
  await sleep(0.5);
  assert.ok(native.monotonic() - from >= 500_000n);
  assert.is(pendingWaits(), 0);
});

test('a thousand waits that end before their deadline leave no timer', async () => {
  await Promise.all(Array.from({ length: 1000 }, () => withTimeout(sleep(1), minute)));
  assert.is(pendingWaits(), 0);
});

test('`firstReadable` returns which descriptor is ready, and ends the other waits', async () => {
  const [[a, toA], [b, toB]] = [pipe(), pipe()];
  native.write(toB, new Uint8Array(1));
  assert.is(await firstReadable([a, b], minute), 1);
  assert.is(pendingWaits(), 0);
  native.write(toA, new Uint8Array(1));
  // The lower one first if both are ready.
  assert.is(await firstReadable([a, b], minute), 0);
  native.read(a, new Uint8Array(1));
  assert.is(await firstReadable([a, b], minute), 1);
  native.read(b, new Uint8Array(1));
  assert.is(await firstReadable([a, b], 20), -1);
  assert.is(pendingWaits(), 0);
  for (const fd of [a, b, toA, toB]) native.close(fd);
});

test('a second wait for a descriptor times the first one out, and succeeds itself', async () => {
  const [reader, writer] = pipe();
  const [first, second] = [readable(reader, 50), readable(reader, minute)];
  assert.is(await first, false);
  // Past the deadline of the first: it must not remove the watch of the second.
  await sleep(60);
  native.write(writer, new Uint8Array(1));
  assert.is(await second, true);
  assert.is(pendingWaits(), 0);
  for (const fd of [reader, writer]) native.close(fd);
});

test('`forget` ends a wait, and a wait for a descriptor closed without it does not disturb the next wait', async () => {
  const [reader, writer] = pipe();
  const forgotten = readable(reader);
  forget(reader);
  assert.is(await forgotten, false);
  const left = readable(reader, minute);
  native.close(reader);
  native.close(writer);
  const [again, to] = pipe();
  assert.is(again, reader, 'the lowest unused number');
  const wait = readable(again, minute);
  assert.is(await left, false);
  native.write(to, new Uint8Array(1));
  assert.is(await wait, true);
  assert.is(pendingWaits(), 0);
  for (const fd of [again, to]) native.close(fd);
});

test.run();
