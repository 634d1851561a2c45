/** Servers that are killed inside Create: the next one leaves nothing of it, and Create works again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { connect } from '../../../src/library/client.js';
import { task } from '../../../src/shim/transport/protos.js';
import { hasEnded, leftovers } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { NodeEngine } from '../bed/node-engine.js';
import { programs } from '../bed/place.js';
import { onEngine } from '../bed/shim-engine.js';
import { serve, TaskClient } from '../bed/task-client.js';

const test = needing('killed create', 'root', 'programs', 'unshare');

/** Number of kills of each test. */
const moments = Math.ceil(Number(process.env.RUNT_MOMENTS ?? 50) / 4);

/** Kills a process at one of its next system calls, unless it makes fewer. */
class Killer {
  private constructor(private readonly child: ChildProcess) {}

  static async attach(pid: number, count: number): Promise<Killer> {
    const child = spawn(join(programs, 'kill-at'), [String(pid), 'any', String(count)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((ready) => child.stdout?.once('data', ready));
    return new Killer(child);
  }

  /** The traced process runs on. */
  async end(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const over = new Promise((settle) => this.child.once('exit', settle));
    this.child.kill('SIGKILL');
    await over;
  }
}

/** About so many system calls a server makes for a Create. */
const callsOfCreate = 300;

/** The counts to kill at, from 1 to a little more than `calls`. */
const counts = (calls: number): number[] =>
  Array.from({ length: moments }, (_, i) => 1 + Math.floor((1.1 * calls * (i + Math.random())) / moments));

/** What there is of containers, but for the servers. */
const leftOf = (bed: Bed, root: string): string[] =>
  leftovers({ dir: bed.dir, root, id: bed.id }).filter((line) => !/^process .* serve /.test(line));

/** The error of a call; undefined if it worked. */
const failureOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const over = new Promise((settle) => child.once('exit', settle));
  child.kill('SIGKILL');
  await over;
}

/** A bundle whose root file system the server mounts. */
function mountedBundle(bed: Bed): { bundle: string; rootfs: object[] } {
  const bundle = join(bed.dir, 'mounted');
  mkdirSync(join(bundle, 'rootfs'), { recursive: true });
  bed.config.process.args = ['sleep', '1000'];
  writeFileSync(join(bundle, 'config.json'), JSON.stringify({ ...bed.config, root: { path: 'rootfs' } }));
  return { bundle, rootfs: [{ type: 'bind', source: bed.rootfs, options: ['rbind'] }] };
}

/** Kills a server in `call`, then checks what the next one finds. @returns whether that ended the call */
async function killedIn(
  bed: Bed,
  count: number,
  call: (socket: string) => Promise<unknown>,
  check: (socket: string, failed: boolean) => Promise<void>,
): Promise<boolean> {
  const socket = join(bed.dir, 'serve.sock');
  const first = await serve(bed, socket);
  const killer = await Killer.attach(first.pid as number, count);
  const error = await failureOf(call(socket));
  await killer.end();
  await kill(first);
  const next = await serve(bed, socket);
  try {
    await check(socket, error !== undefined);
    assert.equal(leftOf(bed, bed.root), [], `killed at call ${count}`);
  } finally {
    await kill(next);
  }
  return error !== undefined;
}

test(
  'a Create of the task service is undone or known after a kill at any of its calls, and works again',
  onBed(async (bed) => {
    const { bundle, rootfs } = mountedBundle(bed);
    const { id } = bed;
    let kills = 0;
    for (const count of counts(callsOfCreate)) {
      const isKilled = await killedIn(
        bed,
        count,
        async (socket) => {
          const client = new TaskClient(socket);
          await client.call('Create', { id, bundle, rootfs }).finally(() => client.close());
        },
        async (socket, failed) => {
          const client = new TaskClient(socket);
          const what = `killed at call ${count}`;
          const unknown = await failureOf(client.call('State', { id }));
          if (unknown) {
            assert.ok(failed, `an answered Create is lost: ${what}`);
            assert.equal(leftOf(bed, bed.root), [], what);
          }
          if (failed) await client.call('Create', { id, bundle, rootfs });
          await client.call('Start', { id });
          await client.call('Kill', { id, signal: 9 });
          assert.is((await client.call('Wait', { id })).exitStatus, 137, what);
          await client.call('Delete', { id });
          client.close();
        },
      );
      if (isKilled) kills++;
    }
    assert.ok(kills > moments / 2, `${kills} kills`);
  }),
);

test(
  'so is a Run of the API for scripts',
  onBed(async (bed) => {
    const { id, rootfs } = bed;
    const config = { rootfs, args: ['/bin/sleep', '1000'] };
    let kills = 0;
    for (const count of counts(callsOfCreate)) {
      const run = async (socket: string): Promise<void> => {
        const client = connect(socket);
        try {
          for await (const { event } of client.run({ id, config, keep: true })) if (event === 'started') return;
        } finally {
          client.close();
        }
      };
      const isKilled = await killedIn(bed, count, run, async (socket, failed) => {
        if (failed) {
          const client = connect(socket);
          const { containers } = await client.list();
          // Its last message may be lost.
          if (containers.length > 0) await client.delete({ id, force: true });
          else assert.equal(leftOf(bed, bed.root), [], `killed at call ${count}`);
          client.close();
          await run(socket);
        }
        const client = connect(socket);
        assert.is((await client.get({ id })).status, 'RUNNING');
        await client.delete({ id, force: true });
        client.close();
      });
      if (isKilled) kills++;
    }
    assert.ok(kills > moments / 2, `${kills} kills`);
  }),
);

test(
  'Create of pods and containers works through the keeper while the server of the node is killed',
  onBed(async (bed) => {
    const { bundle, rootfs } = mountedBundle(bed);
    const engine = new NodeEngine(bed, 'static binary');
    const sandboxId = `${bed.id}-pod`;
    const root = join(engine.runtRoot, engine.namespace);
    await engine.begin();
    try {
      const netns = await engine.network();
      const { id } = bed;
      /** Kills the server in a call, which the next one answers. */
      const through = async <T>(count: number, call: () => Promise<T>): Promise<T> => {
        const killer = await Killer.attach(engine.pid, count);
        const answer = call();
        await Promise.race([answer, engine.over]);
        await killer.end();
        await engine.kill();
        await engine.begin();
        return await answer;
      };
      for (const count of counts(callsOfCreate)) {
        await through(count, () => engine.create(sandboxId, {}, netns));
        const { pid } = await through(count, () => engine.pods('Start', { sandboxId }));
        assert.is((await engine.pods('Status', { sandboxId })).pid, pid);
        const made = await through(count, () => engine.tasks('Create', { id, bundle, rootfs }));
        assert.is((await engine.tasks('State', { id })).pid, made.pid, `killed at call ${count}`);
        await engine.tasks('Start', { id });
        await engine.tasks('Kill', { id, signal: 9 });
        assert.is((await engine.tasks('Wait', { id })).exitStatus, 137);
        await engine.tasks('Delete', { id });
        await engine.pods('Shutdown', { sandboxId });
        assert.equal(leftOf(bed, root), [], `killed at call ${count}`);
      }
    } finally {
      await engine.end();
    }
  }),
);

test(
  'what a shim that is killed at any call of Create leaves is removed by delete, and Create works again',
  onEngine(async (engine, bed) => {
    const { id, bundle } = bed;
    bed.config.process.args = ['sleep', '1000'];
    bed.write();
    const rootfs = [{ type: 'bind', source: bed.rootfs, options: ['rbind'] }];
    const create = task.CreateTaskRequest.encode({ id, bundle, rootfs });
    const stateRoot = `/run/containerd/runt/${engine.namespace}`;
    let kills = 0;
    for (const count of counts(callsOfCreate)) {
      engine.start();
      const { shimPid } = await engine.call('Connect', task.ConnectRequest.encode({ id }), task.ConnectResponse);
      const killer = await Killer.attach(shimPid, count);
      if (await failureOf(engine.call('Create', create))) kills++;
      await killer.end();
      if (!hasEnded(shimPid)) process.kill(shimPid, 'SIGKILL');
      await eventually('the end of the shim', () => hasEnded(shimPid));
      engine.action('delete');
      assert.equal(leftOf(bed, stateRoot), [], `killed at call ${count}`);
      engine.start();
      await engine.call('Create', create);
      await engine.call('Kill', task.KillRequest.encode({ id, signal: 9 }));
      await engine.call('Delete', task.DeleteRequest.encode({ id }));
      await engine.call('Shutdown', task.ShutdownRequest.encode({ id }));
      assert.equal(leftOf(bed, stateRoot), [], `killed at call ${count}`);
    }
    assert.ok(kills > moments / 4, `${kills} kills`);
  }),
);

test.run();
