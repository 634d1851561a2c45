/** The server of the shim on the fake host: it answers over ttrpc, and ends when it is unused. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseArguments } from '../../src/shim/containerd/shim-arguments.js';
import { serve } from '../../src/shim/shim-server.js';
import { task } from '../../src/shim/transport/protos.js';
import { interruptWaits, sleep } from '../../src/sys/waiting/loop.js';
import { Client, socketPath, withListener } from './listener.js';

const test = suite('shim server');

const arguments_ = parseArguments(['-namespace', 'ns', '-id', 'web', '-socket', socketPath]);
const nothing = new Uint8Array();

// `over` interrupts what the server does while it runs.
process.on('unhandledRejection', (error) => {
  if (!(error instanceof Error) || error.message !== 'over') throw error;
});

/** Serves; `ended` is the exit status once it has ended. */
function begin(env: Record<string, string> = {}) {
  const kernel = withListener(env);
  const state: { ended?: number } = {};
  const serving = serve(arguments_, 'containerd-shim-runt-v1').then((status) => {
    state.ended = status;
  });
  const over = async (): Promise<void> => {
    await kernel.finish(sleep(1000));
    while (interruptWaits(new Error('over'))) await new Promise((next) => setImmediate(next));
  };
  return { kernel, state, serving, over };
}

test('Shutdown is answered, removes the socket and ends the server', async () => {
  const { kernel, serving, state, over } = begin();
  const client = new Client(kernel);
  client.ask('Connect', task.ConnectRequest.encode({ id: 'web' }).finish());
  await client.wait(10);
  const answer = client.answer();
  assert.instance(answer, Uint8Array);
  assert.is(task.ConnectResponse.decode(answer as Uint8Array).shimPid, kernel.processes.own.pid);
  client.ask('State', task.StateRequest.encode({ id: 'web' }).finish());
  await client.wait(10);
  assert.is(client.answer(), '5 container web does not exist');
  client.ask('Shutdown', nothing);
  await client.wait(10);
  assert.equal(client.answer(), nothing);
  await kernel.finish(serving);
  assert.equal([state.ended, kernel.tree.list('/run/s')], [0, []]);
  client.leave();
  await over();
});

test('a client of another user is disconnected, and delays no other client', async () => {
  const { kernel, serving, over } = begin();
  const otherUser = new Client(kernel, false);
  await otherUser.wait(10);
  assert.ok(otherUser.isEnded);
  const client = new Client(kernel);
  client.ask('Shutdown', nothing);
  await client.wait(10);
  assert.equal(client.answer(), nothing);
  await kernel.finish(serving);
  await over();
});

test('without a client and a container the server ends after its idle time, and logs that', async () => {
  const { kernel, serving, state, over } = begin({ RUNT_SHIM_IDLE: '30' });
  const client = new Client(kernel);
  await client.wait(100_000);
  assert.is(state.ended, undefined, 'a client is connected');
  client.leave();
  await kernel.finish(serving);
  assert.is(state.ended, 0);
  assert.match(kernel.descriptors.written(2), /web: the shim ends: it has had no container and no client for 30 s/);
  assert.equal(kernel.tree.list('/run/s'), []);
  await over();
});

test('the server stays while a start holds the lock of the socket directory', async () => {
  const { kernel, serving, state, over } = begin({ RUNT_SHIM_IDLE: '30' });
  const directory = kernel.tree.directory('/run/s');
  directory.lock = true;
  const client = new Client(kernel);
  client.leave();
  await client.wait(100_000);
  assert.is(state.ended, undefined);
  directory.lock = undefined;
  await kernel.finish(serving);
  assert.is(state.ended, 0);
  await over();
});

test.run();
