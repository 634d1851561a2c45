/** sd_notify for a container: the messages to the service manager, and their order. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  bindNotify,
  makeNotifyDirectory,
  Notify,
  notifyOf,
  notifyService,
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
  /** The messages that the manager received. */
  readonly received: string[];
  /** Writes to the container's socket. */
  write(text: string): void;
}

/** A container with a socket, and a manager that closes the descriptor of BARRIER=1. */
function container(address = '/run/manager'): Manager {
  const kernel = new FakeKernel();
  const received: string[] = [];
  const receiver = kernel.sockets.receiver('/run/manager');
  receiver.onMessage = (end: SocketEnd) => {
    const message = end.receive(4096);
    if (typeof message === 'number') return;
    received.push(new TextDecoder().decode(message.data).trim());
    for (const file of message.files) file.drop();
  };
  makeNotifyDirectory('/run/notify');
  const notify = new Notify(bindNotify('/run/notify'), address);
  const sender = native.datagramConnect('/run/notify/notify.sock');
  return { kernel, notify, received, write: (text) => void native.send(sender, new TextEncoder().encode(text)) };
}

async function failure(work: Promise<unknown>): Promise<RuntError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof RuntError) return error;
  throw error ?? new Error('it did not fail');
}

test('the manager gets READY=1, the main pid, and then a barrier', async () => {
  const { kernel, notify, received, write } = container();
  write('STATUS=starting');
  kernel.clock.after(500, () => write('STATUS=up\nREADY=1'));
  await kernel.finish(notify.forward(42));
  assert.equal(received, ['READY=1', 'MAINPID=42', 'BARRIER=1']);
  notify.close();
  assert.equal(
    kernel.open.filter((name) => !name.startsWith('datagrams')),
    [],
  );
});

test('a process that ends is not ready, unless it wrote READY=1 before', async () => {
  for (const ready of [false, true]) {
    const { kernel, notify, received, write } = container();
    const process = kernel.processes.add();
    kernel.clock.after(500, () => {
      if (ready) write('READY=1');
      process.exit(0);
    });
    await kernel.finish(notify.forward(process.pid, kernel.processes.openPidfd(process)));
    assert.is(received.length > 0, ready);
  }
});

test('stop ends the wait, and other messages are read and dropped', async () => {
  const { kernel, notify, received } = container();
  kernel.clock.after(500, () => notify.stop());
  await kernel.finish(notify.forward(42));
  assert.equal(received, []);
  const other = container();
  other.kernel.clock.after(100, () => other.write('WATCHDOG=1'));
  other.kernel.clock.after(200, () => other.notify.stop());
  await other.kernel.finish(other.notify.drain());
  assert.equal(other.received, []);
});

test('a manager that does not listen, or does not read, is an error', async () => {
  const { kernel, notify, write } = container('/run/nobody');
  write('READY=1');
  const absent = await failure(kernel.finish(notify.forward(42)));
  assert.equal([absent.code, absent.errno, absent.path], ['ERR_NOTIFY', E.ENOENT, '/run/nobody']);
  const full = container();
  full.write('READY=1');
  full.kernel.on('sendFds', () => -E.EAGAIN);
  const late = await failure(full.kernel.finish(full.notify.forward(42)));
  assert.equal([late.errno, late.syscall], [E.ETIMEDOUT, 'sendmsg']);
});

test('the wait for a manager that does not know BARRIER has a limit', async () => {
  const { kernel, received } = container();
  const receiver = kernel.sockets.receiver('/run/old');
  receiver.onMessage = (end: SocketEnd) => {
    const message = end.receive(4096);
    // It does not close the descriptor.
    if (typeof message !== 'number') received.push(new TextDecoder().decode(message.data).trim());
  };
  const old = new Notify(bindNotify('/run/notify'), '/run/old');
  const sender = native.datagramConnect('/run/notify/notify.sock');
  native.send(sender, new TextEncoder().encode('READY=1'));
  const began = kernel.clock.now;
  await kernel.finish(old.forward(42));
  assert.ok(kernel.clock.now - began >= 30_000 && kernel.clock.now - began < 31_000);
  assert.equal(received, ['READY=1', 'MAINPID=42', 'BARRIER=1']);
});

test('start has no notify socket for a container that was created without one', () => {
  const kernel = new FakeKernel();
  kernel.tree.directory('/state/web');
  assert.is(notifyOf('/state/web', '/run/manager'), undefined);
  kernel.tree.directory('/state/web/notify');
  assert.instance(notifyOf('/state/web', '/run/manager'), Notify);
  assert.instance(notifyOf('/state/web', '/run/manager'), Notify, 'the socket of a killed start does not matter');
  kernel.failAt('datagramBind', 1, E.EACCES);
  assert.throws(
    () => notifyOf('/state/web', '/run/manager'),
    /listen for sd_notify of the container in \/state\/web\/notify: EACCES/,
  );
});

test('tellReady notifies the manager that runt itself is ready', () => {
  const kernel = new FakeKernel();
  const receiver = kernel.sockets.receiver('@abstract');
  notifyService('@abstract', ['READY=1', 'STATUS=serving'], 'runt is ready');
  assert.is(receiver.text(), 'READY=1\nSTATUS=serving\n');
  assert.throws(
    () => notifyService('/run/nobody', ['READY=1'], 'runt is ready'),
    /tell NOTIFY_SOCKET \/run\/nobody that runt is ready: ENOENT/,
  );
  kernel.failAt('sendFds', 1, E.EPIPE);
  assert.throws(() => notifyService('@abstract', ['READY=1'], 'runt is ready'), /EPIPE/);
  assert.equal(kernel.open, []);
});

test.run();
