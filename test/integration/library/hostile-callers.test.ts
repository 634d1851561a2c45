/** The library and callers who abort, look away, throw and forget: nothing is left, and nothing hangs. */
import { execFile } from 'node:child_process';
import { readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import * as assert from 'uvu/assert';
import type * as Library from '../../../src/library/index.js';
import { COMMAND_LIMIT, DEADLINE, elapse } from '../../deadline.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { top } from '../bed/place.js';
import { failure } from './failure.js';

const test = needing('library and hostile callers', 'root');
const { Runtime, bundle } = (await import(resolve('dist/index.js'))) as typeof Library;

const none = ['ignore', 'ignore', 'ignore'] as const;
const runtime = (bed: Bed) => new Runtime({ root: bed.root });

function config(bed: Bed, script: string): void {
  bed.config.process.args = ['/bin/sh', '-c', script];
  bed.write();
}

async function started(bed: Bed, script: string, options: Library.CreateOptions = { stdio: none }) {
  config(bed, script);
  const container = await runtime(bed).create(bed.id, bed.bundle, options);
  await container.start();
  return container;
}

/** Pipes, terminals and pidfds of this process. */
function held(): string[] {
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return links.filter((link) => /^pipe:|ptmx|pidfd|eventfd/.test(link)).sort();
}

test(
  'a run or a create that aborts at any moment leaves no container and no descriptor, and has the code ERR_ABORTED',
  onBed(async (bed) => {
    config(bed, 'sleep 1000');
    const r = runtime(bed);
    const calls: ((signal: AbortSignal) => Promise<unknown>)[] = [
      async (signal) => (await r.run(bed.id, bed.bundle, { signal })).exit,
      async (signal) => (await r.create(bed.id, bed.bundle, { signal })).delete({ force: true }),
    ];
    // The library starts its thread, which has descriptors of its own, and waits in it.
    for (let i = 0; i < 20; i++) await calls[0]!(AbortSignal.timeout(20)).catch(() => {});
    for (const call of calls) {
      await call(AbortSignal.timeout(1000)).catch(() => {});
      const before = held();
      const codes = new Set<string>();
      // Until it was aborted early, and late or not at all.
      for (let ms = 0; ms < 60; ms += 3) {
        const abort = new AbortController();
        const timer = setTimeout(() => abort.abort(), ms);
        await call(abort.signal).then(
          () => codes.add('done'),
          (error) => codes.add(error.code),
        );
        clearTimeout(timer);
        assert.equal(await r.list(), [], `${ms} ms`);
      }
      codes.delete('done');
      assert.equal([...codes], ['ERR_ABORTED']);
      await eventually('the descriptors', () => held().length <= before.length);
    }
  }),
);

test(
  'a run whose streams nobody uses keeps no descriptor after its end, and its output can still be taken',
  onBed(async (bed) => {
    config(bed, 'echo out; echo err >&2');
    const r = runtime(bed);
    await (await r.run(bed.id, bed.bundle)).output();
    const before = held();
    const runs: Library.Run[] = [];
    for (let i = 0; i < 5; i++) {
      const run = await r.run(bed.id, bed.bundle);
      await run.exit;
      runs.push(run);
    }
    await eventually('the pipes', () => held().length <= before.length);
    for (const run of runs) assert.equal((await run.output()).stderr, 'err\n');
    bed.config.process.terminal = true;
    config(bed, 'echo out');
    const terminal = await r.run(bed.id, bed.bundle, { tty: true });
    await terminal.exit;
    await eventually('the terminal', () => held().length <= before.length);
    // Another file may have its number.
    terminal.terminal!.resize(80, 25);
    assert.is((await terminal.output()).stdout, 'out\r\n');
  }),
);

test(
  'output() has the same result again, takes text, what is piped into stdin, and the rest of a stream that was destroyed',
  onBed(async (bed) => {
    config(bed, 'cat; echo err >&2');
    const r = runtime(bed);
    const piped = await r.run(bed.id, bed.bundle);
    piped.stdout.setEncoding('latin1');
    async function* slowly() {
      yield 'one ';
      // The rest of the input comes later.
      await elapse(50);
      yield 'häh';
    }
    Readable.from(slowly()).pipe(piped.stdin);
    const output = await piped.output();
    assert.equal([output.stdout, output.stderr], ['one häh', 'err\n']);
    assert.is(await piped.output(), output);
    const destroyed = await r.run(bed.id, bed.bundle);
    destroyed.stdout.destroy();
    const rest = await destroyed.output();
    assert.equal([rest.stdout, rest.stderr, rest.exitCode], ['', 'err\n', 0]);
  }),
);

test(
  'a time limit that has passed before the start rejects with ERR_TIMEOUT',
  onBed(async (bed) => {
    config(bed, 'sleep 1000');
    const r = runtime(bed);
    const run = async (): Promise<void> => {
      await (await r.run(bed.id, bed.bundle, { timeout: 0, stopTimeout: 0, stdio: none })).exit;
    };
    for (let i = 0; i < 5; i++) assert.is((await failure(run())).code, 'ERR_TIMEOUT');
    assert.equal(await r.list(), []);
  }),
);

test(
  'startedAt is known for run, and for start too, and lies between the create and the end',
  onBed(async (bed) => {
    config(bed, 'exit 3');
    const r = runtime(bed);
    for (let i = 0; i < 5; i++) {
      const {
        createdAt = '',
        startedAt = '',
        exitedAt,
      } = await (await r.run(bed.id, bed.bundle, { stdio: none })).exit;
      assert.ok(createdAt < startedAt && startedAt < exitedAt, `${createdAt} ${startedAt} ${exitedAt}`);
    }
    const container = await r.create(bed.id, bed.bundle, { stdio: none });
    const between = new Date().toISOString();
    await container.start();
    const { startedAt = '', exitedAt } = await container.wait();
    assert.ok(between.slice(0, -1) <= startedAt && startedAt < exitedAt, `${between} ${startedAt} ${exitedAt}`);
    await container.delete();
    bed.config.process.args = ['/missing'];
    bed.write();
    const unstarted = await r.create(bed.id, bed.bundle, { stdio: none }).catch((error) => error.code);
    assert.is(unstarted, 'ERR_EXEC');
  }),
);

test(
  'stop, kill and delete end their wait with the signal or the timeout; the container continues',
  onBed(async (bed) => {
    const container = await started(bed, 'trap "" TERM; echo ready; while :; do sleep 0.1; done');
    const before = held();
    const waits: ((o: Library.WaitOptions) => Promise<void>)[] = [
      ({ signal }) => container.stop({ stopSignal: 'WINCH', ...(signal && { signal }) }),
      (o) => container.kill('WINCH', { wait: true, ...o }),
      (o) => container.delete({ wait: true, ...o }),
    ];
    for (const [i, call] of waits.entries()) {
      const abort = new AbortController();
      const waiting = failure(call({ signal: abort.signal }));
      setTimeout(() => abort.abort(), 30);
      assert.is((await waiting).code, 'ERR_ABORTED');
      if (i > 0) assert.is((await failure(call({ timeout: 30 }))).code, 'ERR_TIMEOUT');
      assert.is((await container.state()).status, 'running');
    }
    await eventually('the pidfds', () => held().length <= before.length);
    await container.stop({ timeout: 0, signal: AbortSignal.timeout(DEADLINE) });
    await container.delete();
  }),
);

test(
  'waitFor ends with its signal while a function or a command of the caller takes its time',
  onBed(async (bed) => {
    const container = await started(bed, 'while :; do sleep 0.1; done');
    for (const condition of [() => new Promise<boolean>(() => {}), { command: ['/bin/sleep', '1000'] }]) {
      const error = await failure(container.waitFor(condition, { signal: AbortSignal.timeout(100) }));
      assert.is(error.code, 'ERR_ABORTED');
    }
    const own = new Error('of the caller');
    const thrown = await container
      .waitFor(() => {
        throw own;
      })
      .catch((error) => error);
    assert.is(thrown, own);
    assert.equal((await container.pids()).length <= 2, true);
    await container.delete({ force: true });
  }),
);

test(
  'events and logs that are ended while they wait end at once',
  onBed(async (bed) => {
    const file = { file: join(bed.dir, 'log') };
    const container = await started(bed, 'while :; do sleep 0.1; done', { stdio: ['ignore', file, file] });
    const before = held();
    const streams = [container.events({ types: ['oom'] }), container.logs({ follow: true })];
    for (const stream of streams) {
      const waiting = stream.next();
      // By then it waits.
      await elapse(50);
      await stream.return();
      assert.equal(await waiting, { value: undefined, done: true });
    }
    assert.equal(held().length, before.length);
    await container.delete({ force: true });
  }),
);

test(
  'bundle waits for a change that is asynchronous, and says what it cannot write',
  onBed(async (bed) => {
    const options = { rootfs: bed.rootfs, args: ['/bin/true'] };
    const change = async (spec: Library.Spec): Promise<void> => {
      // After bundle has called it.
      await elapse(10);
      spec.hostname = 'late';
    };
    assert.is((await bundle(join(bed.dir, 'late'), options, change)).hostname, 'late');
    const file = join(bed.dir, 'file');
    writeFileSync(file, '');
    const error = await failure(bundle(file, options));
    assert.equal([error.code, error.path], ['ERR_IO', join(file, 'config.json')]);
  }),
);

const inWorkers = `
import { readdirSync, readlinkSync } from 'node:fs';
import { isMainThread, Worker } from 'node:worker_threads';
import { Runtime } from ${JSON.stringify(join(top, 'dist/index.js'))};
const [root, bundle, id] = process.argv.slice(2);
const runtime = new Runtime({ root });
async function work(n) {
  for (let i = 0; i < 3; i++) {
    const run = await runtime.run(id + '-' + n + '-' + i, bundle);
    const { stdout } = await run.output();
    if (stdout !== 'out\\n') throw new Error(stdout);
  }
}
if (isMainThread) {
  const ends = [1, 2, 3].map((n) => new Promise((settle, fail) => {
    const worker = new Worker(new URL(import.meta.url), { argv: [root, bundle, id], env: { ...process.env, N: String(n) } });
    worker.once('error', fail);
    worker.once('exit', settle);
  }));
  console.log(...await Promise.all([...ends, work(0)]), (await runtime.list()).length);
  const links = readdirSync('/proc/self/fd').map((fd) => { try { return readlinkSync('/proc/self/fd/' + fd); } catch {} });
  console.log(links.filter((link) => link === root).length);
} else {
  await work(process.env.N);
}
`;

test(
  'worker threads run containers at the same time as the main thread',
  onBed(async (bed) => {
    config(bed, 'echo out');
    const program = join(bed.dir, 'workers.mjs');
    writeFileSync(program, inWorkers);
    const args = [program, bed.root, bed.bundle, bed.id];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { timeout: COMMAND_LIMIT });
    assert.equal([stdout, stderr], ['0 0 0 undefined 0\n1\n', '']);
  }),
);

test.run();
