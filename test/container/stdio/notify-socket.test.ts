/** sd_notify of a container: what the service manager is told, and when. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  bindNotify,
  makeNotifyDirectory,
  Notify,
  notifyOf,
  tellReady,
} from '../../../src/container/stdio/notify-socket.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { native } from '../../../src/sys/host.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import type { SocketEnd } from '../../sys/fake-host/sockets.js';

const test = suite('notify socket');

interface Manager {
  readonly kernel: FakeKernel;
  readonly notify: Notify;
  /** What the manager has received. */
  readonly told: string[];
  /** Writes to the socket of the container. */
  say(text: string): void;
}

/** A container with a socket, and a manager that closes what comes with BARRIER=1. */
function container(address = '/run/manager'): Manager {
  const kernel = new FakeKernel();
  const told: string[] = [];
  const receiver = kernel.sockets.receiver('/run/manager');
  receiver.onMessage = (end: SocketEnd) => {
    const message = end.receive(4096);
    if (typeof message === 'number') return;
    told.push(new TextDecoder().decode(message.data).trim());
    for (const file of message.files) file.drop();
  };
  makeNotifyDirectory('/run/notify');
  const notify = new Notify(bindNotify('/run/notify'), address);
  const sender = native.datagramConnect('/run/notify/notify.sock');
  return { kernel, notify, told, say: (text) => void native.send(sender, new TextEncoder().encode(text)) };
}

async function failure(work: Promise<unknown>): Promise<RuntError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof RuntError) return error;
  throw error ?? new Error('it did not fail');
}

test('it is told that the process is ready, which one it is, and then a barrier', async () => {
  const { kernel, notify, told, say } = container();
  say('STATUS=starting');
  kernel.clock.after(500, () => say('STATUS=up\nREADY=1'));
  await kernel.finish(notify.forward(42));
  assert.equal(told, ['READY=1', 'MAINPID=42', 'BARRIER=1']);
  notify.close();
  assert.equal(
    kernel.open.filter((name) => !name.startsWith('datagrams')),
    [],
  );
});

test('a process that ends is not ready, unless it said so just before', async () => {
  for (const ready of [false, true]) {
    const { kernel, notify, told, say } = container();
    const process = kernel.processes.add();
    kernel.clock.after(500, () => {
      if (ready) say('READY=1');
      process.exit(0);
    });
    await kernel.finish(notify.forward(process.pid, kernel.processes.openPidfd(process)));
    assert.is(told.length > 0, ready);
  }
});

test('stop ends the wait; what else is said is read and dropped', async () => {
  const { kernel, notify, told } = container();
  kernel.clock.after(500, () => notify.stop());
  await kernel.finish(notify.forward(42));
  assert.equal(told, []);
  const other = container();
  other.kernel.clock.after(100, () => other.say('WATCHDOG=1'));
  other.kernel.clock.after(200, () => other.notify.stop());
  await other.kernel.finish(other.notify.drain());
  assert.equal(other.told, []);
});

test('a manager that does not listen, or does not read', async () => {
  const { kernel, notify, say } = container('/run/nobody');
  say('READY=1');
  const absent = await failure(kernel.finish(notify.forward(42)));
  assert.equal([absent.code, absent.errno, absent.path], ['ERR_NOTIFY', E.ENOENT, '/run/nobody']);
  const full = container();
  full.say('READY=1');
  full.kernel.on('sendFds', () => -E.EAGAIN);
  const late = await failure(full.kernel.finish(full.notify.forward(42)));
  assert.equal([late.errno, late.syscall], [E.ETIMEDOUT, 'sendmsg']);
});

test('a manager that does not know BARRIER is not waited for without end', async () => {
  const { kernel, told } = container();
  const receiver = kernel.sockets.receiver('/run/old');
  receiver.onMessage = (end: SocketEnd) => {
    const message = end.receive(4096);
    // It keeps the descriptor.
    if (typeof message !== 'number') told.push(new TextDecoder().decode(message.data).trim());
  };
  const old = new Notify(bindNotify('/run/notify'), '/run/old');
  const sender = native.datagramConnect('/run/notify/notify.sock');
  native.send(sender, new TextEncoder().encode('READY=1'));
  const began = kernel.clock.now;
  await kernel.finish(old.forward(42));
  assert.ok(kernel.clock.now - began >= 30_000 && kernel.clock.now - began < 31_000);
  assert.equal(told, ['READY=1', 'MAINPID=42', 'BARRIER=1']);
});

test('start: a container that was created without a socket has none', () => {
  const kernel = new FakeKernel();
  kernel.tree.directory('/state/web');
  assert.is(notifyOf('/state/web', '/run/manager'), undefined);
  kernel.tree.directory('/state/web/notify');
  assert.instance(notifyOf('/state/web', '/run/manager'), Notify);
  assert.instance(notifyOf('/state/web', '/run/manager'), Notify, 'what a killed start has left does not matter');
  kernel.failAt('datagramBind', 1, E.EACCES);
  assert.throws(
    () => notifyOf('/state/web', '/run/manager'),
    /listen for sd_notify of the container in \/state\/web\/notify: EACCES/,
  );
});

test('runt itself tells that it is ready', () => {
  const kernel = new FakeKernel();
  const receiver = kernel.sockets.receiver('@abstract');
  tellReady('@abstract', 'serving');
  assert.is(receiver.text(), 'READY=1\nSTATUS=serving\n');
  assert.throws(() => tellReady('/run/nobody', 'x'), /tell NOTIFY_SOCKET \/run\/nobody that runt is ready: ENOENT/);
  kernel.failAt('sendFds', 1, E.EPIPE);
  assert.throws(() => tellReady('@abstract', 'x'), /EPIPE/);
  assert.equal(kernel.open, []);
});

test.run();
