/** When a server without clients ends. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Idleness } from '../../src/shim/idle-end.js';
import { useNodeHost } from '../../src/sys/node-host.js';
import { DEADLINE } from '../deadline.js';

useNodeHost([]);
const pass = (ms: number): Promise<void> => new Promise((settle) => setTimeout(settle, ms));

test('it is asked to end again and again while there is no client, and not after it has', async () => {
  let asked = 0;
  new Idleness(20, async () => ++asked === 3);
  for (const end = Date.now() + DEADLINE; asked < 3 && Date.now() < end; ) await pass(20);
  await pass(300);
  assert.is(asked, 3);
});

test('it does not end while there is a client, and is given its time again after the last has gone', async () => {
  let asked = 0;
  const idleness = new Idleness(1000, async () => ++asked > 0);
  const gone = [idleness.client(), idleness.client()];
  await pass(1500);
  gone[0]!();
  await pass(800);
  assert.is(asked, 0);
  gone[1]!();
  await pass(300);
  // A client that asks whether anybody is there: a `start`.
  idleness.client()();
  await pass(500);
  assert.is(asked, 0);
  await pass(1200);
  assert.is(asked, 1);
});

test.run();
