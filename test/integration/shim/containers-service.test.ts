/** The API for scripts, runt.v1.Containers, by its client: on both servers, with containers of all origins. */
import { type ChildProcess, execFileSync, spawnSync } from 'node:child_process';
import { closeSync, constants, existsSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import * as assert from 'uvu/assert';
import {
  CallError,
  type Client,
  type Config,
  type Container,
  connect,
  type ProcessEvent,
} from '../../../src/library/client.js';
import { COMMAND_LIMIT, elapse } from '../../deadline.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { top } from '../bed/place.js';
import { protos, type ServerProgram, serve, servers, TaskClient } from '../bed/task-client.js';

const suite = needing('containers service', 'root');
const withCgroups = needing('containers service and cgroups', 'root', 'cgroups');

/** A server, and the means to make others in its place. */
class Server {
  readonly client: Client;
  readonly socket: string;
  private child: ChildProcess | undefined;
  private readonly clients: Client[] = [];

  constructor(
    readonly bed: Bed,
    private readonly program: ServerProgram,
    name = 'api.sock',
  ) {
    this.socket = join(bed.dir, name);
    this.client = this.connect();
  }

  connect(): Client {
    const client = connect(`unix://${this.socket}`);
    this.clients.push(client);
    return client;
  }

  async begin(): Promise<this> {
    this.child = await serve(this.bed, this.socket, this.program);
    return this;
  }

  /** Another server of the same root, at another socket: a client would wait before it connects again. */
  next(): Promise<Server> {
    return new Server(this.bed, this.program, `next-${this.socket.length}.sock`).begin();
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    for (const client of this.clients) client.close();
    await this.kill(signal);
  }

  /** Without closing the clients. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const over = new Promise((settle) => child.once('exit', settle));
    child.kill(signal);
    await over;
  }
}

/** Registers a test for each program that serves gRPC. */
const forEach =
  (on: typeof suite) =>
  (name: string, body: (server: Server, bed: Bed) => Promise<void>): void => {
    for (const program of Object.keys(servers) as ServerProgram[]) {
      on(
        `${program}: ${name}`,
        onBed(async (bed) => {
          const server = await new Server(bed, program).begin();
          try {
            await body(server, bed);
          } finally {
            await server.end();
            for (const id of ids(bed)) bed.runt(['delete', '--force', id]);
          }
        }),
      );
    }
  };
const test = forEach(suite);
const testCgroups = forEach(withCgroups);

const ids = (bed: Bed): string[] =>
  (JSON.parse(bed.runt(['list', '-f', 'json']).stdout) ?? []).map((c: { id: string }) => c.id);

const shell = (bed: Bed, script: string): Config => ({ rootfs: bed.rootfs, args: ['/bin/sh', '-c', script] });

interface Collected {
  readonly names: string[];
  stdout: string;
  stderr: string;
  status: number;
}

/** All events of a call. */
async function collect(events: AsyncIterable<ProcessEvent>): Promise<Collected> {
  const found: Collected = { names: [], stdout: '', stderr: '', status: -1 };
  for await (const event of events) {
    if (found.names.at(-1) !== event.event) found.names.push(event.event);
    if (event.event === 'stdout') found.stdout += Buffer.from(event.stdout);
    if (event.event === 'stderr') found.stderr += Buffer.from(event.stderr);
    if (event.event === 'exited') found.status = event.exited.status;
  }
  return found;
}

/** The error of a call. */
async function failure(call: Promise<unknown>): Promise<CallError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.instance(error, CallError);
  return error as CallError;
}

const expectFailure = async (call: Promise<unknown>, status: string, code: string | undefined, words: RegExp) => {
  const error = await failure(call);
  assert.equal([error.status, error.code], [status, code], error.message);
  assert.match(error.message, words);
};

test('Run sends the output of a config of options, and removes the container', async ({ client }, bed) => {
  const data = join(bed.dir, 'data');
  mkdirSync(data);
  writeFileSync(join(data, 'file'), 'bound\n');
  const script =
    'cat; cat /data/file; pwd; hostname; id -u; id -g; echo $WORD; touch /tmp/x; touch /y; echo bad >&2; exit 3';
  const run = client.run({
    id: bed.id,
    config: {
      ...shell(bed, script),
      env: ['WORD=hello'],
      cwd: '/bin',
      user: '7:8',
      hostname: 'box',
      mounts: [
        { source: data, destination: '/data', options: ['ro'] },
        { destination: '/tmp', options: ['mode=1777'] },
      ],
      annotations: { 'org.example.job': '42' },
    },
    stdio: { input: Buffer.from('input\n') },
  });
  const { names, stdout, stderr, status } = await collect(run);
  assert.is(stdout, 'input\nbound\n/bin\nbox\n7\n8\nhello\n');
  assert.match(stderr, /^touch: \/y: Read-only file system\nbad\n$/);
  assert.is(status, 3);
  assert.equal([names[0], names.at(-1)], ['started', 'exited']);
  await eventually('the removal', () => ids(bed).length === 0);
});

testCgroups('limits of a config are those of the cgroup', async ({ client }, bed) => {
  const config = { ...shell(bed, 'sleep 1000'), memory: 64 << 20, cpus: 0.5, pids: 20 };
  await client.create({ id: bed.id, config });
  const { linux } = JSON.parse(readFileSync(join(bed.root, bed.id, 'config.json'), 'utf8'));
  const { memory, cpu, pids } = linux.resources;
  assert.equal([memory, cpu, pids], [{ limit: 64 << 20 }, { quota: 50000, period: 100000 }, { limit: 20 }]);
  await client.delete({ id: bed.id, force: true });
});

test('a writable root file system, an overlay and mapped ids work', async ({ client }, bed) => {
  const overlay = join(bed.dir, 'overlay');
  const script = 'echo x >/made; cat /made; cat /proc/self/uid_map';
  const mapped = { ...shell(bed, script), overlay, uidMap: [{ hostId: 100000, size: 1000 }] };
  const above = await collect(client.run({ id: bed.id, config: mapped }));
  assert.match(above.stdout, /^x\n\s+0\s+100000\s+1000\n$/, above.stderr);
  assert.not.ok(existsSync(join(bed.rootfs, 'made')));
  const id = `${bed.id}-2`;
  assert.is((await collect(client.run({ id, config: { ...shell(bed, script), writable: true } }))).status, 0);
  assert.ok(existsSync(join(bed.rootfs, 'made')));
});

test('Run keeps a container if told to, and Get, List and Wait show how it ended', async ({ client }, bed) => {
  bed.config.process.args = ['/bin/sleep', '1000'];
  bed.config.annotations = { a: 'b' };
  bed.write();
  const { id, bundle } = bed;
  const run = collect(client.run({ id, bundle, keep: true }));
  await eventually('the start', async () => (await client.list()).containers[0]?.status === 'RUNNING');
  await client.kill({ id, signal: 'KILL' });
  assert.is((await run).status, 137);
  const container = await client.get({ id });
  const { exit, createdAt, ...rest } = container;
  assert.equal(rest, {
    id,
    status: 'STOPPED',
    pid: 0,
    bundle,
    rootfs: bed.rootfs,
    annotations: { a: 'b' },
    owner: 'root',
  });
  assert.ok(Math.abs(Number(createdAt) - Date.now()) < 600_000);
  assert.equal([exit?.status, exit?.signal, exit?.oom], [137, 9, false]);
  assert.ok(Number(exit?.exitedAt) >= Number(createdAt));
  assert.equal((await client.list()).containers, [container]);
  assert.equal(await client.wait({ id }), exit);
  await client.delete({ id });
  await expectFailure(client.get({ id }), 'NOT_FOUND', 'ERR_NO_CONTAINER', /does not exist/);
});

test('failed calls carry code, pointer, hint and violations, and leave nothing', async ({ client }, bed) => {
  const { id } = bed;
  const config = shell(bed, 'true');
  const run = (request: object) => collect(client.run({ id, config, ...request }));
  const missing = await failure(run({ config: { ...config, args: ['/none'] } }));
  assert.equal([missing.status, missing.code, missing.pointer], ['UNKNOWN', 'ERR_EXEC', '/process/args/0']);
  assert.match(missing.hint ?? '', /\/none/);
  assert.equal([missing.details?.errno, missing.details?.op], [2, 'findExecutable']);
  const fifo = join(bed.dir, 'fifo');
  execFileSync('mkfifo', [fifo]);
  await expectFailure(run({ stdio: { stderrFile: fifo } }), 'UNKNOWN', 'ERR_IO', /ENXIO/);
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  for (const [request, code, words] of [
    [{ config: { ...config, rootfs: '' } }, 'ERR_USAGE', /rootfs is empty/],
    [{ config: { ...config, rootfs: 'relative' } }, 'ERR_USAGE', /absolute path/],
    [{ config: { ...config, args: [] } }, 'ERR_USAGE', /args is empty/],
    [{ config: { ...config, user: 'bob' } }, 'ERR_USAGE', /config\.user "bob"/],
    [{ config: { ...config, mounts: [{ source: '/a:b', destination: '/c' }] } }, 'ERR_USAGE', /config\.mounts/],
    [{ config: { ...config, mounts: [{ destination: '' }] } }, 'ERR_SPEC_INVALID', /./],
    [{ config: undefined }, 'ERR_USAGE', /neither a bundle nor a config/],
    [{ config: undefined, bundle: 'b' }, 'ERR_USAGE', /absolute path/],
    [{ id: '../x' }, 'ERR_CONTAINER_ID', /invalid container ID/],
    [{ detach: true, killOnDisconnect: true }, 'ERR_USAGE', /exclude each other/],
    [{ stdio: { stdoutFile: 'out' } }, 'ERR_USAGE', /stdout_file must be an absolute path/],
    [{ stdio: { stdoutFile: fifo } }, 'ERR_USAGE', /is neither a file nor a device/],
    [{ stdio: { stdoutFile: '/out' }, config: { ...config, terminal: true } }, 'ERR_USAGE', /cannot go to a file/],
  ] as const)
    await expectFailure(run(request), 'INVALID_ARGUMENT', code, words);
  closeSync(reader);
  await expectFailure(run({ config: undefined, bundle: bed.dir }), 'NOT_FOUND', 'ERR_SPEC_MISSING', /config\.json/);
  bed.write({
    ociVersion: '1.0.0',
    root: { path: 'rootfs' },
    annotations: Object.fromEntries(Array.from({ length: 90 }, (_, i) => [`${i}${'k'.repeat(900)}`, 1])),
  });
  const invalid = await failure(run({ config: undefined, bundle: bed.bundle }));
  assert.equal([invalid.status, invalid.code, invalid.details?.more], ['INVALID_ARGUMENT', 'ERR_SPEC_INVALID', true]);
  assert.ok(invalid.details!.violations.length > 0);
  assert.match(invalid.details!.violations[0]!.pointer, /^\/annotations\/0k+/);
  assert.equal(ids(bed), []);
  for (const method of ['get', 'start', 'wait', 'kill', 'delete'] as const)
    await expectFailure(client[method]({ id }), 'NOT_FOUND', 'ERR_NO_CONTAINER', /does not exist/);
  await client.delete({ id, force: true });
  await expectFailure(collect(client.exec({ id, args: ['x'] })), 'NOT_FOUND', 'ERR_NO_CONTAINER', /does not exist/);
});

test('two clients that attach before the start get all output, and may write to stdin', async (server, bed) => {
  const { client } = server;
  const { id } = bed;
  const created = await client.create({
    id,
    config: shell(bed, 'echo ready; cat; exit 5'),
    stdio: { openStdin: true },
  });
  assert.is(created.status, 'CREATED');
  await expectFailure(
    client.create({ id, config: shell(bed, 'true') }),
    'ALREADY_EXISTS',
    'ERR_CONTAINER_EXISTS',
    /exists/,
  );
  const attached = [server.connect(), server.connect(), server.connect()].map((each) => each.attach());
  const [one, two, third] = attached as [(typeof attached)[0], (typeof attached)[0], (typeof attached)[0]];
  const begun = attached.map(async (call) => {
    await call.send({ open: { id } });
    const messages = call[Symbol.asyncIterator]();
    const { value } = await messages.next();
    assert.is(value?.event === 'attached' && value.attached.pid, created.pid);
    return messages;
  });
  const [first, second, leaving] = await Promise.all(begun);
  assert.is((await client.start({ id })).status, 'RUNNING');
  await expectFailure(client.start({ id }), 'FAILED_PRECONDITION', 'ERR_CONTAINER_STATUS', /start/);
  // One that leaves does not affect the others.
  await leaving!.return?.();
  await expectFailure(
    third.send({ stdin: Buffer.from('lost') }).then(() => collect(third)),
    'CANCELLED',
    undefined,
    /./,
  ).catch(() => {});
  const all = [first!, second!].map((messages) => collect({ [Symbol.asyncIterator]: () => messages }));
  await one.send({ stdin: Buffer.from('one\n') });
  await eventually('the first input', async () => (await bedOutput(client, id)) !== undefined);
  await two.send({ stdin: Buffer.from('two\n') });
  one.end();
  await two.send({ closeStdin: {} });
  for (const { stdout, status } of await Promise.all(all)) {
    assert.is(status, 5);
    assert.match(stdout, /^ready\n(one\ntwo|two\none)\n$/);
  }
  await client.delete({ id });
});

/** The status of a container: something that takes a call. */
const bedOutput = async (client: Client, id: string): Promise<string | undefined> => (await client.get({ id })).status;

test('a terminal has the size of the client, and one process reads what a client types', async ({ client }, bed) => {
  const { id } = bed;
  const config = { ...shell(bed, 'stty size; read line; stty size; echo "got $line"; exit 4'), terminal: true };
  await client.create({ id, config, stdio: { openStdin: true, size: { width: 100, height: 30 } } });
  const call = client.attach();
  await call.send({ open: { id } });
  const all = collect(call);
  await client.start({ id });
  await call.send({ resize: { width: 90, height: 20 } });
  await call.send({ stdin: Buffer.from('words\n') });
  const { stdout, status } = await all;
  assert.is(status, 4);
  // A terminal that is typed to before the program reads echoes that first.
  assert.match(stdout, /^(words\n)?(30 100|20 90)\n/);
  assert.match(stdout, /20 90\ngot words\n$/);
  await client.delete({ id });
});

test('Attach refuses what does not begin with open, and processes whose streams are elsewhere', async ({
  client,
}, bed) => {
  const { id } = bed;
  const asked = async (...requests: object[]) => {
    const call = client.attach();
    for (const request of requests) await call.send(request);
    return collect(call);
  };
  await expectFailure(asked({ stdin: Buffer.from('x') }), 'INVALID_ARGUMENT', undefined, /must be open/);
  await expectFailure(asked({ open: { id } }), 'NOT_FOUND', 'ERR_NO_CONTAINER', /./);
  assert.is(bed.started() > 0, true);
  await expectFailure(asked({ open: { id } }), 'FAILED_PRECONDITION', 'ERR_STREAMS', /did not start/);
  await expectFailure(asked({ open: { id, execId: 'x' } }), 'NOT_FOUND', 'ERR_NO_PROCESS', /no exec x/);
  const own = `${id}-own`;
  await collect(client.run({ id: own, config: shell(bed, 'sleep 1000'), detach: true }));
  await expectFailure(
    asked({ open: { id: own } }, { stdin: Buffer.from('x') }),
    'FAILED_PRECONDITION',
    'ERR_STREAMS',
    /stdin is not open/,
  );
  await expectFailure(
    asked({ open: { id: own } }, { resize: { width: 1, height: 1 } }),
    'FAILED_PRECONDITION',
    'ERR_STREAMS',
    /terminal/,
  );
  await expectFailure(
    asked({ open: { id: own } }, { open: { id: own } }),
    'INVALID_ARGUMENT',
    undefined,
    /after the first/,
  );
  await client.delete({ id: own, force: true });
});

test('Exec runs in containers of Run and of the command', async ({ client }, bed) => {
  const { id } = bed;
  bed.started();
  const other = `${id}-run`;
  const [started] = await toArray(client.run({ id: other, config: shell(bed, 'sleep 1000'), detach: true }));
  assert.is(started?.event === 'started' && started.started.id, other);
  for (const container of [id, other]) {
    const script = 'cat; echo $WORD; pwd; id -u; echo bad >&2; exit 9';
    const { names, stdout, stderr, status } = await collect(
      client.exec({
        id: container,
        args: ['sh', '-c', script],
        env: ['WORD=hi'],
        cwd: '/bin',
        user: '5',
        stdio: { input: Buffer.from('in\n') },
      }),
    );
    assert.equal([stdout, stderr, status], ['in\nhi\n/bin\n5\n', 'bad\n', 9], container);
    assert.equal([names[0], names.at(-1)], ['started', 'exited']);
    const exec = client.exec({ id: container, execId: 'sleeper', args: ['sleep', '1000'] });
    const events = exec[Symbol.asyncIterator]();
    const { value } = await events.next();
    assert.is(value?.event === 'started' && value.started.execId, 'sleeper');
    const again = collect(client.exec({ id: container, execId: 'sleeper', args: ['true'] }));
    await expectFailure(again, 'ALREADY_EXISTS', 'ERR_PROCESS_EXISTS', /in use/);
    const wait = client.wait({ id: container, execId: 'sleeper' });
    await client.kill({ id: container, execId: 'sleeper', signal: 'SIGINT' });
    assert.is((await wait).signal, 2);
    const last = await events.next();
    assert.is(last.value?.event === 'exited' && last.value.exited.status, 130);
    const dead = client.kill({ id: container, execId: 'sleeper' });
    await expectFailure(dead, 'FAILED_PRECONDITION', 'ERR_CONTAINER_STATUS', /has ended/);
    assert.is((await client.wait({ id: container, execId: 'sleeper' })).status, 130, 'it is still known');
  }
  const refused = (request: object) => collect(client.exec({ id, args: ['true'], ...request }));
  await expectFailure(refused({ args: [] }), 'INVALID_ARGUMENT', 'ERR_USAGE', /args is empty/);
  await expectFailure(refused({ execId: '../x' }), 'INVALID_ARGUMENT', 'ERR_USAGE', /not an exec_id/);
  await expectFailure(refused({ args: ['/none'] }), 'UNKNOWN', 'ERR_EXEC', /none/);
  const tty = await collect(
    client.exec({
      id,
      args: ['sh', '-c', 'until stty size | grep -q "^9 70"; do sleep 0.1; done; tty'],
      terminal: true,
      stdio: { size: { width: 70, height: 9 } },
    }),
  );
  assert.match(tty.stdout, /\/dev\/pts\/\d+\n$/);
  await expectFailure(client.kill({ id, signal: 'NOPE' }), 'INVALID_ARGUMENT', 'ERR_USAGE', /unknown signal/);
  await client.kill({ id: other, signal: '9' });
  await expectFailure(client.wait({ id }), 'FAILED_PRECONDITION', 'ERR_NOT_SUPERVISED', /no supervisor/);
});

async function toArray<T>(events: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const event of events) list.push(event);
  return list;
}

test('a process that has ended is reported although a child of it has its output open', async ({ client }, bed) => {
  const { id } = bed;
  await collect(client.run({ id, config: shell(bed, 'sleep 1000'), detach: true }));
  const args = ['sh', '-c', '(while :; do echo child; sleep 1; done) & echo parent'];
  const { stdout, status } = await collect(client.exec({ id, args }));
  assert.is(status, 0);
  assert.match(stdout, /parent\n/);
  await client.delete({ id, force: true });
});

test('the end of a process that has closed its output disturbs no other one', async ({ client }, bed) => {
  const run = (name: string, script: string) => client.run({ id: `${bed.id}-${name}`, config: shell(bed, script) });
  const quiet: AsyncIterator<ProcessEvent>[] = [];
  for (let i = 0; i < 8; i++) {
    const events = run(`quiet-${i}`, 'exec >&- 2>&-; sleep 2')[Symbol.asyncIterator]();
    await events.next();
    quiet.push(events);
  }
  // The descriptors that they have freed are those of these.
  const loud = Array.from({ length: 8 }, (_, i) => collect(run(`loud-${i}`, 'sleep 4; echo out; exit 3')));
  for (const { names, stdout, status } of await Promise.all(loud))
    assert.equal([names, stdout, status], [['started', 'stdout', 'exited'], 'out\n', 3]);
  for (const events of quiet) assert.is((await events.next()).value?.event, 'exited');
});

test('Watch tells of containers of the command and of both services', async (server, bed) => {
  const { client } = server;
  const { id } = bed;
  bed.started();
  const watch = client.watch({})[Symbol.asyncIterator]();
  const next = async () => {
    const { value } = await watch.next();
    return value?.event === 'changed' ? `${value.changed.id} ${value.changed.status}` : (value ?? { event: 'none' });
  };
  const present = await next();
  assert.equal(
    typeof present === 'object' &&
      present.event === 'present' &&
      present.present.containers.map((c: Container) => [c.id, c.status]),
    [[id, 'RUNNING']],
  );
  /** Reads until that; a state may be seen, or be over before it is looked at. */
  const until = async (expected: string) => {
    const words = (seen: Awaited<ReturnType<typeof next>>) => (typeof seen === 'string' ? seen : JSON.stringify(seen));
    for (let seen = words(await next()); seen !== expected; seen = words(await next()))
      assert.match(seen, / [A-Z]+$/, `before ${expected}`);
  };
  const removed = (which: string) => until(JSON.stringify({ removed: which, event: 'removed' }));
  bed.kill('KILL');
  await until(`${id} STOPPED`);
  bed.delete();
  await removed(id);
  const tasks = new TaskClient(server.socket);
  bed.write();
  await tasks.call('Create', { id, bundle: bed.bundle });
  await until(`${id} CREATED`);
  await tasks.call('Start', { id });
  await until(`${id} RUNNING`);
  await tasks.call('Pause', { id });
  await until(`${id} PAUSED`);
  await tasks.call('Resume', { id });
  await until(`${id} RUNNING`);
  const only = client.watch({ id: 'other' })[Symbol.asyncIterator]();
  assert.equal((await only.next()).value, { event: 'present', present: { containers: [] } });
  await expectFailure(client.delete({ id }), 'FAILED_PRECONDITION', undefined, /running/);
  // The task service does not know it any more either.
  await client.delete({ id, force: true });
  await removed(id);
  const gone = (await tasks.call('State', { id }).catch((error: { code: number }) => error)) as { code: number };
  assert.is(gone.code, 5);
  tasks.close();
  const run = collect(client.run({ id: 'other', config: shell(bed, 'sleep 1000') }));
  // A container that is gone before it is looked at is not seen at all.
  await until('other RUNNING');
  await client.kill({ id: 'other', signal: 'KILL' });
  await run;
  await removed('other');
  const [{ value: seen }] = [await only.next()];
  assert.is(seen?.event, 'changed');
  await Promise.all([watch.return?.(), only.return?.()]);
});

test('a client that does not read slows the process down, and loses nothing', async ({ client }, bed) => {
  const { id } = bed;
  const size = 8 << 20;
  mkdirSync(join(bed.dir, 'shared'));
  const mounts = [{ source: join(bed.dir, 'shared'), destination: '/shared' }];
  const config = { ...shell(bed, `head -c ${size} /dev/zero; touch /shared/done`), mounts };
  const run = client.run({ id, config })[Symbol.asyncIterator]();
  assert.is((await run.next()).value?.event, 'started');
  // Nothing happens: it waits for the client.
  await elapse(500);
  assert.not.ok(existsSync(join(bed.dir, 'shared/done')));
  let bytes = 0;
  for (let event = (await run.next()).value as ProcessEvent | undefined; event; event = (await run.next()).value)
    if (event.event === 'stdout') bytes += event.stdout.length;
  assert.is(bytes, size);
  assert.ok(existsSync(join(bed.dir, 'shared/done')));
  // Without a client, the output is dropped.
  const again = `${id}-2`;
  await collect(client.run({ id: again, config, detach: true, keep: true }));
  assert.is((await client.wait({ id: again })).status, 0);
  await client.delete({ id: again });
});

test('a client that goes away leaves its container running, unless that ends with the call', async (server, bed) => {
  const { client } = server;
  const sleep = shell(bed, 'sleep 1000');
  const lost = new Error('enough');
  const begin = async (request: object, byTimeout = false) => {
    const abort = new AbortController();
    const options = byTimeout ? { timeout: 300 } : { signal: abort.signal };
    const events = client.run({ config: sleep, ...request }, options)[Symbol.asyncIterator]();
    await events.next();
    if (!byTimeout) abort.abort(lost);
    return events.next().then(
      () => 'ended',
      (error: unknown) => error,
    );
  };
  const id = (name: string) => `${bed.id}-${name}`;
  assert.is(await begin({ id: id('stays') }), lost);
  assert.is((await client.get({ id: id('stays') })).status, 'RUNNING');
  await begin({ id: id('ends'), keep: true, killOnDisconnect: true });
  assert.is((await client.wait({ id: id('ends') })).signal, 9);
  const late = await begin({ id: id('late'), keep: true, killOnDisconnect: true }, true);
  assert.is((late as CallError).status, 'DEADLINE_EXCEEDED');
  assert.is((await client.wait({ id: id('late') })).signal, 9);
  await begin({ id: id('gone'), killOnDisconnect: true });
  await eventually('its removal', () => !ids(bed).includes(id('gone')));
  for (const killOnDisconnect of [false, true]) {
    const execId = String(killOnDisconnect);
    const other = server.connect();
    const events = other
      .exec({ id: id('stays'), execId, args: ['sleep', '1000'], killOnDisconnect })
      [Symbol.asyncIterator]();
    await events.next();
    other.close();
    await events.next().catch(() => {});
    if (!killOnDisconnect) await client.kill({ id: id('stays'), execId, signal: 'HUP' });
    assert.is((await client.wait({ id: id('stays'), execId })).signal, killOnDisconnect ? 9 : 1);
  }
  await client.delete({ id: id('stays'), force: true });
  assert.equal(ids(bed), [id('ends'), id('late')]);
  for (const name of ['ends', 'late']) await client.delete({ id: id(name) });
});

test('containers outlive a killed server, and the next one does what it has left to do', async (server, bed) => {
  const { client } = server;
  const id = (name: string) => `${bed.id}-${name}`;
  const log = join(bed.dir, 'log');
  const config = shell(bed, 'trap "exit 6" TERM; while :; do echo tick; sleep 0.1; done');
  const start = (name: string, request: object) =>
    client
      .run({ id: id(name), config, ...request })
      [Symbol.asyncIterator]()
      .next();
  await start('file', { keep: true, detach: true, stdio: { stdoutFile: log, stderrFile: log } });
  // The kernel does not kill the first process of a pid namespace by SIGPIPE: its write fails.
  await start('pipe', { keep: true, config: shell(bed, 'while echo tick; do sleep 0.1; done; exit 8') });
  await start('removed', { detach: true, stdio: { stdoutFile: '/dev/null' } });
  await start('bound', { keep: true, killOnDisconnect: true, stdio: { stdoutFile: '/dev/null' } });
  await eventually('output', () => existsSync(log) && statSync(log).size > 0);
  assert.is(statSync(log).mode & 0o777, 0o600);
  const cut = failure(client.wait({ id: id('file') }));
  await server.kill('SIGKILL');
  assert.is((await cut).status, 'UNAVAILABLE');
  const before = statSync(log).size;
  await eventually('more output', () => statSync(log).size > before);
  const next = await server.next();
  try {
    const { client } = next;
    assert.is((await client.wait({ id: id('bound') })).signal, 9, 'it ends with its call');
    assert.is((await client.wait({ id: id('pipe') })).status, 8, 'its pipe is broken');
    assert.is((await client.get({ id: id('file') })).status, 'RUNNING');
    const attach = client.attach();
    await attach.send({ open: { id: id('file') } });
    await expectFailure(collect(attach), 'FAILED_PRECONDITION', 'ERR_STREAMS', /did not start/);
    const ended = client.wait({ id: id('file') });
    await client.kill({ id: id('file') });
    assert.is((await ended).status, 6);
    assert.is((await client.get({ id: id('removed') })).status, 'RUNNING');
    await client.kill({ id: id('removed'), signal: 'KILL' });
    await eventually('the removal', () => !ids(bed).includes(id('removed')));
    for (const name of ['bound', 'file', 'pipe']) await client.delete({ id: id(name) });
    assert.equal((await client.list()).containers, []);
  } finally {
    await next.end();
  }
});

test('SIGTERM ends the calls at once, and health tells of it', async (server, bed) => {
  const { client } = server;
  const { id } = bed;
  assert.equal(await client.health.check({ service: 'runt.v1.Containers' }), { status: 'SERVING' });
  await expectFailure(client.health.check({ service: 'x' }), 'NOT_FOUND', undefined, /no service x/);
  const health = client.health.watch({})[Symbol.asyncIterator]();
  assert.equal((await health.next()).value, { status: 'SERVING' });
  const unknown = client.health.watch({ service: 'x' })[Symbol.asyncIterator]();
  assert.equal((await unknown.next()).value, { status: 'SERVICE_UNKNOWN' });
  await unknown.return?.();
  const run = client.run({ id, config: shell(bed, 'sleep 1000'), keep: true })[Symbol.asyncIterator]();
  await run.next();
  const bound = client
    .run({ id: `${id}-2`, config: shell(bed, 'sleep 1000'), killOnDisconnect: true })
    [Symbol.asyncIterator]();
  await bound.next();
  const calls = [run.next(), bound.next(), client.wait({ id })].map(failure);
  const last = health.next();
  const begun = Date.now();
  await server.kill('SIGTERM');
  assert.ok(Date.now() - begun < 1900, 'it does not wait for the calls');
  assert.equal((await last).value, { status: 'NOT_SERVING' });
  for (const error of await Promise.all(calls)) assert.is(error.status, 'UNAVAILABLE');
  assert.is(JSON.parse(bed.runt(['state', id]).stdout).status, 'running');
  await eventually(
    'the end of the container with its call',
    () => !bed.runt(['state', `${id}-2`]).stdout.includes('"running"'),
  );
});

const withGrpcurl = needing('containers service and grpcurl', 'root', 'grpcurl');
const grpcurl = forEach(withGrpcurl);

grpcurl('grpcurl alone runs a container and prints the facts of an error', async ({ socket }, bed) => {
  const call = (method: string, request: object) => {
    const r = spawnSync('grpcurl', ['-plaintext', '-d', JSON.stringify(request), `unix://${socket}`, method], {
      encoding: 'utf8',
    });
    return r.stdout + r.stderr;
  };
  const run = call('runt.v1.Containers/Run', { id: bed.id, config: shell(bed, 'echo hi; exit 7') });
  assert.match(run, /"started": \{\s+"id": "[^"]+",\s+"pid": \d+/);
  assert.match(run, new RegExp(`"stdout": "${Buffer.from('hi\n').toString('base64')}"`));
  assert.match(run, /"exited": \{\s+"status": 7,/);
  assert.match(call('runt.v1.Containers/Get', { id: 'none' }), /Code: NotFound[\s\S]*"code": "ERR_NO_CONTAINER"/);
  assert.match(call('grpc.health.v1.Health/Check', {}), /"SERVING"/);
});

/** The first block of a language in docs/grpc.md. */
const example = (language: string): string =>
  new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(readFileSync(join(top, 'docs/grpc.md'), 'utf8'))![1]!;

test('the TypeScript of docs/grpc.md runs', async ({ socket }, bed) => {
  const { code } = transformSync(example('ts'), { loader: 'ts', format: 'esm' });
  const file = join(bed.dir, 'example.mjs');
  writeFileSync(file, code.replace('runt-oci/client', join(top, 'dist/client.js')));
  const r = spawnSync(process.execPath, [file, `unix://${socket}`, bed.rootfs], {
    encoding: 'utf8',
    timeout: COMMAND_LIMIT,
  });
  assert.equal([r.stderr, r.stdout], ['', 'hello\nstatus 3\n42\nDEADLINE_EXCEEDED \n']);
  await eventually('the end of the killed container', () => ids(bed).length === 0);
});

const withPython = needing('containers service and Python', 'root', 'grpcio-tools');

forEach(withPython)('the Python of docs/grpc.md runs', async ({ socket }, bed) => {
  const python = (...args: string[]) =>
    spawnSync('python3', args, { cwd: bed.dir, encoding: 'utf8', timeout: COMMAND_LIMIT });
  const out = ['-m', 'grpc_tools.protoc', '-I', protos, '--python_out=.', '--grpc_python_out=.', 'runt.proto'];
  assert.is(python(...out).stderr, '');
  writeFileSync(join(bed.dir, 'example.py'), example('python'));
  const r = python('example.py', `unix://${socket}`, bed.rootfs);
  assert.equal([r.stderr, r.stdout], ['', 'hello\nstatus 3\nNOT_FOUND True\n']);
});

suite.run();
withCgroups.run();
withGrpcurl.run();
withPython.run();
