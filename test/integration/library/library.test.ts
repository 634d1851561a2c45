/** The library under Node.js, as scripts use it: dist/index.js, and the examples of docs/library.md. */
import { execFile, execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import * as assert from 'uvu/assert';
import type * as Library from '../../../src/library/index.js';
import { COMMAND_LIMIT, DEADLINE, elapse } from '../../deadline.js';
import { hasEnded } from '../../leaks/leftovers.js';
import { descriptors } from '../../leaks/process-use.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { missing } from '../bed/needs.js';

const test = needing('library', 'root');
const telling = needing('library and statuses of the kernel', 'root', 'linux-6.15');
const library = resolve('dist/index.js');
const { Runtime, RuntError, bundle, compile, explain, validate } = (await import(library)) as typeof Library;

/** The error that a promise rejects with. */
const failure = async (promise: Promise<unknown>): Promise<Library.RuntError> => {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  assert.instance(error, RuntError);
  return error as Library.RuntError;
};

async function text(stream: AsyncIterable<Buffer> | null): Promise<string> {
  let all = '';
  for await (const chunk of stream ?? []) all += chunk;
  return all;
}

const runtime = (bed: Bed) => new Runtime({ root: bed.root });

test(
  'run has the streams and the exit status of the process, and leaves nothing',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'cat; echo no >&2; exit 7'];
    bed.write();
    const run = await runtime(bed).run(bed.id, bed.bundle);
    run.stdin!.end('through');
    const [out, err, { status, signal }] = await Promise.all([text(run.stdout), text(run.stderr), run.exit]);
    assert.equal([out, err, status, signal], ['through', 'no\n', 7, 0]);
    assert.not.ok(existsSync(join(bed.root, bed.id)));
  }),
);

test(
  'run transfers a megabyte in each direction with a slow reader',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/cat'];
    bed.write();
    const run = await runtime(bed).run(bed.id, bed.bundle);
    const data = Buffer.alloc(1 << 20, 'abcdefg');
    run.stdin!.end(data);
    // The test does not read meanwhile, so that the pipes fill up.
    await elapse(100);
    const all: Buffer[] = [];
    for await (const chunk of run.stdout!) all.push(chunk as Buffer);
    assert.ok(Buffer.concat(all).equals(data));
    assert.is((await run.exit).status, 0);
  }),
);

test(
  'the event loop runs while containers are created, run and awaited',
  onBed(async (bed) => {
    // A hook, and then the container, waits for a file that only the event loop makes.
    const waiting = (dir: string, name: string) =>
      `: >${dir}/${name}; until [ -e ${dir}/${name}-go ]; do sleep 0.02; done`;
    const hook = { path: '/bin/sh', args: ['sh', '-c', waiting(bed.rootfs, 'hook')], timeout: 60 };
    bed.config.hooks = { createRuntime: [hook] };
    bed.config.root.readonly = false;
    bed.config.process.args = ['/bin/sh', '-c', waiting('', 'container')];
    bed.write();
    const answer = setInterval(() => {
      for (const name of ['hook', 'container'])
        if (existsSync(join(bed.rootfs, name))) writeFileSync(join(bed.rootfs, `${name}-go`), '');
    }, 5);
    try {
      const run = await runtime(bed).run(bed.id, bed.bundle, { stdio: ['ignore', 'ignore', 'ignore'] });
      assert.is((await run.exit).status, 0);
    } finally {
      clearInterval(answer);
    }
  }),
);

test(
  'every method of a container works: create, start, exec, pids, pause, update, stats, kill, wait, delete',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const r = runtime(bed);
    const container = await r.create(bed.id, bed.bundle, { stdio: ['ignore', 'ignore', 'ignore'] });
    assert.is((await container.state()).status, 'created');
    await container.start();
    assert.equal(
      (await r.list()).map((s) => [s.id, s.status]),
      [[bed.id, 'running']],
    );
    const exec = await container.exec(['/bin/sh', '-c', 'echo $A $(id -u); exit 3'], { env: ['A=b'], user: '7' });
    assert.is(await text(exec.stdout), 'b 7\n');
    assert.is((await exec.exit).status, 3);
    assert.equal(await container.pids(), [(await container.state()).pid]);
    await container.pause();
    assert.is((await container.state()).status, 'paused');
    await container.resume();
    await container.update({ pids: { limit: 23 } });
    const stats = await container.stats();
    assert.is(Number(stats.pids?.limit), 23);
    // On v1 the kernel writes a number beyond 2^53 for "no limit".
    assert.is(stats.memory?.usage.limit, undefined);
    assert.type(JSON.stringify(stats), 'string');
    const kinds: string[] = [];
    for await (const event of container.events({ interval: 20 })) {
      kinds.push(event.type);
      assert.type(JSON.stringify(event), 'string');
      if (kinds.length === 2) break;
    }
    assert.equal(kinds, ['stats', 'stats']);
    const waiting = container.wait();
    await container.kill('KILL');
    assert.is((await waiting).signal, 9);
    assert.is((await container.state()).status, 'stopped');
    await container.delete();
    assert.equal(await r.list(), []);
  }),
);

test(
  'exec has its streams and exit status in a container that runt created without a supervisor',
  onBed(async (bed) => {
    bed.started();
    const container = runtime(bed).container(bed.id);
    for (const [script, status, signal] of [
      ['cat; exit 3', 3, 0],
      ['cat; kill -9 $$', 137, 9],
    ] as const) {
      const exec = await container.exec(['/bin/sh', '-c', script]);
      exec.stdin!.end('through');
      assert.is(await text(exec.stdout), 'through');
      const { pid, exitedAt, ...ended } = await exec.exit;
      const reason = signal === 0 ? 'exited' : 'killed';
      assert.equal([pid, ended], [exec.pid, { status, signal, reason, oom: false }]);
      assert.ok(Math.abs(Date.parse(exitedAt) - Date.now()) < 60_000);
    }
    await container.delete({ force: true });
  }),
);

/** States of the children of this process, by pid. */
function children(): Map<number, string> {
  const states = new Map<number, string>();
  for (const name of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(parent) === process.pid) states.set(Number(name), state as string);
    } catch {
      // It has ended meanwhile.
    }
  }
  return states;
}

test(
  'a script that runs many containers leaves no zombie and no descriptor',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/true'];
    bed.write();
    const stdio = ['ignore', 'ignore', 'ignore'] as const;
    const one = async (): Promise<void> => {
      const run = await runtime(bed).run(bed.id, bed.bundle, { stdio });
      assert.is((await run.exit).status, 0);
    };
    await one();
    await eventually('the first leaves a child', () => children().size === 0);
    const before = descriptors(process.pid);
    for (let i = 0; i < 10; i++) await one();
    const rest = () => children().size === 0 && descriptors(process.pid) <= before;
    await eventually('ten leave nothing more than one', rest);
  }),
);

test(
  'after its supervisor was killed, exit resolves where the kernel still has the status, and rejects elsewhere',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const run = await runtime(bed).run(bed.id, bed.bundle, { stdio: ['ignore', 'ignore', 'ignore'] });
    const { supervisor } = JSON.parse(readFileSync(join(bed.root, bed.id, 'state.json'), 'utf8'));
    process.kill(supervisor.pid, 'SIGKILL');
    process.kill(run.pid, 'SIGKILL');
    const deadline = new Promise<string>((settle) => setTimeout(settle, DEADLINE, 'nothing in time').unref());
    const error = await Promise.race([run.exit.catch((e) => e), deadline]);
    if (missing('linux-6.15')) assert.ok(error instanceof RuntError && error.code === 'ERR_STATUS_LOST', String(error));
    else assert.equal([error.status, error.signal], [137, 9], String(error));
    await runtime(bed).container(bed.id).delete({ force: true });
  }),
);

telling(
  'another supervisor takes over from a killed one: between execs, during an exec and before the end',
  onBed(async (bed) => {
    const killSupervisor = async (): Promise<void> => {
      const { supervisor } = JSON.parse(readFileSync(join(bed.root, bed.id, 'state.json'), 'utf8'));
      process.kill(supervisor.pid, 'SIGKILL');
      await eventually('its end', () => hasEnded(supervisor.pid));
    };
    for (const word of ['go', 'exec']) execFileSync('mkfifo', [join(bed.rootfs, word)]);
    bed.config.process.args = ['/bin/sh', '-c', 'read x </go; exit 9'];
    bed.write();
    const stdio = ['ignore', 'ignore', 'ignore'] as const;
    const run = await runtime(bed).run(bed.id, bed.bundle, { stdio, keep: true });
    const container = runtime(bed).container(bed.id);
    const during = await container.exec(['/bin/sh', '-c', 'read x </exec; exit 4'], { stdio });
    await killSupervisor();
    const [three, five] = await Promise.all(
      [3, 5].map((status) => container.exec(['/bin/sh', '-c', `exit ${status}`], { stdio })),
    );
    assert.equal([(await three!.exit).status, (await five!.exit).status], [3, 5]);
    await killSupervisor();
    writeFileSync(join(bed.rootfs, 'exec'), '\n');
    assert.is((await during.exit).status, 4);
    const waiting = container.wait();
    writeFileSync(join(bed.rootfs, 'go'), '\n');
    assert.is((await run.exit).status, 9);
    assert.is((await waiting).status, 9);
    assert.is((await container.wait()).status, 9);
    await container.delete();
  }),
);

test(
  'a script that created a container ends while the container continues',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const script = join(bed.dir, 'script.mjs');
    writeFileSync(
      script,
      `import { Runtime } from ${JSON.stringify(library)};
       const container = await new Runtime({ root: ${JSON.stringify(bed.root)} }).create(${JSON.stringify(bed.id)},
         ${JSON.stringify(bed.bundle)}, { stdio: ['ignore', 'ignore', 'ignore'] });
       await container.start();`,
    );
    await promisify(execFile)(process.execPath, [script], { timeout: COMMAND_LIMIT });
    assert.is(bed.state().status, 'running');
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  'failures are RuntErrors, and leave nothing',
  onBed(async (bed) => {
    bed.config.process.args = ['/no/such'];
    bed.write();
    const failed = await runtime(bed)
      .run(bed.id, bed.bundle)
      .catch((e: unknown) => e);
    assert.instance(failed, RuntError);
    const { code, pointer, op } = failed as InstanceType<typeof RuntError>;
    assert.equal([code, pointer, op], ['ERR_EXEC', '/process/args/0', 'findExecutable']);
    const none = await runtime(bed)
      .state('nobody')
      .catch((e: { code: string }) => e.code);
    assert.is(none, 'ERR_NO_CONTAINER');
  }),
);

test(
  'output() has all that a process wrote and how it ended, of run and exec',
  onBed(async (bed) => {
    const big = 'i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done';
    bed.config.process.args = ['/bin/sh', '-c', `cat; ${big}; echo end >&2; exit 3`];
    bed.write();
    const run = await runtime(bed).run(bed.id, bed.bundle);
    const { stdout, stderr, exitCode, signal } = await run.output();
    assert.equal([stdout.length > 200_000, stderr, exitCode, signal], [true, 'end\n', 3, 0]);
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const container = await runtime(bed).create(bed.id, bed.bundle, { stdio: ['ignore', 'ignore', 'ignore'] });
    await container.start();
    const exec = await container.exec(['/bin/sh', '-c', 'kill -9 $$']);
    assert.equal((await exec.output()).signal, 9);
    const handles = await runtime(bed).containers();
    assert.equal(
      handles.map(({ id }) => id),
      [bed.id],
    );
    await container[Symbol.asyncDispose]();
    assert.equal(await runtime(bed).list(), []);
    await container[Symbol.asyncDispose]();
  }),
);

test(
  'an AbortSignal and a timeout kill the process, clean up, and have codes of their own',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const r = runtime(bed);
    const timed = await r.run(bed.id, bed.bundle, {
      timeout: 50,
      stopTimeout: 0,
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    assert.is((await failure(timed.exit)).code, 'ERR_TIMEOUT');
    assert.equal(await r.list(), []);
    const abort = new AbortController();
    const aborted = await r.run(bed.id, bed.bundle, { signal: abort.signal });
    abort.abort(new Error('the user left'));
    const error = await failure(aborted.output());
    assert.equal([error.code, (error.cause as Error).message], ['ERR_ABORTED', 'the user left']);
    assert.equal(await r.list(), []);
    assert.is((await failure(r.run(bed.id, bed.bundle, { signal: abort.signal }))).code, 'ERR_ABORTED');
    const container = await r.create(bed.id, bed.bundle, { stdio: ['ignore', 'ignore', 'ignore'] });
    await container.start();
    const exec = await container.exec(['/bin/sleep', '1000'], { timeout: 50 });
    assert.is((await failure(exec.exit)).code, 'ERR_TIMEOUT');
    const quick = await container.exec(['/bin/true'], { timeout: 60_000 });
    assert.is((await quick.exit).status, 0);
    assert.is((await container.state()).status, 'running');
    await container.delete({ force: true });
  }),
);

test(
  'the streams of create are reachable, and a process that does not read ends no program',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'read line; echo got $line'];
    bed.write();
    const container = await runtime(bed).create(bed.id, bed.bundle, { stdio: ['pipe', 'pipe', 'ignore'] });
    await container.start();
    container.stdin!.write('a line\n');
    assert.is(await text(container.stdout!), 'got a line\n');
    await container.wait();
    // EPIPE, without a listener of ours.
    container.stdin!.write(Buffer.alloc(1 << 20));
    await container.delete();
    assert.is(container.stderr, null);
  }),
);

test(
  'unknown options, wrong types and a command line in one string are refused by name',
  onBed(async (bed) => {
    bed.write();
    const r = runtime(bed);
    const message = async (call: Promise<unknown>) => (await failure(call)).message;
    assert.is(
      await message(r.run(bed.id, bed.bundle, { stdoi: ['pipe', 'pipe', 'pipe'] } as object)),
      'run: unknown option stdoi; did you mean stdio?',
    );
    assert.is(
      await message(r.create(bed.id, bed.bundle, { hookTimeout: '5' } as object)),
      'create: option hookTimeout must be a number of seconds, at least 0',
    );
    assert.match(await message(r.run(bed.id, bed.bundle, { stdio: 'pipe' } as object)), /a list of three/);
    const container = r.container(bed.id);
    assert.is(
      await message(container.exec('ls -l' as never)),
      'exec: the command must be a list of words: write ["ls","-l"], or ["sh", "-c", …] for a shell',
    );
    const error = await failure(r.state('nobody'));
    const { code, message: said, path } = JSON.parse(JSON.stringify(error));
    assert.equal([code, said, typeof path], ['ERR_NO_CONTAINER', error.message, 'string']);
  }),
);

test(
  'tty gives the terminal of run and exec as a stream, with a window size',
  onBed(async (bed) => {
    const temporary = () => readdirSync(tmpdir()).filter((name) => name.startsWith('runt-console-'));
    const before = temporary();
    bed.config.process.terminal = true;
    bed.config.process.args = ['/bin/sh', '-c', 'read line; stty size; echo "got $line"; [ -t 1 ]'];
    bed.write();
    const run = await runtime(bed).run(bed.id, bed.bundle, { tty: true });
    run.terminal!.resize(100, 40);
    run.terminal!.write('a line\r');
    const { stdout, exitCode } = await run.output();
    assert.is(exitCode, 0);
    assert.match(stdout, /a line\r\n[\s\S]*40 100\r\n[\s\S]*got a line\r\n/);
    assert.is(run.stdin, null);
    bed.config.process.terminal = false;
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const container = await runtime(bed).create(bed.id, bed.bundle, { stdio: ['ignore', 'ignore', 'ignore'] });
    await container.start();
    const shell = await container.exec(['/bin/sh', '-c', '[ -t 0 ] && echo terminal; cat'], { tty: true });
    shell.terminal!.write('typed\r');
    shell.terminal!.write('\x04');
    assert.match((await shell.output()).stdout, /terminal\r\n[\s\S]*typed\r\n/);
    const error = await failure(runtime(bed).run(`${bed.id}-b`, bed.bundle, { tty: true }));
    assert.equal([error.code, error.hint], ['ERR_TERMINAL', 'set process.terminal to true, or remove the option tty']);
    await container.delete({ force: true });
    assert.equal(temporary(), before);
  }),
);

test(
  'bundle, validate, compile and explain work',
  onBed(async (bed) => {
    const spec = await bundle(bed.bundle, (s) => {
      s.hostname = 'library';
    });
    assert.equal(JSON.parse(readFileSync(join(bed.bundle, 'config.json'), 'utf8')), JSON.parse(JSON.stringify(spec)));
    assert.equal(await validate(bed.bundle), { valid: true, violations: [], warnings: [] });
    const bad = await validate({ ...spec, hostname: 5 as never });
    assert.is(bad.valid, false);
    assert.equal(
      bad.violations.map((v) => v.pointer),
      ['/hostname'],
    );
    const optioned = await bundle(
      bed.bundle,
      { rootfs: bed.rootfs, memory: '64m', volume: [`${bed.dir}:/d:ro`], args: ['true'], hostname: 'library' },
      (s) => {
        s.annotations = { a: 'b' };
      },
    );
    assert.equal(optioned.linux?.resources?.memory, { limit: 67108864 });
    assert.equal(optioned.mounts?.at(-1)?.options, ['rbind', 'ro', 'rprivate']);
    assert.equal([optioned.process?.terminal, optioned.annotations], [false, { a: 'b' }]);
    const odd = await bundle(bed.bundle, { hostnam: 'x' } as object).catch((e: Error) => e);
    assert.match(String(odd), 'unknown option hostnam; did you mean hostname?');
    const plan = await compile(bed.bundle);
    assert.ok([...plan.ops].some((op) => op.op === 'hostname' && op.name === 'library'));
    assert.match(await explain(bed.bundle), /library/);
  }),
);

test(
  'the examples of docs/library.md run and print their output',
  onBed(async (bed) => {
    const examples = [...readFileSync('docs/library.md', 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map((m) => m[1]!);
    assert.is(examples.length, 5);
    const dir = mkdtempSync(join(tmpdir(), 'runt-docs-'));
    try {
      mkdirSync(join(dir, 'node_modules'));
      symlinkSync(resolve('.'), join(dir, 'node_modules', 'runt-oci'));
      bed.config.process.args = ['/bin/sleep', '1000'];
      bed.write();
      const output: string[] = [];
      for (const [i, example] of examples.entries()) {
        const code = example
          .replaceAll('/srv/hello/rootfs', bed.rootfs)
          .replaceAll('/srv/hello', join(dir, 'hello'))
          .replaceAll('/srv/web', bed.bundle)
          .replaceAll("'web'", JSON.stringify(bed.id))
          .replaceAll('new Runtime()', `new Runtime({ root: ${JSON.stringify(bed.root)} })`);
        writeFileSync(join(dir, `${i}.mjs`), code);
        const { stdout } = await promisify(execFile)(process.execPath, [join(dir, `${i}.mjs`)], {
          timeout: COMMAND_LIMIT,
        });
        output.push(stdout);
      }
      assert.equal(output, [
        'hello world\n 0\n',
        'from exec\n 3 running\npaused\nstats\n9\n',
        'ready to accept connections\n',
        'true 0 true true\n',
        'ERR_NO_CONTAINER\n',
      ]);
    } finally {
      rmSync(dir, { recursive: true });
    }
  }),
);

test.run();
telling.run();
