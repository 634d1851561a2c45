/** `run` with a terminal, with a service manager, and with a supervisor. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { RunOptions } from '../../src/container/launch/container-options.js';
import { run } from '../../src/container/run.js';
import type { Spec } from '../../src/spec/config-types.js';
import { native } from '../../src/sys/host.js';
import { SIGKILL, SIGWINCH } from '../../src/sys/linux.js';
import { Protocol } from '../../src/sys/protocol.js';
import { putIntegers } from '../sys/fake-host/buffers.js';
import { executed, reports, type ScriptedInit, type Step } from '../sys/fake-host/scripted-init.js';
import { type ScriptedSupervisor, scriptSupervisor } from '../sys/fake-host/scripted-supervisor.js';
import { SocketEnd } from '../sys/fake-host/sockets.js';
import { BundleHost, config } from './launch/bundle-host.js';

const test = suite('attended run');

/** The host of the running test. */
let host: BundleHost;

const options = (over: Partial<RunOptions> = {}): RunOptions => ({
  ...host.options(over),
  detach: false,
  keep: false,
  noSubreaper: false,
  ...over,
});
const running = (over?: Partial<RunOptions>): Promise<number> => host.kernel.finish(run(options(over)));
const left = (): string[] => host.left.filter((what) => !/^open: (?:signalfd|pidfd|datagrams)/.test(what));

const terminalConfig = (): Spec =>
  config({ process: { user: { uid: 0, gid: 0 }, args: ['sh'], cwd: '/', terminal: true } });

/** A host whose caller has a terminal. @returns the calls on that terminal */
function withTerminal(steps: readonly Step[]): string[] {
  host = new BundleHost(terminalConfig(), steps);
  const { kernel } = host;
  const log: string[] = [];
  kernel.on('isTerminal', () => 1);
  kernel.on('terminalMaster', () => 0);
  kernel.on('windowSize', (_fd, data) => {
    putIntegers(data, [80, 25]);
    return 0;
  });
  kernel.on('setWindowSize', (_fd, width, height) => log.push(`size ${width}x${height}`) * 0);
  kernel.on('terminalRaw', () => log.push('raw') * 0 + 4);
  kernel.on('terminalRestore', () => log.push('restore') * 0);
  kernel.on('transfer', (from) => {
    // The caller types nothing.
    if (kernel.descriptors.get(from)?.shown.startsWith('stdio')) return Protocol.TRANSFER_ENDED;
    return host.init.process.end ? Protocol.TRANSFER_HUNG_UP : Protocol.TRANSFER_READABLE;
  });
  return log;
}

/** Sends the terminal's master over the socket that the plan names. */
function sendMaster(init: ScriptedInit): void {
  const [master] = SocketEnd.pair('master');
  const sockets = init.process.files.filter((file) => file instanceof SocketEnd && file !== init.sync);
  (sockets.at(-1) as SocketEnd).send('/dev/pts/0', [master]);
}

test('run attaches the terminal before the execve, makes it raw while the process runs, and restores it', async () => {
  const log = withTerminal([
    sendMaster,
    reports('created'),
    'go',
    (init) => {
      init.execute();
      host.kernel.clock.after(100, () => host.signal(SIGWINCH));
      host.kernel.clock.after(500, () => init.process.exit(3));
    },
  ]);
  assert.is(await running(), 3);
  assert.equal(log, ['size 80x25', 'raw', 'size 80x25', 'restore']);
  assert.equal(host.init.process.signals, [], 'SIGWINCH was only for the terminal');
  assert.equal(left(), []);
});

test("run fails if runt-init ends before it sends the terminal's master", async () => {
  const log = withTerminal([reports('created'), ({ process }) => process.exit(1)]);
  const error = await host.failure(() => run(options()));
  assert.ok(error);
  assert.equal(log, []);
  assert.equal(left(), []);
});

/** A host with a service manager at /run/manager. @returns the messages that it receives */
function withManager(steps: readonly Step[]): string[] {
  host = new BundleHost(config(), steps);
  const received: string[] = [];
  const receiver = host.kernel.sockets.receiver('/run/manager');
  receiver.onMessage = (end: SocketEnd) => {
    const message = end.receive(4096);
    if (typeof message === 'number') return;
    received.push(new TextDecoder().decode(message.data).trim());
    for (const file of message.files) file.drop();
  };
  return received;
}

const saysReady = (exits: boolean): readonly Step[] => [
  reports('created'),
  'go',
  (init) => {
    init.execute();
    host.kernel.clock.after(300, () => {
      const sender = native.datagramConnect(`${host.kernel.root}/web/notify/notify.sock`);
      native.send(sender, new TextEncoder().encode('READY=1'));
      native.close(sender);
    });
    if (exits) host.kernel.clock.after(900, () => init.process.exit(0));
  },
];

test('the service manager gets the pid of the container with --detach, else the pid of runt', async () => {
  const detached = withManager(saysReady(false));
  assert.is(await running({ detach: true, notifySocket: '/run/manager' }), 0);
  assert.equal(detached, ['READY=1', `MAINPID=${host.init.process.pid}`, 'BARRIER=1']);
  assert.equal(left(), ['process: sh', 'cgroup: web', 'state: web']);
  const foreground = withManager(saysReady(true));
  assert.is(await running({ notifySocket: '/run/manager' }), 0);
  assert.equal(foreground, ['READY=1', 'MAINPID=1000', 'BARRIER=1']);
  assert.equal(left(), []);
});

test('a service manager that does not listen causes a warning only, because the container already runs', async () => {
  withManager(saysReady(true));
  assert.is(await running({ notifySocket: '/run/nobody' }), 0);
  assert.is(host.warnings.length, 1);
  assert.match(host.warnings[0] ?? '', /^tell NOTIFY_SOCKET \/run\/nobody that the container is ready: ENOENT/);
});

/** A supervised container that calls `later` once its process is executed. */
function supervised(later: (init: ScriptedInit) => void): ScriptedSupervisor[] {
  host = new BundleHost();
  return scriptSupervisor(host.kernel, [...executed, (init) => host.kernel.clock.after(500, () => later(init))]);
}

test('run --supervise returns the exit status that the supervisor recorded', async () => {
  supervised(({ process }) => process.exit(9));
  assert.is(await running({ supervise: true }), 9);
  assert.equal(
    left().filter((what) => !what.startsWith('zombie')),
    [],
  );
});

test('if the supervisor was killed, run returns the status from the kernel, or ERR_STATUS_LOST', async () => {
  for (const tellsEnd of [true, false]) {
    const supervisors = supervised(({ process }) => {
      supervisors[0]?.process.signal(SIGKILL);
      process.exit(9);
    });
    host.kernel.processes.tellsEnd = tellsEnd;
    const result = await host.kernel.finish(
      run(options({ supervise: true })).catch((error: { code: string }) => error.code),
    );
    assert.is(result, tellsEnd ? 9 : 'ERR_STATUS_LOST');
    assert.equal(
      left().filter((what) => !what.startsWith('zombie')),
      [],
      'the container is removed anyway',
    );
  }
});

test.run();
