/** The shim as containerd drives it, over ttrpc, with this test in containerd's place. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { events, task, ttrpc, types } from '../../src/shim/protos.js';
import type { StatusError } from '../../src/shim/status.js';
import { Connection } from '../../src/shim/ttrpc.js';
import { native } from '../../src/sys/host.js';
import { useNodeHost } from '../../src/sys/node.js';
import { type Bed, needing, onBed } from './bed.js';
import { runtPath } from './place.js';

const test = needing('shim', 'root', 'cgroups');
useNodeHost([]);

/** containerd's side: an events service that remembers, and calls to the shim. */
class Engine {
  readonly topics: string[] = [];
  readonly namespace: string;
  readonly fifos: string;
  private readonly server: Server;
  private connection: Connection | undefined;
  private readonly program: string;

  constructor(readonly bed: Bed) {
    this.namespace = bed.id;
    this.fifos = join(bed.dir, 'fifos');
    mkdirSync(this.fifos);
    this.program = join(bed.dir, 'containerd-shim-runt-v1');
    symlinkSync(runtPath, this.program);
    this.server = createServer((socket) => {
      let data = Buffer.alloc(0);
      // The shim is killed by a test.
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        data = Buffer.concat([data, chunk]);
        while (data.length >= 10 && data.length >= 10 + data.readUInt32BE(0)) {
          const end = 10 + data.readUInt32BE(0);
          const request = ttrpc.Request.decode(data.subarray(10, end));
          const { envelope } = events.ForwardRequest.decode(request.payload as Uint8Array);
          this.topics.push(envelope?.topic ?? '');
          const answer = ttrpc.Response.encode({ payload: new Uint8Array() }).finish();
          const head = Buffer.alloc(10);
          head.writeUInt32BE(answer.length, 0);
          head.writeUInt32BE(data.readUInt32BE(4), 4);
          head.writeUInt8(2, 8);
          socket.write(Buffer.concat([head, answer]));
          data = data.subarray(end);
        }
      });
    }).listen(join(bed.dir, 'ttrpc'));
  }

  /** Runs the program with an action; its output. */
  action(action: string): Buffer {
    const flags = ['-namespace', this.namespace, '-address', join(this.bed.dir, 'sock'), '-publish-binary', '/none'];
    return execFileSync(this.program, [...flags, '-id', this.bed.id, action], {
      cwd: this.bed.bundle,
      env: { ...process.env, TTRPC_ADDRESS: join(this.bed.dir, 'ttrpc') },
      timeout: 10_000,
    });
  }

  start(): string {
    const address = String(this.action('start'));
    assert.match(address, /^unix:\/\/\/.*[0-9a-f]{64}$/);
    const path = address.slice('unix://'.length);
    const dir = native.openAt(-100, dirname(path), 0, 0);
    this.connection = new Connection(native.unixConnect(dir, path.slice(dirname(path).length + 1)));
    native.close(dir);
    void this.connection.serve();
    return address;
  }

  async call<O>(
    method: string,
    request: { finish(): Uint8Array },
    answer: { decode(data: Uint8Array): O } = { decode: () => undefined as O },
  ): Promise<O> {
    return answer.decode(await this.connection!.call('containerd.task.v2.Task', method, request.finish()));
  }

  fifo(name: string): string {
    const path = join(this.fifos, name);
    execFileSync('mkfifo', [path]);
    return path;
  }

  async end(): Promise<void> {
    this.connection?.close();
    this.server.close();
  }
}

/** All that is written to a fifo until its writers are gone. */
function readAll(path: string): Promise<string> {
  return new Promise((done) => {
    const child = spawn('cat', [path]);
    let text = '';
    child.stdout.on('data', (d) => {
      text += d;
    });
    child.on('close', () => done(text));
  });
}

/** The error that a call must end with. */
async function refused(call: Promise<unknown>): Promise<StatusError> {
  const error = await call.then(
    () => undefined,
    (e: StatusError) => e,
  );
  assert.ok(error, 'the call was answered');
  return error!;
}

const onEngine = (f: (engine: Engine, bed: Bed) => Promise<void>) =>
  onBed(async (bed) => {
    const engine = new Engine(bed);
    try {
      await f(engine, bed);
    } finally {
      await engine.end();
    }
  });

test(
  'a container from create to shutdown: output, status, and events in order',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'cat; echo no >&2; exit 7'];
    bed.write();
    engine.start();
    const [stdin, stdout, stderr] = ['in', 'out', 'err'].map((n) => engine.fifo(n)) as [string, string, string];
    const [out, err] = [readAll(stdout), readAll(stderr)];
    const { id, bundle } = bed;
    const create = task.CreateTaskRequest.encode({ id, bundle, stdin, stdout, stderr });
    const { pid } = await engine.call('Create', create, task.CreateTaskResponse);
    assert.match(readlinkSync(`/proc/${pid}/ns/pid`), /^pid:/);
    const state = () => engine.call('State', task.StateRequest.encode({ id }), task.StateResponse);
    assert.is((await state()).status, types.Status.CREATED);
    await engine.call('Start', task.StartRequest.encode({ id }));
    const wait = engine.call('Wait', task.WaitRequest.encode({ id }), task.WaitResponse);
    writeFileSync(stdin, 'through');
    const { exitStatus, exitedAt } = await wait;
    assert.is(exitStatus, 7);
    assert.ok(Math.abs(Number(exitedAt?.seconds) - Date.now() / 1000) < 60);
    assert.equal([await out, await err], ['through', 'no\n']);
    assert.is((await state()).status, types.Status.STOPPED);
    const again = await refused(engine.call('Kill', task.KillRequest.encode({ id, signal: 9 })));
    assert.equal([again.code, again.message], [5, 'process already finished']);
    const deleted = await engine.call('Delete', task.DeleteRequest.encode({ id }), task.DeleteResponse);
    assert.equal([deleted.pid, deleted.exitStatus], [pid, 7]);
    await engine.call('Shutdown', task.ShutdownRequest.encode({ id }));
    assert.equal(engine.topics, ['/tasks/create', '/tasks/start', '/tasks/exit', '/tasks/delete']);
    assert.not.ok(existsSync(`/run/containerd/runt/${engine.namespace}/${id}`));
  }),
);

test(
  'an exec, a pause, statistics, and what is asked of what is not there',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    engine.start();
    const { id, bundle } = bed;
    await engine.call('Create', task.CreateTaskRequest.encode({ id, bundle }));
    await engine.call('Start', task.StartRequest.encode({ id }));
    const stdout = engine.fifo('out');
    const out = readAll(stdout);
    const spec = { ...bed.config.process, args: ['/bin/sh', '-c', 'echo inside; exit 3'] };
    const value = new TextEncoder().encode(JSON.stringify(spec));
    await engine.call('Exec', task.ExecProcessRequest.encode({ id, execId: 'e', stdout, spec: { value } }));
    const twice = engine.call('Exec', task.ExecProcessRequest.encode({ id, execId: 'e', spec: { value } }));
    assert.is((await refused(twice)).code, 6);
    const { pid } = await engine.call('Start', task.StartRequest.encode({ id, execId: 'e' }), task.StartResponse);
    const ended = await engine.call('Wait', task.WaitRequest.encode({ id, execId: 'e' }), task.WaitResponse);
    assert.equal([await out, ended.exitStatus], ['inside\n', 3]);
    const deleted = await engine.call('Delete', task.DeleteRequest.encode({ id, execId: 'e' }), task.DeleteResponse);
    assert.equal([deleted.pid, deleted.exitStatus], [pid, 3]);

    await engine.call('Pause', task.PauseRequest.encode({ id }));
    const state = () => engine.call('State', task.StateRequest.encode({ id }), task.StateResponse);
    assert.is((await state()).status, types.Status.PAUSED);
    await engine.call('Resume', task.ResumeRequest.encode({ id }));
    assert.is((await state()).status, types.Status.RUNNING);
    const { processes } = await engine.call('Pids', task.PidsRequest.encode({ id }), task.PidsResponse);
    assert.equal(
      processes.map((p) => p.pid),
      [(await state()).pid],
    );
    const { stats } = await engine.call('Stats', task.StatsRequest.encode({ id }), task.StatsResponse);
    assert.match(stats?.type_url ?? '', /^io\.containerd\.cgroups\.v[12]\.Metrics$/);
    const nobody = engine.call('State', task.StateRequest.encode({ id: 'nobody' }), task.StateResponse);
    assert.is((await refused(nobody)).code, 5);
    const checkpoint = engine.call('Checkpoint', task.CheckpointTaskRequest.encode({ id }));
    assert.is((await refused(checkpoint)).code, 12);
    const early = engine.call('Delete', task.DeleteRequest.encode({ id }));
    assert.is((await refused(early)).code, 9);

    await engine.call('Kill', task.KillRequest.encode({ id, signal: 9 }));
    const end = await engine.call('Wait', task.WaitRequest.encode({ id }), task.WaitResponse);
    assert.is(end.exitStatus, 137);
    await engine.call('Delete', task.DeleteRequest.encode({ id }));
    await engine.call('Shutdown', task.ShutdownRequest.encode({ id }));
    const [first, last] = [engine.topics.indexOf('/tasks/exit'), engine.topics.lastIndexOf('/tasks/exit')];
    assert.ok(first < last, engine.topics.join(' '));
    assert.is(engine.topics.at(-1), '/tasks/delete');
  }),
);

test(
  'a shim that is killed: delete ends the container and tells the true status, again and again',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'exit 9'];
    bed.write();
    engine.start();
    const { id, bundle } = bed;
    await engine.call('Create', task.CreateTaskRequest.encode({ id, bundle }));
    const { shimPid } = await engine.call('Connect', task.ConnectRequest.encode({ id }), task.ConnectResponse);
    await engine.call('Start', task.StartRequest.encode({ id }));
    await engine.call('Wait', task.WaitRequest.encode({ id }));
    process.kill(shimPid, 'SIGKILL');
    const { exitStatus } = task.DeleteResponse.decode(engine.action('delete'));
    assert.is(exitStatus, 9);
    task.DeleteResponse.decode(engine.action('delete'));
  }),
);

test(
  'a second container of a group finds the shim of the first',
  onEngine(async (engine, bed) => {
    bed.config.annotations = { 'io.kubernetes.cri.sandbox-id': `pod-${bed.id}` };
    bed.write();
    const address = engine.start();
    assert.is(String(engine.action('start')), address);
    assert.is(readFileSync(join(bed.bundle, 'address'), 'utf8'), address);
    await engine.call('Shutdown', task.ShutdownRequest.encode({ id: bed.id }));
    await new Promise((next) => setTimeout(next, 200));
    assert.not.ok(existsSync(address.slice('unix://'.length)));
  }),
);

test.run();
