/** Waits for a container, its output and its end in the library: waitFor, logs, attach, events, limits, fromState. */
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import type * as Library from '../../../src/library/index.js';
import { DEADLINE } from '../../deadline.js';
import { descriptors } from '../../leaks/process-use.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { failure } from './failure.js';

const test = needing('library waits', 'root');
const limited = needing('library events of memory', 'root', 'memory');
const { Runtime, fromState } = (await import(resolve('dist/index.js'))) as typeof Library;

const runtime = (bed: Bed) => new Runtime({ root: bed.root });
const none = ['ignore', 'ignore', 'ignore'] as const;

/** A started container with a shell script. */
async function started(bed: Bed, script: string, options: Library.CreateOptions = { stdio: none }) {
  bed.config.process.args = ['/bin/sh', '-c', script];
  bed.config.root.readonly = false;
  bed.write();
  const container = await runtime(bed).create(bed.id, bed.bundle, options);
  await container.start();
  return container;
}

const limit = { timeout: DEADLINE };

test(
  'waitFor resolves at a status, a file, a command that succeeds, a function, and all of several',
  onBed(async (bed) => {
    const container = await started(bed, 'until [ -e /go ]; do sleep 0.02; done; : >/ready; sleep 1000');
    await container.waitFor({ status: ['running', 'paused'] }, limit);
    const early = await failure(container.waitFor({ file: '/ready' }, { timeout: 50 }));
    assert.equal([early.code, early.exit], ['ERR_TIMEOUT', 124]);
    assert.is(early.message, `waitFor ${bed.id}: 0.05 s have passed before /ready existed`);
    const command = ['/bin/sh', '-c', 'test -e /ready'];
    assert.match((await failure(container.waitFor({ command }, { timeout: 300 }))).message, 'before ["/bin/sh"');
    const ready = container.waitFor(
      [{ file: '/ready' }, { command }, () => existsSync(join(bed.rootfs, 'ready'))],
      limit,
    );
    writeFileSync(join(bed.rootfs, 'go'), '');
    await ready;
    assert.match((await failure(container.waitFor({ command: ['/none'] }))).code, 'ERR_EXEC');
    const hangs = await failure(container.waitFor({ command: ['/bin/sleep', '1000'] }, { timeout: 300 }));
    assert.match(hangs.message, 'waitFor');
    const execs = async () => (await container.pids()).length;
    await eventually('the command that hangs is killed', async () => (await execs()) <= 2);
    // A link in the container that leads to a file of the host alone.
    symlinkSync('/etc/hostname', join(bed.rootfs, 'link'));
    rmSync(join(bed.rootfs, 'etc/hostname'), { force: true });
    assert.is((await failure(container.waitFor({ file: '/link' }, { timeout: 50 }))).code, 'ERR_TIMEOUT');
    await container.delete({ force: true });
  }),
);

test(
  'waitFor ends with the container, with its signal, and stays with the container that it began with',
  onBed(async (bed) => {
    const container = await started(bed, 'sleep 1000');
    const waiting = failure(container.waitFor({ port: 5432 }, limit));
    const replaced = failure(container.waitFor(() => false, limit));
    const abort = new AbortController();
    const aborted = failure(container.waitFor({ status: 'stopped' }, { signal: abort.signal }));
    abort.abort(new Error('enough'));
    const { code, cause } = await aborted;
    assert.equal([code, (cause as Error).message], ['ERR_ABORTED', 'enough']);
    await container.kill('KILL', { wait: true });
    assert.equal(
      [(await waiting).code, (await waiting).message],
      [
        'ERR_CONTAINER_STATUS',
        `waitFor ${bed.id}: the container has stopped with status 137 before a process listened on port 5432`,
      ],
    );
    await container.waitFor({ status: 'stopped' });
    await container.delete();
    await started(bed, 'sleep 1000');
    assert.is((await replaced).code, 'ERR_CONTAINER_STATUS');
    await container.delete({ force: true });
  }),
);

test(
  'waitFor finds a port that a process listens on in the network namespace of the container',
  onBed(async (bed) => {
    const server = 'sleep 0.1; exec nc -l -p 5432 </dev/zero';
    const container = await started(bed, server);
    await container.waitFor({ port: 5432 }, limit);
    assert.is((await failure(container.waitFor({ port: 5433 }, { timeout: 100 }))).code, 'ERR_TIMEOUT');
    await container.delete({ force: true });
  }),
);

test(
  'waitFor sees lines in pipes without a reader and leaves them there, beyond the size of the pipe too',
  onBed(async (bed) => {
    const noise = 'i=0; while [ $i -lt 20000 ]; do echo "noise $i"; i=$((i+1)); done';
    const script = `${noise}; printf 'ready '; sleep 0.05; echo 'to accept' >&2; echo 'to accept'; read x; echo end`;
    const container = await started(bed, script, { stdio: ['pipe', 'pipe', 'pipe'] });
    await container.waitFor({ output: /^ready to accept$/ }, limit);
    await container.waitFor({ output: 'to accept', times: 2 }, limit);
    // Another handle of this program has the streams too.
    const { stdin, stdout } = runtime(bed).container(bed.id).attach();
    assert.is(stdout, container.stdout);
    stdin!.end('go\n');
    let all = '';
    for await (const chunk of stdout!) all += chunk;
    assert.is(all.split('\n').length, 20_003);
    assert.match(all, /^noise 0\n[\s\S]*\nready to accept\nend\n$/);
    const { message, hint } = await failure(container.waitFor({ output: 'never' }, limit));
    assert.match(message, 'the container has stopped with status 0 before a line');
    assert.is(hint, 'look at its last output:\nnoise 19999\nready to accept\nend\nto accept');
    await container.delete();
  }),
);

test(
  'output in files can be waited for, and logs has its lines, also with follow until the container stops',
  onBed(async (bed) => {
    const [out, err] = ['out', 'err'].map((name) => ({ file: join(bed.dir, name) }));
    const script = 'echo one; echo two >&2; until [ -e /go ]; do sleep 0.02; done; printf three';
    const container = await started(bed, script, { stdio: ['ignore', out!, err!] });
    await container.waitFor({ output: 'two' }, limit);
    const lines: string[] = [];
    for await (const { stream, line } of container.logs()) lines.push(`${stream} ${line}`);
    assert.equal(lines, ['stdout one', 'stderr two']);
    const followed: string[] = [];
    for await (const { line } of container.logs({ follow: true })) {
      followed.push(line);
      if (line === 'two') writeFileSync(join(bed.rootfs, 'go'), '');
    }
    assert.equal(followed, ['one', 'two', 'three']);
    assert.is(readFileSync(out!.file, 'utf8'), 'one\nthree');
    assert.match((await failure(Promise.resolve().then(() => container.attach()))).message, 'none of its streams');
    await container.delete();
    const both = await started(bed, 'echo a; echo b >&2', {
      stdio: ['ignore', { file: join(bed.dir, 'both') }, { file: join(bed.dir, 'both') }],
    });
    await both.wait();
    const mixed: string[] = [];
    for await (const { line } of both.logs()) mixed.push(line);
    assert.equal(mixed, ['a', 'b']);
    await both.delete();
  }),
);

test(
  'output that this program does not read, and a file that is none, are refused by name',
  onBed(async (bed) => {
    const container = await started(bed, 'sleep 1000');
    assert.is((await failure(container.waitFor({ output: 'x' }))).code, 'ERR_STREAMS');
    assert.match(
      (await failure(container.logs().next())).message,
      /neither standard output nor standard error is a file/,
    );
    await container.delete({ force: true });
    bed.started();
    const foreign = runtime(bed).container(bed.id);
    assert.match((await failure(foreign.logs().next())).message, 'this program has not created the container');
    assert.match((await failure(Promise.resolve().then(() => foreign.attach()))).message, 'others have its streams');
    await foreign.delete({ force: true });
    const before = descriptors(process.pid);
    const fifo = await failure(
      runtime(bed).create(bed.id, bed.bundle, { stdio: ['pipe', 'pipe', { file: '/dev/null' }] }),
    );
    assert.equal([fifo.code, fifo.message], ['ERR_IO', 'open /dev/null for stdio[2]: it is not a regular file']);
    await eventually('the pipes are closed', () => descriptors(process.pid) <= before);
    assert.equal(await runtime(bed).list(), []);
  }),
);

test(
  'create with tty holds the terminal, whose output can be waited for',
  onBed(async (bed) => {
    bed.config.process.terminal = true;
    const container = await started(bed, 'read x; echo "got $x"; sleep 1000', { tty: true });
    container.attach().terminal!.write('it\r');
    await container.waitFor({ output: 'got it' }, limit);
    assert.match(
      (await failure((async () => container.terminal!.resize(-1, 5))())).message,
      'columns must be an integer',
    );
    await container.delete({ force: true });
  }),
);

test(
  'a time limit is kept by the supervisor: TERM, then KILL, with a reason in the record',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'trap "exit 7" TERM; while :; do sleep 0.02; done'];
    bed.write();
    const run = await runtime(bed).run(bed.id, bed.bundle, { timeout: 700, stdio: none, keep: true });
    const error = await failure(run.exit);
    assert.equal([error.code, error.exit], ['ERR_TIMEOUT', 124]);
    assert.is(error.message, `run ${bed.id}: it ran for longer than 0.7 s, and was ended`);
    const container = runtime(bed).container(bed.id);
    const { status, signal, reason } = await container.wait();
    assert.equal([status, signal, reason], [7, 0, 'timeout']);
    await container.delete();
    const deaf = await started(bed, 'trap "" TERM; sleep 1000');
    const exec = await deaf.exec(['/bin/sh', '-c', 'trap "" TERM; sleep 1000'], { timeout: 50, stopTimeout: 50 });
    assert.is((await failure(exec.output())).code, 'ERR_TIMEOUT');
    const polite = await deaf.exec(['/bin/sh', '-c', 'trap "exit 3" TERM; echo on; while :; do sleep 0.02; done'], {
      timeout: 500,
    });
    assert.is((await failure(polite.exit)).code, 'ERR_TIMEOUT');
    // A frozen process gets no signal of the supervisor's on cgroup v1.
    await deaf.delete({ force: true });
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const frozen = await runtime(bed).run(bed.id, bed.bundle, { timeout: 300, stopTimeout: 0, stdio: none });
    await container.pause();
    assert.is((await failure(frozen.exit)).code, 'ERR_TIMEOUT');
    assert.equal(await runtime(bed).list(), []);
  }),
);

test(
  'an exec in a container without a supervisor has its time limit too',
  onBed(async (bed) => {
    bed.started();
    const container = runtime(bed).container(bed.id);
    const script = 'trap "exit 3" TERM; while :; do sleep 0.02; done';
    const exec = await container.exec(['/bin/sh', '-c', script], { timeout: 100, stdio: none });
    const error = await failure(exec.exit);
    assert.equal(
      [error.code, error.message],
      ['ERR_TIMEOUT', `exec ${bed.id}: it ran for longer than 0.1 s, and was ended`],
    );
    await container.delete({ force: true });
  }),
);

test(
  'wait and events end with their signal, and leave no descriptor',
  onBed(async (bed) => {
    const container = await started(bed, 'sleep 1000');
    await container.stats();
    const before = descriptors(process.pid);
    const abort = new AbortController();
    const waiting = failure(container.wait({ signal: abort.signal }));
    const events = container.events({ interval: 1_000_000, signal: abort.signal });
    assert.is((await events.next()).value?.type, 'stats');
    const next = failure(events.next());
    setTimeout(() => abort.abort(), 20);
    assert.equal([(await waiting).code, (await next).code], ['ERR_ABORTED', 'ERR_ABORTED']);
    assert.is((await failure(container.wait({ signal: abort.signal }))).code, 'ERR_ABORTED');
    await eventually('no descriptor is left', () => descriptors(process.pid) <= before);
    await container.delete({ force: true });
  }),
);

limited(
  'events of one kind have only those: an OOM kill without statistics',
  onBed(async (bed) => {
    bed.config.linux.resources = { memory: { limit: 16 << 20, swap: 16 << 20 } };
    const container = await started(bed, 'until [ -e /go ]; do sleep 0.02; done; tail /dev/zero');
    const kinds: string[] = [];
    const events = container.events({ types: ['oom'] });
    const all = (async () => {
      for await (const event of events) kinds.push(event.type);
    })();
    setTimeout(() => writeFileSync(join(bed.rootfs, 'go'), ''), 50);
    await all;
    assert.ok(kinds.length > 0 && kinds.every((kind) => kind === 'oom'), String(kinds));
    await container.delete({ force: true });
  }),
);

test(
  'fromState makes a handle of a state directory and of a state document, and refuses one of another container',
  onBed(async (bed) => {
    const container = await started(bed, 'sleep 1000');
    const state = await container.state();
    assert.equal([fromState(join(bed.root, bed.id)).root, fromState(state, { root: bed.root }).id], [bed.root, bed.id]);
    const ofHook = { id: bed.id, pid: state.pid, status: 'created' as const };
    assert.is((await fromState(ofHook, { root: bed.root }).state()).pid, state.pid);
    await container.delete({ force: true });
    await started(bed, 'sleep 1000');
    for (const old of [state, ofHook])
      assert.is((await failure((async () => fromState(old, { root: bed.root }))())).code, 'ERR_NO_CONTAINER');
    await container.delete({ force: true });
    assert.is((await failure((async () => fromState(join(bed.root, 'none')))())).code, 'ERR_NO_CONTAINER');
  }),
);

test(
  'an aborted create leaves nothing',
  onBed(async (bed) => {
    bed.write();
    const abort = new AbortController();
    const creating = failure(runtime(bed).create(bed.id, bed.bundle, { stdio: none, signal: abort.signal }));
    abort.abort();
    assert.is((await creating).code, 'ERR_ABORTED');
    const before = descriptors(process.pid);
    const piped = new AbortController();
    const options = { stdio: ['pipe', 'pipe', 'pipe'], signal: piped.signal } as const;
    const second = failure(runtime(bed).create(bed.id, bed.bundle, options));
    piped.abort();
    assert.is((await second).code, 'ERR_ABORTED');
    await eventually('its pipes are closed', () => descriptors(process.pid) <= before);
    assert.equal(await runtime(bed).list(), []);
  }),
);

test.run();
limited.run();
