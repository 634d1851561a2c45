/** The streams of a task's process on the fake host: fifos, files, loggers, terminals. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { E } from '../../../src/sys/errno.js';
import { SIGTERM } from '../../../src/sys/linux.js';
import { config } from '../../container/launch/bundle-host.js';
import type { OpenFile } from '../../sys/fake-host/descriptors.js';
import { created, type ScriptedInit, type Step } from '../../sys/fake-host/scripted-init.js';
import { SocketEnd } from '../../sys/fake-host/sockets.js';
import { TaskHost } from '../task/task-host.js';

const test = suite('task streams');

const write = (init: ScriptedInit, fd: number, text: string): number =>
  init.files(fd)?.write(new TextEncoder().encode(text)) ?? -E.EBADF;

/** What a process reads from its standard input, and whether that has ended. */
function input(init: ScriptedInit): string {
  const stdin = init.files(0);
  const data = new Uint8Array(100);
  const n = stdin?.readable ? stdin.read(data) : -E.EAGAIN;
  return n < 0 ? `-${E[-n]}` : new TextDecoder().decode(data.subarray(0, n));
}

async function over(host: TaskHost): Promise<void> {
  host.main.process.exit(0);
  await host.settle();
  await host.call('Delete');
  assert.equal(host.left, []);
}

test('fifos deliver input and output, and all output before Delete returns', async () => {
  const host = new TaskHost();
  const [stdin, stdout, stderr] = ['/f/in', '/f/out', '/f/err'].map((path) => host.kernel.fifo(path));
  const readers = [stdout?.reader(), stderr?.reader()];
  await host.call('Create', { bundle: '/b', stdin: '/f/in', stdout: '/f/out', stderr: 'fifo:///f/err' });
  const client = stdin?.writer();
  client?.write(new TextEncoder().encode('typed\n'));
  write(host.main, 1, 'out\n');
  write(host.main, 2, 'err\n');
  await host.settle();
  assert.equal([stdout?.text(), stderr?.text(), input(host.main)], ['out\n', 'err\n', 'typed\n']);
  host.answerStart((init) => write(init, 1, 'last words'));
  await host.call('Start');
  host.main.process.exit(0);
  await host.call('Wait');
  await host.call('Delete');
  assert.is(stdout?.text(), 'last words');
  client?.drop();
  assert.equal(host.left, []);
  for (const reader of readers) {
    assert.is(reader?.read(new Uint8Array(1)), 0, 'the reader sees the end');
    reader?.drop();
  }
});

test('the input ends with its last writer, or with CloseIO after the pending data', async () => {
  for (const closes of [false, true]) {
    const host = new TaskHost();
    const fifo = host.kernel.fifo('/f/in');
    await host.call('Create', { bundle: '/b', stdin: '/f/in' });
    const client = fifo.writer();
    await host.settle();
    assert.is(input(host.main), '-EAGAIN', 'the read waits while a client is connected');
    client.write(new TextEncoder().encode('x'));
    if (closes) assert.equal(await host.call('CloseIO', { stdin: true }), {});
    else client.drop();
    await host.settle();
    assert.equal([input(host.main), input(host.main)], ['x', '']);
    if (closes) client.drop();
    await over(host);
  }
});

test('CloseIO without stdin changes nothing', async () => {
  const host = new TaskHost();
  host.kernel.fifo('/f/in');
  await host.call('Create', { bundle: '/b', stdin: '/f/in' });
  await host.call('CloseIO', {});
  await host.settle();
  assert.is(input(host.main), '-EAGAIN');
  await over(host);
});

test('a reader that opens the fifo late gets the earlier output', async () => {
  const host = new TaskHost();
  const fifo = host.kernel.fifo('/f/out');
  const making = host.begin('Create', { bundle: '/b', stdout: '/f/out' });
  await host.kernel.finish(making);
  write(host.main, 1, 'early');
  await host.settle();
  const reader = fifo.reader();
  assert.is(fifo.text(), 'early');
  reader.drop();
  await over(host);
});

test('a reader that closes the fifo does not end the process or delay the Delete', async () => {
  const host = new TaskHost();
  const fifo = host.kernel.fifo('/f/out');
  const reader = fifo.reader();
  await host.call('Create', { bundle: '/b', stdout: '/f/out' });
  reader.drop();
  assert.is(write(host.main, 1, 'on'), 2);
  await host.settle();
  assert.not.ok(host.main.process.end);
  await over(host);
});

test('file:// is created with its directories, and appended to', async () => {
  const host = new TaskHost();
  host.kernel.tree.file('/log/old', 'before ');
  await host.call('Create', { bundle: '/b', stdout: 'file:///log/new/file', stderr: 'file:///log/old' });
  write(host.main, 1, 'out');
  write(host.main, 2, 'err');
  await host.settle();
  assert.equal([host.kernel.tree.text('/log/new/file'), host.kernel.tree.text('/log/old')], ['out', 'before err']);
  await over(host);
});

test("the pipes belong to the host uid of the process's user", async () => {
  const ids = [{ containerID: 0, hostID: 100000, size: 1000 }];
  const user = { uid: 5, gid: 6 };
  for (const [linux, uid] of [
    [{}, 5],
    [
      { uidMappings: ids, gidMappings: ids, namespaces: [{ type: 'user' }, { type: 'mount' }, { type: 'pid' }] },
      100005,
    ],
  ] as const) {
    const { linux: usual, ...rest } = config();
    const process = { user, args: ['sh'], cwd: '/' };
    const host = new TaskHost(undefined, { ...rest, process, linux: { ...usual, ...linux } } as never);
    const fifo = host.kernel.fifo('/f/out');
    const reader = fifo.reader();
    const made = await host.call('Create', { bundle: '/b', stdout: '/f/out' });
    assert.type(made, 'object', String(made));
    assert.is(host.main.files(1)?.inode?.uid, uid);
    reader.drop();
    await over(host);
  }
});

test('a stream that cannot be opened has an error code for its cause, and nothing is left', async () => {
  for (const [stream, answer] of [
    [{ stdin: '/f/none' }, /^2 open \/f\/none: ENOENT/],
    [{ stdout: '/f/none' }, /^2 open \/f\/none: ENOENT/],
    [{ stdout: 'carrier:///x' }, /^3 a stream of kind carrier:\/\/ is not supported/],
    [{ stdin: '/f/in', stderr: 'file:///proc/1000/stat/x' }, /ENOTDIR/],
  ] as const) {
    const host = new TaskHost();
    host.kernel.fifo('/f/in');
    assert.match(String(await host.call('Create', { bundle: '/b', ...stream })), answer);
    await host.settle();
    assert.equal([host.children.length, ...host.left], [0]);
  }
});

/** A logger with the given readiness, which records what it reads. */
function logger(host: TaskHost, ready: (file: SocketEnd) => void): { text: string; args: string[]; env: string[] } {
  const seen = { text: '', args: [] as string[], env: [] as string[] };
  host.kernel.processes.programs.set('/bin/logger', ({ process, args, env, file }) => {
    seen.args.push(...args);
    seen.env.push(...env.filter((word) => word.startsWith('CONTAINER_')));
    host.kernel.tree.file(`/proc/${process.pid}/fd/5`);
    for (const fd of [3, 4]) {
      const end = file(fd);
      if (!(end instanceof SocketEnd)) throw new Error(`${fd} is not a pipe`);
      end.onMessage = () => {
        seen.text += end.text();
      };
      end.onHangUp = () => {
        if (!process.end) process.exit(0);
      };
    }
    const told = file(5);
    if (told instanceof SocketEnd) ready(told);
    const closed = process.files.indexOf(told as OpenFile);
    if (closed >= 0) process.files.splice(closed, 1)[0]?.drop();
    return undefined;
  });
  return seen;
}

test('a logger gets both outputs, its arguments and the names of the container, and ends with them', async () => {
  const host = new TaskHost();
  const seen = logger(host, () => {});
  const uri = 'binary:///bin/logger?level=debug&plain';
  const made = await host.call('Create', { bundle: '/b', stdout: uri, stderr: uri });
  assert.type(made, 'object', String(made));
  assert.equal(seen.args, ['/bin/logger', 'level', 'debug', 'plain']);
  assert.equal(seen.env.sort(), ['CONTAINER_ID=web', 'CONTAINER_NAMESPACE=space']);
  write(host.main, 1, 'out ');
  write(host.main, 2, 'err');
  assert.is(seen.text, 'out err');
  await over(host);
});

test('a logger that is missing, has ended, is silent or omits the byte of binary-v2 fails the create', async () => {
  const uri = 'binary:///bin/logger';
  const missing = new TaskHost();
  assert.match(String(await missing.call('Create', { bundle: '/b', stdout: uri })), /start the logger .*ENOENT/);
  assert.equal(missing.left, []);

  const ended = new TaskHost();
  ended.kernel.processes.programs.set('/bin/logger', ({ process }) => {
    process.exit(1);
    return undefined;
  });
  assert.match(String(await ended.call('Create', { bundle: '/b', stdout: uri })), /it ended before it was ready/);

  const silent = new TaskHost();
  let signals: number[] = [];
  silent.kernel.processes.programs.set('/bin/logger', ({ process }) => {
    silent.kernel.tree.file(`/proc/${process.pid}/fd/5`);
    signals = process.signals;
    return undefined;
  });
  assert.match(String(await silent.call('Create', { bundle: '/b', stdout: uri })), /it was not ready within \d+ s/);
  await silent.settle();
  assert.equal([signals, ...silent.left], [[SIGTERM]]);

  const mute = new TaskHost();
  logger(mute, () => {});
  const answer = await mute.call('Create', { bundle: '/b', stdout: 'binary-v2:///bin/logger' });
  assert.match(String(answer), /it closed descriptor 5 without writing a byte/);
  await mute.settle();
  assert.equal(mute.left, []);

  const speaking = new TaskHost();
  logger(speaking, (told) => void told.send('1'));
  assert.type(await speaking.call('Create', { bundle: '/b', stdout: 'binary-v2:///bin/logger' }), 'object');
  await over(speaking);
});

/** A config with a terminal, and a runt-init that sends the master to the socket of the shim. */
function terminalHost(
  send: (host: TaskHost, connection: SocketEnd, master: SocketEnd) => void = sendMaster,
  then: readonly Step[] = created,
) {
  const { process, ...rest } = config();
  const [master, slave] = SocketEnd.pair('terminal', false);
  slave.hold();
  const holder: { host?: TaskHost } = {};
  const steps: Step[] = [
    (init) => {
      const connection = init.process.files.find((file) => file.shown.includes('console-'));
      if (!(connection instanceof SocketEnd)) throw new Error('runt-init has no connection to the console socket');
      if (holder.host) send(holder.host, connection, master);
    },
    ...then,
  ];
  const host = new TaskHost(steps, { ...rest, process: { ...process, terminal: true } } as never);
  holder.host = host;
  const sizes: string[] = [];
  host.kernel.on('terminalMaster', () => 0);
  host.kernel.on('setWindowSize', (_fd, width, height) => {
    sizes.push(`${width}x${height}`);
    return 0;
  });
  return { host, slave, sizes };
}

function sendMaster(_host: TaskHost, connection: SocketEnd, master: SocketEnd): void {
  connection.send('x', [master]);
}

test('a terminal delivers output and input, has the size of a ResizePty before Start, and ends', async () => {
  const { host, slave, sizes } = terminalHost();
  const [stdin, stdout] = [host.kernel.fifo('/f/in'), host.kernel.fifo('/f/out')];
  const reader = stdout.reader();
  const made = await host.call('Create', { bundle: '/b', terminal: true, stdin: '/f/in', stdout: '/f/out' });
  assert.type(made, 'object', String(made));
  await host.call('ResizePty', { width: 80, height: 24 });
  assert.equal(sizes, ['80x24']);
  const client = stdin.writer();
  client.write(new TextEncoder().encode('typed'));
  slave.send('shown');
  await host.settle();
  assert.equal([stdout.text(), slave.text()], ['shown', 'typed']);
  await host.call('CloseIO', { stdin: true });
  client.write(new TextEncoder().encode('late'));
  await host.settle();
  assert.is(slave.text(), '', 'the input has ended');
  slave.drop();
  client.drop();
  await over(host);
  assert.is(reader.read(new Uint8Array(1)), 0);
  reader.drop();
  assert.equal(host.kernel.tree.list('/b'), ['config.json', 'rootfs'], 'the socket is removed');
});

test('a create whose terminal does not arrive leaves nothing', async () => {
  const { host } = terminalHost(() => {});
  host.kernel.fifo('/f/out');
  const answer = await host.call('Create', { bundle: '/b', terminal: true, stdout: '/f/out' });
  assert.match(String(answer), /runt-init sent none/);
  await host.settle();
  const left = host.left.filter((what) => what !== 'zombie: runt-init');
  assert.equal([...left, ...(host.kernel.tree.list('/b') ?? [])], ['config.json', 'rootfs']);
});

test('a create that fails after its terminal arrived closes the terminal', async () => {
  const failing: Step = (init) => {
    init.report('error', { index: 0, errno: E.ENOENT, syscall: 'execve', detail: '/nope' });
    init.process.exit(1);
  };
  const { host } = terminalHost(sendMaster, [failing]);
  host.kernel.fifo('/f/out');
  const answer = await host.call('Create', { bundle: '/b', terminal: true, stdout: '/f/out' });
  assert.match(String(answer), /ENOENT/);
  await host.settle();
  assert.equal(
    host.left.filter((what) => what !== 'zombie: runt-init'),
    [],
  );
});

test.run();
