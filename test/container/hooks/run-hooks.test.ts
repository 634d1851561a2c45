/** Hooks that the runtime runs: input, end, timeout, and the output that an error shows. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { innerHookError } from '../../../src/container/hooks/hook-failure.js';
import { hookState, runHook, runHooks, runPlanHooks } from '../../../src/container/hooks/run-hooks.js';
import { withHookTimeouts } from '../../../src/plan/hooks/hook-compile.js';
import type { Plan } from '../../../src/plan/op-list.js';
import type { Op } from '../../../src/plan/plan-ops.js';
import type { Hook, Spec } from '../../../src/spec/config-types.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { SIGKILL, SIGSYS, SIGTERM } from '../../../src/sys/linux.js';
import { interruptWaits } from '../../../src/sys/waiting/loop.js';
import type { Program } from '../../sys/fake-host/processes.js';
import { eachFailure, FakeContainer, told } from '../fake-container.js';

const test = suite('run hooks');

/** A container whose host has this program as the hook /hook. */
function withHook(program: Program, annotations?: Record<string, string>): FakeContainer {
  const c = new FakeContainer({ record: annotations ? { annotations } : {} });
  c.kernel.tree.file('/hook', '', 0o755);
  c.kernel.processes.programs.set('/hook', program);
  return c;
}

const run = (c: FakeContainer, hook: Partial<Hook> = {}): Promise<void> =>
  runHook(
    'create',
    { point: 'createRuntime', index: 0 },
    { path: '/hook', ...hook },
    hookState(c.record, 'created'),
    c.warn,
  );

const write = (child: Parameters<Program>[0], fd: number, text: string): void =>
  void child.file(fd)?.write(new TextEncoder().encode(text));

/** A program that writes to standard error and exits. */
const ends =
  (status: number, text = ''): Program =>
  (child) => {
    write(child, 2, text);
    child.process.exit(status);
    return 0;
  };

test('a hook gets the state, its arguments, its environment and the bundle as working directory', async () => {
  let seen: unknown;
  const c = withHook(
    (child) => {
      const data = new Uint8Array(4096);
      const state = new TextDecoder().decode(data.subarray(0, child.file(0)!.read(data)));
      seen = { args: child.args, env: child.env, directory: child.directory, state: JSON.parse(state) };
      child.process.exit(0);
      return 0;
    },
    { a: 'b' },
  );
  await c.run(() => run(c, { args: ['hook', '-v'], env: ['A=1'] }));
  assert.equal(seen, {
    args: ['hook', '-v'],
    env: ['A=1'],
    directory: '/b',
    state: { ociVersion: '1.2.0', id: 'web', status: 'created', pid: 2500, bundle: '/b', annotations: { a: 'b' } },
  });
  assert.equal(c.kernel.open, [c.root]);
});

test("the default args are the hook's path, and the default environment is that of the runtime", async () => {
  let seen: unknown;
  const c = withHook((child) => {
    seen = [child.args, child.env];
    child.process.exit(0);
    return 0;
  });
  await c.run(() => run(c));
  assert.equal(seen, [['/hook'], []]);
});

test('a failed hook is reported with its status, its duration and the last of its output', async () => {
  const c = withHook((child) => {
    write(child, 1, 'to stdout');
    write(child, 2, 'no such disk\n');
    c.kernel.clock.after(1500, () => child.process.exit(3));
    return 0;
  });
  const error = await c.failure(() => run(c));
  assert.equal(
    [told(c, error), error.pointer, error.path],
    [
      'ERR_HOOK create web: error running createRuntime hook #0: /hook: exit status 3 after 1.5 s, stderr: no such disk',
      '/hooks/createRuntime/0',
      '/hook',
    ],
  );
});

test('the error shows stdout if stderr is empty, quotes several lines, and shortens a long output to its end', async () => {
  const c = withHook((child) => {
    write(child, 1, `${'x'.repeat(5000)}\na "b"\n`);
    child.process.exit(1);
    return 0;
  });
  const { message } = await c.failure(() => run(c));
  assert.match(message, /, stdout: "x{4089}\\na \\"b\\""$/);
});

test('a killed hook is reported with the name of the signal', async () => {
  const c = withHook((child) => {
    child.process.signal(SIGTERM);
    return 0;
  });
  assert.match((await c.failure(() => run(c))).message, /: ended by SIGTERM \(terminated\) after 0 ms$/);
});

test('a hook that cannot be executed is reported with the reason and a hint', async () => {
  const c = new FakeContainer();
  const error = await c.failure(() => run(c, { path: '/none' }));
  assert.is(
    told(c, error),
    'ERR_HOOK create web: error running createRuntime hook #0: /none: cannot be executed: ENOENT (no such file or directory)',
  );
  assert.match(error.hint ?? '', /none/);
  assert.equal(c.kernel.open, [c.root]);
});

test('a hook beyond its timeout is killed with its process group, and reaped', async () => {
  const signals: number[] = [];
  const c = withHook((child) => {
    const { process } = child;
    c.kernel.on('signalGroup', (_pid, signal) => {
      signals.push(signal);
      process.signal(signal);
      return 0;
    });
    return 0;
  });
  const error = await c.failure(() => run(c, { timeout: 2 }));
  assert.is(
    told(c, error),
    'ERR_HOOK_TIMEOUT create web: error running createRuntime hook #0: /hook: not done after 2.0 s, its timeout is 2 s; it was killed',
  );
  // Once more after its end, for processes that it started meanwhile.
  assert.equal([signals, c.kernel.open], [[SIGKILL, SIGKILL], [c.root]]);
});

test('an error shows the hook as in the config, without the default timeout', async () => {
  const c = withHook(ends(1));
  const hooks = { createRuntime: [{ path: '/hook' }, { path: '/hook', timeout: 7 }] };
  const limited = withHookTimeouts({ ociVersion: '1.2.0', hooks } as Spec, 5).hooks?.createRuntime ?? [];
  assert.equal(
    limited.map(({ timeout }) => timeout),
    [5, 7],
  );
  for (const [i, hook] of limited.entries()) {
    const error = await c.failure(() => run(c, hook));
    assert.equal((error as RuntError).value, hooks.createRuntime[i]);
  }
});

test('a slow hook causes a warning after 30 s, which says whether it will be killed', async () => {
  for (const [timeout, words] of [
    [undefined, 'it has no timeout'],
    [90, 'it is killed after 90 s'],
  ] as const) {
    const c = withHook((child) => {
      c.kernel.clock.after(40_000, () => child.process.exit(0));
      return 0;
    });
    await c.run(() => run(c, timeout === undefined ? {} : { timeout }));
    assert.equal(c.warnings, [`create web: hook createRuntime 0, /hook: not done after 30 s; ${words}`]);
  }
});

test('an interruption kills the hook and is the thrown error', async () => {
  const c = withHook(() => 0);
  c.kernel.clock.after(100, () => void interruptWaits(new Error('SIGINT')));
  const error = await c.run(() => run(c).catch((thrown: Error) => thrown));
  assert.is(error?.message, 'SIGINT');
  assert.equal([c.left.includes('process 2501'), c.kernel.open], [false, [c.root]]);
});

test("a descendant that holds the hook's output open does not delay the command", async () => {
  const c = withHook((child) => {
    // The descendant inherits the descriptors.
    const descendant = c.kernel.processes.add({ pid: 2900 });
    descendant.files.push(child.file(2)!.hold());
    write(child, 2, 'late');
    c.kernel.clock.after(10, () => child.process.exit(1));
    return 0;
  });
  const error = await c.failure(() => run(c));
  assert.match(error.message, /exit status 1 after 10 ms, stderr: late$/);
});

test('annotations redirect the output to files; a file that cannot be opened is an error of the annotation', async () => {
  const annotations = { 'run.oci.hooks.stdout': '/var/out', 'run.oci.hooks.stderr': '/var/err' };
  const c = withHook((child) => {
    write(child, 1, 'out');
    write(child, 2, 'err');
    child.process.exit(0);
    return 0;
  }, annotations);
  c.kernel.tree.directory('/var');
  await c.run(() => run(c));
  assert.equal([c.kernel.tree.text('/var/out'), c.kernel.tree.text('/var/err')], ['out', 'err']);
  const bad = withHook(ends(0), { 'run.oci.hooks.stderr': '/none/err' });
  const error = await bad.failure(() => run(bad));
  assert.equal([error.code, error.pointer], ['ERR_HOOK', '/annotations/run.oci.hooks.stderr']);
  assert.equal(bad.kernel.open, [bad.root]);
});

test('hooks run in order until one fails, and those of a plan have spans in its trace', async () => {
  const order: string[] = [];
  const c = withHook((child) => {
    order.push(child.args[0]!);
    child.process.exit(child.args[0] === 'bad' ? 1 : 0);
    return 0;
  });
  const hooks = ['a', 'bad', 'c'].map((name) => ({ path: '/hook', args: [name] }));
  const state = hookState(c.record, 'running');
  const error = await c.failure(() => runHooks('start', 'poststart', hooks, state, c.warn));
  assert.equal([order.splice(0), error.pointer], [['a', 'bad'], '/hooks/poststart/1']);
  const ops = ['prestart', 'createRuntime', 'poststop'].map((point) => ({ op: 'hostHook', point, index: 0n }));
  const spec = {
    hooks: { prestart: [hooks[0]], createRuntime: [hooks[2]], poststop: [hooks[1]] },
  } as unknown as Spec;
  const plan = { version: 1, ops: ops as unknown as readonly Op[] } as Plan;
  const spans = await c.run(() => runPlanHooks('create', plan, spec, state, true, c.warn));
  assert.equal(
    [order, spans.map(({ index }) => index)],
    [
      ['a', 'c'],
      [0, 1],
    ],
  );
});

test('the failure of a hook inside the container is reported with a hint for its errno', () => {
  const hook: Hook = { path: '/bin/prepare', args: ['prepare', '-v'] };
  const spec = { ociVersion: '1.3.0', linux: { seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } } } as Spec;
  const failure = (detail: string, errno = 0) =>
    innerHookError('start web', { detail, errno }, { startContainer: [hook] }, spec);
  const filtered = failure(`startContainer 0\nsignal ${SIGSYS} 1 \n`);
  assert.match(filtered.message, /: ended by SIGSYS \(bad system call\) after 1 ms$/);
  assert.match(filtered.hint ?? '', /linux\.seccomp\.syscalls/);
  assert.is(
    failure('startContainer 0\nsignal 9 250 stdout\nworking').message,
    'start web: error running startContainer hook #0: /bin/prepare -v: ended by SIGKILL (killed) after 250 ms, stdout: working',
  );
  assert.is(failure('startContainer 0\ntimeout 5 5000 \n').code, 'ERR_HOOK_TIMEOUT');
  for (const [errno, words] of [
    [E.E2BIG, /shorten its/],
    [E.EAGAIN, /raise linux.resources.pids.limit/],
    [E.ENOENT, /is not in the rootfs/],
    [E.ENOTDIR, /is a file in the container/],
    [E.EACCES, /may not execute/],
    [E.ENOEXEC, /put the program/],
  ] as const) {
    const error = failure('startContainer 0\nexec 0 0 \n', errno);
    assert.match(error.hint ?? '', words);
    assert.is(error.errno, errno);
  }
});

test('whichever call fails, the hook succeeded or there is an error, and no descriptor leaks', async () => {
  const outcomes = await eachFailure(
    () => withHook(ends(0, 'text')),
    (c) => run(c),
  );
  assert.ok(outcomes.length >= 8, `${outcomes.length} calls`);
  for (const { call, error, leftOpen } of outcomes) {
    assert.equal(leftOpen, [], call);
    if (error !== undefined && !(error instanceof RuntError)) throw error;
  }
});

test.run();
