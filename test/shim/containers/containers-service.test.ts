/** runt.v1.Containers on the fake host: order of events, slow and lost clients, what a killed server has left. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { api } from '../../../src/shim/containers/api-protos.js';
import { ContainersService } from '../../../src/shim/containers/containers-service.js';
import type { Streaming, Unary } from '../../../src/shim/transport/rpc.js';
import { statusOf } from '../../../src/shim/transport/status-code.js';
import { E } from '../../../src/sys/errno.js';
import { created, executed, type ScriptedInit } from '../../sys/fake-host/scripted-init.js';
import { callWith } from '../call-facts.js';
import { TaskHost } from '../task/task-host.js';
import { FakeCall } from './fake-call.js';

const test = suite('containers service');

interface Message {
  encode(value: object): { finish(): Uint8Array };
  decode(bytes: Uint8Array): object;
}

class ApiHost extends TaskHost {
  api: ContainersService;
  /** What the process does when it is started. */
  onStart: () => unknown = () => undefined;

  constructor() {
    super((n) =>
      n === 0
        ? [...created, () => this.answerStart(() => this.onStart())]
        : [(init: ScriptedInit) => this.enter(init), ...executed],
    );
    this.api = this.newServer();
  }

  newServer(): ContainersService {
    const { root } = this.kernel;
    return new ContainersService({ root, debug: false, deleteTask: (id, force) => this.service.deleteTask(id, force) });
  }

  private procedure(method: string): { unary: Unary; streaming: Streaming } {
    return this.api.procedures.get(`runt.v1.Containers/${method}`) as never;
  }

  /** Makes a call with one answer. @returns that, or the failure as `CODE message` */
  async ask(method: string, input: Message, output: Message, request: object = {}): Promise<unknown> {
    const bytes = input.encode({ id: 'web', ...request }).finish();
    return this.kernel.finish(
      this.procedure(method)
        .unary(bytes, callWith())
        .then(
          (answer) => JSON.parse(JSON.stringify(output.decode(answer))),
          (error) => `${statusOf(error).code} ${statusOf(error).message}`,
        ),
    );
  }

  stream(method: string, input: Message, request: object, output: Message = api.ProcessEvent): FakeCall<object> {
    return new FakeCall(output).begin(
      this.procedure(method).streaming,
      input.encode({ id: 'web', ...request }).finish(),
    );
  }

  /** Runs the bundle; the process is executed. */
  async run(request: object = {}): Promise<FakeCall<object>> {
    const call = this.stream('Run', api.RunRequest, { bundle: '/b', ...request });
    await this.settle();
    return call;
  }

  /** The ids of the containers. */
  get ids(): string[] {
    return this.kernel.tree.list(this.kernel.root) ?? [];
  }

  /** What is left at the end; without the supervisor, which the server's reaper of orphans reaps. */
  async rest(): Promise<string[]> {
    await this.settle(60_000);
    return this.left.filter((what) => what !== 'zombie: runt-init');
  }

  write(fd: number, text: string): number {
    return this.main.files(fd)?.write(new TextEncoder().encode(text)) ?? -E.EBADF;
  }
}

test('Create, Start, Get, Kill and Delete work, and Attach follows from before the start', async () => {
  const host = new ApiHost();
  const created = (await host.ask('Create', api.CreateRequest, api.Container, { bundle: '/b' })) as api.Container;
  const { pid } = host.main.process;
  assert.equal([created.status, created.pid, created.bundle, created.rootfs], [2, pid, '/b', '/b/rootfs']);
  const attached = host.stream('Attach', api.AttachRequest, { open: { id: 'web' } });
  await host.settle();
  host.onStart = () => host.write(1, 'first\n');
  const started = (await host.ask('Start', api.StartRequest, api.Container)) as api.Container;
  assert.is(started.status, 3);
  await host.settle();
  host.write(2, 'bad\n');
  await host.settle();
  const wait = host.stream('Wait', api.WaitRequest, {}, api.Exit);
  assert.equal(await host.ask('Kill', api.KillRequest, api.KillResponse, { signal: 'KILL' }), {});
  await host.settle(1000);
  assert.equal(attached.sent, [
    { attached: { id: 'web', pid, warnings: [] } },
    { stdout: 'first\n' },
    { stderr: 'bad\n' },
    { exited: { status: 137, signal: 9 } },
  ]);
  assert.equal([attached.end, wait.end, wait.sent], ['OK', 'OK', [{ status: 137, signal: 9 }]]);
  assert.equal(await host.ask('Delete', api.DeleteRequest, api.DeleteResponse), {});
  assert.match(String(await host.ask('Get', api.GetRequest, api.Container)), /^5 container does not exist: web/);
  assert.equal(await host.rest(), []);
});

test('Run sends started first, then the output, then the exit, and removes the container', async () => {
  const host = new ApiHost();
  host.onStart = () => host.write(1, 'early\n');
  const run = await host.run();
  const { pid } = host.main.process;
  assert.equal(run.sent, [{ started: { id: 'web', pid, warnings: [] } }, { stdout: 'early\n' }]);
  host.write(1, 'last');
  host.main.process.exit(4);
  await host.settle(1000);
  assert.equal(run.sent.slice(2), [{ stdout: 'last' }, { exited: { status: 4 } }]);
  assert.equal([run.end, host.ids], ['OK', []]);
  assert.equal(await host.rest(), []);
});

test('a client that does not read holds the output up, until it reads or has gone', async () => {
  for (const leaves of [false, true]) {
    const host = new ApiHost();
    const run = await host.run({ keep: true });
    run.isReading = false;
    host.write(1, 'one\n');
    await host.settle();
    host.write(1, 'two\n');
    await host.settle();
    assert.equal(run.sent.slice(1), [{ stdout: 'one\n' }], 'the second waits');
    const attached = host.stream('Attach', api.AttachRequest, { open: { id: 'web' } });
    await host.settle();
    if (leaves) run.cancel();
    else run.read();
    await host.settle();
    assert.equal(attached.sent.slice(1), [{ stdout: 'two\n' }]);
    if (!leaves) assert.equal(run.sent.slice(2), [{ stdout: 'two\n' }]);
    host.main.process.exit(0);
    await host.settle(1000);
    assert.equal([run.end, attached.end], [leaves ? '1 the call is cancelled' : 'OK', 'OK']);
    await host.ask('Delete', api.DeleteRequest, api.DeleteResponse);
    assert.equal(await host.rest(), []);
  }
});

test('the container ends with its call only if told to; it is removed in either case', async () => {
  for (const killOnDisconnect of [false, true]) {
    const host = new ApiHost();
    const run = await host.run({ killOnDisconnect });
    run.cancel();
    await host.settle(1000);
    assert.is(run.end, '1 the call is cancelled');
    assert.equal(host.ids, killOnDisconnect ? [] : ['web']);
    if (!killOnDisconnect) host.main.process.exit(0);
    await host.settle(1000);
    assert.equal(host.ids, []);
    assert.equal(await host.rest(), []);
  }
});

test('the end of the server ends the calls, and kills what ends with them', async () => {
  for (const killOnDisconnect of [false, true]) {
    const host = new ApiHost();
    const run = await host.run({ keep: true, killOnDisconnect });
    assert.ok(host.api.busy);
    await host.kernel.finish(host.api.close());
    assert.equal([run.end, host.api.busy], ['14 the server ends', false]);
    await host.settle(1000);
    assert.is(host.main.process.state === 'Z' || host.main.process.state === 'X', killOnDisconnect);
    if (!killOnDisconnect) host.main.process.exit(0);
    await host.settle(1000);
    await host.ask('Delete', api.DeleteRequest, api.DeleteResponse, { force: true });
    await host.settle(60_000);
  }
});

test('the next server removes what the Run of a killed one has left, and kills what ends with its call', async () => {
  for (const killOnDisconnect of [false, true]) {
    const host = new ApiHost();
    await host.run({ detach: !killOnDisconnect, killOnDisconnect });
    const path = `${host.kernel.root}/web/run.json`;
    const record = JSON.parse(host.kernel.tree.text(path)) as object;
    assert.equal({ ...record, server: 0 }, { version: 1, server: 0, keep: false, killOnDisconnect });
    const next = host.newServer();
    next.adopt();
    await host.settle(1000);
    assert.equal(host.ids, ['web'], 'its server runs');
    host.kernel.tree.file(path, JSON.stringify({ ...record, server: { pid: 77, startTime: '1' } }));
    host.kernel.tree.file(`${host.kernel.root}/bad/run.json`, '{');
    next.adopt();
    await host.settle(1000);
    assert.match(host.log.join('\n'), /bad/);
    assert.equal(host.ids, killOnDisconnect ? ['bad'] : ['bad', 'web']);
    if (!killOnDisconnect) host.main.process.exit(0);
    await host.settle(1000);
    assert.equal(host.ids, ['bad']);
    await host.settle(60_000);
  }
});

test('a failed Run leaves nothing', async () => {
  const host = new ApiHost();
  host.kernel.failAt('pipe', 2, E.EMFILE);
  const run = await host.run();
  assert.match(run.end ?? '', /^2 make a pipe: EMFILE/);
  assert.equal([run.sent, host.ids], [[], []]);
  const missing = host.stream('Run', api.RunRequest, { bundle: '/none' });
  await host.settle();
  assert.match(missing.end ?? '', /^5 read \/none\/config.json: ENOENT/);
  assert.equal(await host.rest(), []);
});

test.run();
