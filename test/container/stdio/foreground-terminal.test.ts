/** The terminal of a foreground container: its size, its mode, and the bytes in both directions. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkConsole, Terminal } from '../../../src/container/stdio/foreground-terminal.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { fdPair } from '../../../src/sys/fds.js';
import { native } from '../../../src/sys/host.js';
import { SIGCONT, SIGPIPE, SIGTERM, SIGWINCH } from '../../../src/sys/linux.js';
import { Protocol } from '../../../src/sys/protocol.js';
import { putIntegers } from '../../sys/fake-host/buffers.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import { SocketEnd } from '../../sys/fake-host/sockets.js';

const test = suite('foreground terminal');

/** The calls on the caller's terminal. */
interface Caller {
  readonly kernel: FakeKernel;
  readonly log: string[];
  /** The size of the caller's terminal. */
  size: [number, number];
  /** The results of each transfer, by its source: `master` or `input`; READABLE after the last. */
  readonly transfers: Record<'master' | 'input', number[]>;
}

function caller(): Caller {
  const kernel = new FakeKernel();
  const made: Caller = { kernel, log: [], size: [80, 25], transfers: { master: [], input: [] } };
  const { log } = made;
  kernel.on('isTerminal', (fd) => Number(fd === 0));
  kernel.on('terminalMaster', () => 0);
  kernel.on('windowSize', (_fd, data) => {
    putIntegers(data, made.size);
    return 0;
  });
  kernel.on('setWindowSize', (_fd, width, height) => {
    log.push(`size ${width}x${height}`);
    return 0;
  });
  kernel.on('terminalRaw', (_fd, saved) => {
    log.push('raw');
    saved[0] = 7;
    return 4;
  });
  kernel.on('terminalRestore', (_fd, saved) => {
    log.push(`restore ${saved.length} bytes`);
    return 0;
  });
  kernel.on('transfer', (from) => {
    const isInput = kernel.descriptors.get(from)?.shown.startsWith('stdio') ?? false;
    return made.transfers[isInput ? 'input' : 'master'].shift() ?? Protocol.TRANSFER_ENDED;
  });
  return made;
}

/** Sends a master over a new socket. @returns our end */
function masterSent({ kernel }: Caller, send = true): number {
  const pair = new Uint8Array(16);
  native.socketPair(pair);
  const [ours, theirs] = fdPair(pair);
  const end = kernel.descriptors.get(theirs) as SocketEnd;
  const [master] = SocketEnd.pair('master');
  if (send) end.send('/dev/pts/0', [master]);
  native.close(theirs);
  return ours;
}

const attached = async (made: Caller): Promise<Terminal> => {
  const terminal = Terminal.ofCaller('run web');
  await made.kernel.finish(terminal.attach(masterSent(made)));
  return terminal;
};

test('a console socket is required for a detached terminal, and refused otherwise', () => {
  new FakeKernel();
  checkConsole('run web', false, undefined, true);
  checkConsole('run web', true, undefined, true);
  checkConsole('create web', true, '/run/console', false);
  assert.throws(() => checkConsole('create web', true, undefined, false), /cannot allocate tty if runt will detach/);
  assert.throws(() => checkConsole('run web', true, '/run/console', true), /cannot use console socket/);
  assert.throws(() => checkConsole('create web', false, '/run/console', false), /cannot use console socket/);
});

test("the caller's terminal is one of its stdio, else its controlling terminal", () => {
  const { kernel } = caller();
  Terminal.ofCaller('run web').close();
  kernel.on('isTerminal', () => 0);
  try {
    Terminal.ofCaller('run web');
    assert.unreachable('the caller has no terminal');
  } catch (error) {
    assert.instance(error, RuntError);
    assert.match((error as RuntError).message, /^run web: open \/dev\/tty: ENOENT/);
  }
  kernel.tree.file('/dev/tty');
  const terminal = Terminal.ofCaller('run web');
  assert.equal(kernel.open, ['/dev/tty']);
  terminal.close();
  assert.equal(kernel.open, []);
});

test("attach sets the size of the caller's terminal, if that has one", async () => {
  const made = caller();
  (await attached(made)).close();
  assert.equal(made.log, ['size 80x25']);
  const none = caller();
  none.size = [0, 0];
  (await attached(none)).close();
  assert.equal(none.log, []);
  assert.equal(none.kernel.open, []);
});

test('attach fails if runt-init ends before it sends the master', async () => {
  const made = caller();
  const terminal = Terminal.ofCaller('run web');
  const error = await made.kernel.finish(terminal.attach(masterSent(made, false)).catch((thrown: unknown) => thrown));
  assert.match(String(error), /receive the terminal: EPIPE/);
  terminal.close();
  assert.equal(made.kernel.open, []);
});

test('relay makes the terminal raw meanwhile, and delivers all output of the process', async () => {
  const made = caller();
  made.transfers.master.push(
    Protocol.TRANSFER_MORE,
    Protocol.TRANSFER_WRITABLE,
    Protocol.TRANSFER_HUNG_UP,
    Protocol.TRANSFER_READABLE,
    Protocol.TRANSFER_MORE,
    Protocol.TRANSFER_HUNG_UP,
  );
  made.transfers.input.push(Protocol.TRANSFER_MORE, Protocol.TRANSFER_WRITABLE, Protocol.TRANSFER_GONE);
  const terminal = await attached(made);
  terminal.relay();
  await made.kernel.finish(
    new Promise<void>((done) => made.kernel.clock.after(1000, done)).then(() => terminal.finish()),
  );
  assert.equal(made.transfers.master, [], 'the master was read to its end');
  terminal.close();
  terminal.close();
  assert.equal(made.log, ['size 80x25', 'raw', 'restore 4 bytes'], 'the terminal is restored once');
  assert.equal(made.kernel.open, []);
});

test('a closed standard output does not stop the container', async () => {
  const made = caller();
  made.transfers.master.push(Protocol.TRANSFER_GONE, Protocol.TRANSFER_READABLE, Protocol.TRANSFER_READABLE);
  const terminal = await attached(made);
  terminal.relay();
  await made.kernel.finish(
    new Promise<void>((done) => made.kernel.clock.after(10, done)).then(() => terminal.finish()),
  );
  terminal.close();
  assert.equal(made.kernel.open, []);
});

test('the terminal handles SIGWINCH and its own SIGPIPE; other signals also reach the process', async () => {
  const made = caller();
  const terminal = await attached(made);
  made.log.length = 0;
  made.size = [100, 30];
  assert.ok(terminal.handlesSignal(SIGWINCH, 1));
  assert.equal(made.log.splice(0), ['size 100x30']);
  assert.not.ok(terminal.handlesSignal(SIGCONT, 1), 'SIGCONT also reaches the process');
  assert.equal(made.log.splice(0), ['size 100x30'], 'the terminal is not raw yet');
  made.transfers.master.push(Protocol.TRANSFER_READABLE);
  made.transfers.input.push(Protocol.TRANSFER_ENDED);
  terminal.relay();
  terminal.handlesSignal(SIGCONT, 1);
  assert.equal(made.log.splice(0), ['raw', 'raw', 'size 100x30']);
  assert.ok(terminal.handlesSignal(SIGPIPE, 1000), 'from our own write');
  assert.not.ok(terminal.handlesSignal(SIGPIPE, 1));
  assert.not.ok(terminal.handlesSignal(10, 1));
  assert.not.ok(terminal.handlesSignal(SIGTERM, 1), 'while the process runs, it gets SIGTERM');
  const finished = terminal.finish();
  assert.ok(terminal.handlesSignal(SIGTERM, 1), 'afterwards SIGTERM ends the relay');
  await made.kernel.finish(finished);
  terminal.close();
});

test('a background job leaves the terminal alone; another failure of raw mode is an error', async () => {
  const made = caller();
  const terminal = await attached(made);
  made.kernel.failAt('terminalRaw', 1, E.EIO);
  terminal.relay();
  await made.kernel.finish(terminal.finish());
  terminal.close();
  assert.not.ok(made.log.some((line) => line.startsWith('restore')));
  const other = caller();
  const refused = await attached(other);
  other.kernel.failAt('terminalRaw', 1, E.ENOTTY);
  assert.throws(() => refused.relay(), /put the caller's terminal in raw mode: ENOTTY/);
  refused.close();
  assert.equal(other.kernel.open, []);
});

test.run();
