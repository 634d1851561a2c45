/** `delete` of a gRPC shim whose server runs, as containerd 2.x calls it: when its output ends, and what it says. */
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { holdNo, holdSocket, holdYes, restOfAnswer } from '../../../src/shim/holds/hold-socket.js';
import { task } from '../../../src/shim/transport/protos.js';
import { Code } from '../../../src/shim/transport/status-code.js';
import { fdPair } from '../../../src/sys/fds.js';
import { native } from '../../../src/sys/host.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { COMMAND_LIMIT } from '../../deadline.js';
import { hasEnded } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { top } from '../bed/place.js';
import { TaskClient } from '../bed/task-client.js';

useNodeHost([]);

const test = needing('gRPC shim', 'root');
const program = join(top, 'dist', 'containerd-shim-runt-grpc-v1');

/** A `delete` that was called, and the pipe that it writes its answer to. */
class Delete {
  private readonly reader: number;
  private readonly pieces: Buffer[] = [];
  private readonly pipe: string;
  status: number | null | undefined;

  constructor(cwd: string, args: readonly string[]) {
    const ends = new Uint8Array(16);
    assert.is(native.pipe(ends), 0);
    const [reader, writer] = fdPair(ends);
    this.reader = reader;
    this.pipe = readlinkSync(`/proc/self/fd/${reader}`);
    spawn(program, args, { cwd, stdio: ['ignore', writer, 'inherit'] }).on('exit', (code) => (this.status = code));
    closeSync(writer);
  }

  /** Reads what there is. True at the end of the output. */
  get ended(): boolean {
    const piece = Buffer.alloc(4096);
    for (;;) {
      try {
        const n = readSync(this.reader, piece);
        if (n === 0) return true;
        this.pieces.push(Buffer.from(piece.subarray(0, n)));
      } catch (error) {
        assert.is((error as NodeJS.ErrnoException).code, 'EAGAIN');
        return false;
      }
    }
  }

  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.pieces));
  }

  /** Waits for its exit: it has deleted nothing, and its output goes on. */
  async held(): Promise<void> {
    await eventually('the exit of delete', () => this.status !== undefined);
    assert.equal([this.status, this.ended, this.bytes.length], [0, false, 1]);
  }

  /** The answer, when the output has ended. */
  async answer(): Promise<task.DeleteResponse> {
    await eventually('the end of the output', () => this.ended && this.status !== undefined, COMMAND_LIMIT);
    assert.is(this.status, 0);
    return task.DeleteResponse.decode(this.bytes);
  }

  /** The process that holds the output. */
  get holder(): number {
    const found = readdirSync('/proc').find((pid) => {
      try {
        const isHolder = readFileSync(`/proc/${pid}/comm`, 'utf8') === 'runt-holder\n';
        return (
          isHolder && readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === this.pipe)
        );
      } catch {
        return false;
      }
    });
    assert.ok(found, 'no process holds the output');
    return Number(found);
  }

  /** Closes the reader, as the end of containerd does. */
  abandon(): void {
    closeSync(this.reader);
  }
}

/** containerd's side of a server. */
class Engine {
  readonly client: TaskClient;
  readonly address: string;

  constructor(
    readonly bed: Bed,
    script: string,
  ) {
    mkdirSync(join(bed.dir, 's'), { mode: 0o700 });
    bed.config.process.args = ['/bin/sh', '-c', script];
    bed.write();
    this.address = (JSON.parse(this.start(bed.id)) as { address: string }).address;
    this.client = new TaskClient(this.address);
  }

  private args(id: string, ...more: string[]): string[] {
    const { bed } = this;
    return ['-namespace', bed.id, '-id', id, '-address', join(bed.dir, 'containerd.sock'), ...more];
  }

  /** `start` of a container in the bed's bundle. */
  start(id: string): string {
    const env = { PATH: process.env.PATH!, MAX_SHIM_VERSION: '2', RUNT_SHIM_IDLE: '1' };
    const options = { cwd: this.bed.bundle, env, encoding: 'utf8', input: '', timeout: COMMAND_LIMIT } as const;
    const r = spawnSync(program, this.args(id, 'start'), options);
    assert.is(r.status, 0, r.stderr);
    return r.stdout;
  }

  delete(id = this.bed.id): Delete {
    const { bundle } = this.bed;
    return new Delete(bundle, this.args(id, '-bundle', bundle, 'delete'));
  }

  call(method: string, request: object = {}): Promise<Record<string, never>> {
    return this.client.call(method, { id: this.bed.id, ...request });
  }

  /** Create and Start; the pid. */
  async run(): Promise<number> {
    const { pid } = await this.call('Create', { bundle: this.bed.bundle });
    await this.call('Start');
    return Number(pid);
  }

  async serverPid(): Promise<number> {
    return Number((await this.call('Connect')).shimPid);
  }

  get state(): string {
    return join('/run/containerd/runt', this.bed.id, this.bed.id);
  }

  /** Ends the container and the server. */
  async over(): Promise<void> {
    const server = await this.serverPid();
    await this.call('Kill', { signal: 9 }).catch(() => {});
    await this.call('Wait');
    await this.call('Delete');
    await this.call('Shutdown');
    this.client.close();
    await eventually('the end of the server', () => hasEnded(server));
  }
}

const onEngine = (script: string, f: (engine: Engine, bed: Bed) => Promise<void>) =>
  onBed(async (bed) => {
    const engine = new Engine(bed, script);
    try {
      await f(engine, bed);
    } finally {
      engine.client.close();
    }
  });

const go = (file: string): string => `until [ -e ${file} ]; do sleep 0.05; done;`;

test(
  'a delete before Create is held; Delete ends it with the true status, and removes the container',
  onEngine('exit 9', async (engine) => {
    const early = engine.delete();
    await early.held();
    const pid = await engine.run();
    assert.is((await engine.call('Wait')).exitStatus, 9);
    await early.held();
    assert.ok(existsSync(engine.state));
    const server = await engine.serverPid();
    assert.is((await engine.call('Delete')).exitStatus, 9);
    const { pid: ended, exitStatus, exitedAt } = await early.answer();
    assert.equal([ended, exitStatus, existsSync(engine.state)], [pid, 9, false]);
    assert.ok(Number(exitedAt?.seconds) > 1_600_000_000);
    const late = await engine.delete().answer();
    assert.equal([late.pid, late.exitStatus], [0, 137], 'an id that the server does not have is deleted at once');
    await engine.call('Shutdown');
    await eventually('the end of the server', () => hasEnded(server));
  }),
);

test(
  'when the server is killed, the holder deletes the container, with the status that no server saw',
  onEngine(`${go('/go')} exit 42`, async (engine, bed) => {
    const early = engine.delete();
    await early.held();
    const pid = await engine.run();
    const server = await engine.serverPid();
    process.kill(server, 'SIGSTOP');
    writeFileSync(join(bed.rootfs, 'go'), '');
    await eventually('the end of the container', () => hasEnded(pid));
    await early.held();
    process.kill(server, 'SIGKILL');
    const { pid: ended, exitStatus } = await early.answer();
    assert.equal([ended, exitStatus, existsSync(engine.state)], [pid, 42, false]);
  }),
);

test(
  'when the server is killed, a container that runs is killed',
  onEngine('sleep 1000', async (engine) => {
    const pid = await engine.run();
    const late = engine.delete();
    await late.held();
    process.kill(await engine.serverPid(), 'SIGKILL');
    assert.is((await late.answer()).exitStatus, 137);
    assert.ok(hasEnded(pid));
    assert.not.ok(existsSync(engine.state));
  }),
);

test(
  'a failed Create ends the delete, and is not UNIMPLEMENTED',
  onEngine('true', async (engine, bed) => {
    const early = engine.delete();
    await early.held();
    bed.config.process.args = ['/none'];
    bed.write();
    const failure = (await engine.call('Create', { bundle: bed.bundle }).catch((error) => error)) as { code: number };
    assert.is(failure.code, Code.UNKNOWN);
    assert.is((await early.answer()).exitStatus, 137);
    assert.is((await engine.delete().answer()).exitStatus, 137);
    await engine.call('Shutdown');
  }),
);

test(
  'a container that containerd never created is deleted when it calls Delete after a restart',
  onEngine('true', async (engine) => {
    const early = engine.delete();
    await early.held();
    const failure = (await engine.call('Delete').catch((error) => error)) as { code: number };
    assert.is(failure.code, Code.NOT_FOUND);
    assert.is((await early.answer()).exitStatus, 137);
    await engine.call('Shutdown');
  }),
);

test(
  'a server that does not answer for a second is given up: its container is deleted',
  onEngine('sleep 1000', async (engine) => {
    const pid = await engine.run();
    const server = await engine.serverPid();
    process.kill(server, 'SIGSTOP');
    const startedAt = Date.now();
    const { exitStatus } = await engine.delete().answer();
    assert.ok(Date.now() - startedAt >= 1000);
    assert.equal([exitStatus, existsSync(engine.state)], [137, false]);
    assert.ok(hasEnded(pid));
    process.kill(server, 'SIGKILL');
  }),
);

test(
  'when containerd is killed the holder ends and the container runs on; the delete of the next containerd is held',
  onEngine('exit 7', async (engine) => {
    const first = engine.delete();
    await first.held();
    const { holder } = first;
    await engine.run();
    first.abandon();
    await eventually('the end of the holder', () => hasEnded(holder));
    const second = engine.delete();
    await second.held();
    assert.is((await engine.call('Wait')).exitStatus, 7);
    await engine.call('Delete');
    await engine.call('Shutdown');
    assert.is((await second.answer()).exitStatus, 7);
  }),
);

test(
  'a second delete of one containerd gives the container up: both end',
  onEngine('sleep 1000', async (engine) => {
    const first = engine.delete();
    await first.held();
    const pid = await engine.run();
    assert.is((await engine.delete().answer()).exitStatus, 137);
    assert.ok(hasEnded(pid));
    assert.is((await first.answer()).exitStatus, 137);
    await engine.call('Wait');
    await engine.call('Delete').catch(() => {});
    await engine.call('Shutdown');
  }),
);

test(
  'in a group each id has its own delete; that of an exec ends none, and an id may be used again',
  onEngine('sleep 1000', async (engine, bed) => {
    bed.config.annotations = { 'io.containerd.runc.v2.group': bed.id };
    bed.write();
    const other = `${bed.id}-b`;
    engine.start(other);
    const [one, two] = [engine.delete(), engine.delete(other)];
    await Promise.all([one.held(), two.held()]);
    await engine.run();
    await engine.call('Create', { id: other, bundle: bed.bundle });
    const value = new TextEncoder().encode(JSON.stringify({ ...bed.config.process, args: ['/bin/true'] }));
    await engine.call('Exec', { execId: 'e', spec: { type_url: 'x', value } });
    await engine.call('Start', { execId: 'e' });
    await engine.call('Wait', { execId: 'e' });
    await engine.call('Delete', { execId: 'e' });
    await engine.call('Delete', { id: other });
    assert.is((await two.answer()).exitStatus, 137);
    engine.start(other);
    const again = engine.delete(other);
    await Promise.all([one.held(), again.held()]);
    await engine.call('Shutdown', { id: other });
    await Promise.all([one.held(), again.held()]);
    await engine.over();
    assert.is((await one.answer()).exitStatus, 137);
    assert.is((await again.answer()).exitStatus, 137, 'it was never created');
  }),
);

test(
  'an answer whose holder is killed is malformed: containerd invents no status',
  onEngine('sleep 1000', async (engine) => {
    await engine.run();
    const killed = engine.delete();
    await killed.held();
    process.kill(killed.holder, 'SIGKILL');
    await eventually('the end of the output', () => killed.ended);
    assert.throws(() => task.DeleteResponse.decode(killed.bytes));
    assert.ok(existsSync(engine.state), 'the container runs on');
    await engine.over();
  }),
);

test(
  'a busy server has more time than a second: the holder waits for its answer',
  onBed(async (bed) => {
    mkdirSync(join(bed.dir, 's'), { mode: 0o700 });
    bed.write();
    const socket = join(bed.dir, 's', '0'.repeat(64));
    writeFileSync(join(bed.bundle, 'address'), JSON.stringify({ version: 3, address: socket, protocol: 'grpc' }));
    // A program that is busy and never answers: this test does in its place.
    const busy = spawn('/bin/sh', ['-c', 'while :; do :; done', 'sh', '-socket', socket], { stdio: 'ignore' });
    const clients: Socket[] = [];
    const server = createServer((client) => clients.push(client)).listen(holdSocket(socket));
    try {
      const args = ['-namespace', bed.id, '-id', bed.id, '-bundle', bed.bundle, 'delete'];
      const [yes, no] = [new Delete(bed.bundle, args), new Delete(bed.bundle, args)];
      await Promise.all([yes.held(), no.held()]);
      const [first, second] = clients;
      // Both in one piece, as an answer that is late by so much.
      first!.end(Buffer.concat([Buffer.from([holdYes]), restOfAnswer(new Uint8Array([8, 42, 16, 7]))]));
      second!.write(Buffer.from([holdNo]));
      // Which of the two connected first does not matter.
      const answers = await Promise.all([yes.answer(), no.answer()]);
      assert.equal(
        answers.map(({ exitStatus }) => exitStatus).sort((a, b) => a - b),
        [7, 137],
      );
    } finally {
      busy.kill('SIGKILL');
      for (const client of clients) client.destroy();
      server.close();
    }
  }),
);

test.run();
