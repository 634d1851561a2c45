/** The terminal and the loopback device of a restored container. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { setLoopbackUp } from '../../../src/container/criu/loopback.js';
import { passMaster } from '../../../src/container/criu/restore-terminal.js';
import { Terminal } from '../../../src/container/stdio/foreground-terminal.js';
import { E } from '../../../src/sys/errno.js';
import { Transcript } from '../../sys/fake-host/descriptors.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import { unshare } from '../../sys/fake-host/namespaces.js';

const test = suite('restored terminal and loopback');

test('passMaster sends the master to the console socket', async () => {
  const kernel = new FakeKernel();
  const received: unknown[] = [];
  kernel.sockets.listen('/run/console', (end) => {
    end.onMessage = () => {
      const message = end.receive(100);
      if (typeof message === 'number') return;
      received.push(new TextDecoder().decode(message.data), message.files[0]?.shown);
      for (const file of message.files) file.drop();
    };
  });
  const master = () => kernel.descriptors.open(new Transcript('master'));
  await kernel.finish(passMaster('restore web', master(), undefined, '/run/console'));
  assert.equal(received, ['/dev/ptmx', 'master']);
  const failed = async (socket?: string): Promise<string> =>
    String(
      await kernel.finish(passMaster('restore web', master(), undefined, socket).catch((error: unknown) => error)),
    );
  assert.match(await failed('/run/nobody'), /connect to the console socket \/run\/nobody \(--console-socket\): ENOENT/);
  assert.match(await failed(), /the images have a terminal, and process.terminal is not true/);
  kernel.failAt('sendFds', 1, E.EPIPE);
  assert.match(await failed('/run/console'), /send the terminal: EPIPE/);
  assert.equal(kernel.open, []);
});

test("passMaster attaches the master to the caller's terminal", async () => {
  const kernel = new FakeKernel();
  kernel.on('isTerminal', () => 1);
  kernel.on('terminalMaster', () => 0);
  kernel.on('windowSize', () => -E.ENOTTY);
  const terminal = Terminal.ofCaller('restore web');
  const master = kernel.descriptors.open(new Transcript('master'));
  await kernel.finish(passMaster('restore web', master, terminal, undefined));
  assert.equal(kernel.open, ['master'], 'the terminal owns the master');
  terminal.close();
  assert.equal(kernel.open, []);
});

/** A process in its own network namespace, whose kernel answers with this errno. */
function network(errno = 0) {
  const kernel = new FakeKernel();
  const process = kernel.processes.add();
  unshare(kernel, process, 'net');
  const asked: number[] = [];
  kernel.on('netlinkOpen', () => kernel.descriptors.open(new Transcript('netlink')));
  kernel.on('write', (_fd, data) => {
    asked.push(new DataView(data.buffer).getUint16(4, true));
    return data.length;
  });
  kernel.on('read', (_fd, data) => {
    const view = new DataView(data.buffer, data.byteOffset);
    view.setUint32(0, 36, true);
    view.setUint16(4, 2, true);
    view.setInt32(16, -errno, true);
    return 36;
  });
  return { kernel, process, asked };
}

test('setLoopbackUp acts in the namespace of the process, and never in that of the runtime', () => {
  const { kernel, process, asked } = network();
  setLoopbackUp('restore web', process.pid);
  assert.equal(asked, [16]);
  setLoopbackUp('restore web', kernel.processes.add().pid);
  assert.equal(asked, [16], 'the namespace of the runtime');
  assert.equal(kernel.open, []);
});

test('each failure of setLoopbackUp is an error that leaves no descriptor open', () => {
  for (const call of ['namespaceOpen', 'netlinkOpen', 'write', 'read'] as const) {
    const { kernel, process } = network();
    kernel.failAt(call, 1, E.EIO);
    assert.throws(() => setLoopbackUp('restore web', process.pid), /set the loopback device of .* up: EIO/);
    assert.equal(kernel.open, [], call);
  }
  const { kernel, process } = network(E.EPERM);
  assert.throws(() => setLoopbackUp('restore web', process.pid), /EPERM/);
  assert.equal(kernel.open, []);
});

test.run();
