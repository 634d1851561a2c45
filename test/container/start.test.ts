/** `start`: its conversation with the runt-init of a created container. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { remove } from '../../src/container/delete.js';
import { start } from '../../src/container/start.js';
import { storedOp, storePlanRest } from '../../src/container/state/plan-rest.js';
import { storeConfig } from '../../src/container/state/stored-files.js';
import type { Plan } from '../../src/plan/op-list.js';
import type { Op } from '../../src/plan/plan-ops.js';
import { E } from '../../src/sys/errno.js';
import { RuntError } from '../../src/sys/error.js';
import { SIGKILL } from '../../src/sys/linux.js';
import { frameOf, ScriptedInit, type Step } from '../sys/fake-host/scripted-init.js';
import { eachFailure, FakeContainer, told } from './fake-container.js';

const test = suite('start');

type Options = ConstructorParameters<typeof FakeContainer>[0];

/** A created container whose runt-init performs these steps once a start has connected. */
function waiting(steps: readonly Step[], o: Options = {}): FakeContainer {
  const c = new FakeContainer(o);
  const process = c.process!;
  let connections = 0;
  c.kernel.sockets.listen(`${c.directory}/start.sock`, (end) => {
    process.files.push(end);
    // runt-init serves one connection.
    if (++connections > 1) return end.drop();
    const init = new ScriptedInit(c.kernel, process, end, () => undefined, steps);
    init.frame = ['plan'];
    init.perform();
  });
  return c;
}

const execute: Step = (init) => init.execute();
const failed =
  (index: number, errno: number, syscall: string, detail = ''): Step =>
  (init) => {
    init.report('error', { index, errno, syscall, detail });
    init.process.exit(1);
  };

/** The rest of the plan, as `create` writes it: `cwd` is operation 1, `exec` is operation 2. */
function keepRest(c: FakeContainer, args: readonly string[] = ['/bin/sh']): void {
  const ops = [
    { op: 'wait', at: '' },
    { op: 'cwd', at: '/process/cwd', path: '/work', optional: false },
    { op: 'exec', at: '/process/args', args, env: [], homeOfNamed: false },
  ] satisfies readonly Op[];
  c.kernel.use();
  storePlanRest(c.root, c.id, { version: 1, ops } as Plan);
  storeConfig(
    c.root,
    c.id,
    new TextEncoder().encode(JSON.stringify({ hooks: c.record.hooks, process: { args, cwd: '/work' } })),
  );
}

test('start executes the process and removes the socket; a second start finds the container running', async () => {
  const c = waiting([execute]);
  await c.run(() => start(c.options));
  assert.equal(c.kernel.tree.list(c.directory), ['state.json']);
  assert.equal([c.process?.name, c.kernel.open], ['sh', [c.root]]);
  const error = await c.failure(() => start(c.options));
  assert.is(told(c, error), 'ERR_CONTAINER_STATUS cannot start an already running container: web');
});

test('start refuses other statuses with an error that names the status', async () => {
  const errors: string[] = [];
  for (const status of ['stopped', 'creating', 'running', 'created'] as const) {
    const c = new FakeContainer({ status });
    if (status === 'created') c.freeze(c.cgroups[0]!);
    errors.push(told(c, await c.failure(() => start(c.options))));
  }
  assert.equal(errors, [
    'ERR_CONTAINER_STATUS cannot start a container that has stopped: web',
    'ERR_CONTAINER_STATUS cannot start a container in the creating state: web',
    'ERR_CONTAINER_STATUS cannot start an already running container: web',
    'ERR_CONTAINER_STATUS cannot start a container in the paused state: web',
  ]);
});

test('start refuses a container below a frozen cgroup, in which the process would not run', async () => {
  const c = new FakeContainer({ record: { cgroups: ['/sys/fs/cgroup/above/web'] } });
  const inner = c.kernel.tree.directory('/sys/fs/cgroup/above/web');
  c.process?.cgroups.set(inner.fs, inner);
  c.freeze('/sys/fs/cgroup/above');
  const error = await c.failure(() => start(c.options));
  assert.is(
    told(c, error),
    'ERR_CGROUP start web: the cgroup is frozen by the cgroup /sys/fs/cgroup/above: /sys/fs/cgroup/above/web',
  );
});

test('a failed operation is looked up by its index in plan-rest.json', async () => {
  const c = waiting([failed(1, E.ENOENT, 'chdir')]);
  keepRest(c);
  const error = await c.failure(() => start(c.options));
  assert.equal(
    [told(c, error), error.pointer, error.value, error.errno],
    [
      'ERR_CWD start web: enter the working directory /work: ENOENT (no such file or directory)',
      '/process/cwd',
      '/work',
      E.ENOENT,
    ],
  );
});

test('a failed execve has the code and the hint of its operation', async () => {
  const c = waiting([failed(2, E.ENOEXEC, 'execve', '/bin/sh')]);
  keepRest(c);
  const error = await c.failure(() => start(c.options));
  assert.equal([error.code, error.pointer, error.syscall], ['ERR_EXEC', '/process/args', 'execve']);
  assert.match(error.hint ?? '', /./);
});

test('start of a config without a process fails with that reason', async () => {
  const c = waiting([failed(2, E.EINVAL, 'execve')]);
  keepRest(c, []);
  const error = await c.failure(() => start(c.options));
  assert.equal([told(c, error), error.pointer], ['ERR_SPEC_INVALID start web: the config has no process', '/process']);
});

test('without plan-rest.json, or with an unknown index, the report itself is the error', async () => {
  for (const kept of [false, true]) {
    const c = waiting([failed(9, E.EACCES, 'execve', '/bin/sh')]);
    if (kept) keepRest(c);
    const error = await c.failure(() => start(c.options));
    assert.is(told(c, error), 'ERR_EXEC start web: execute the process (/bin/sh): EACCES (permission denied)');
  }
});

test('a damaged plan-rest.json or config does not hide the failure of the start', async () => {
  const damaged = [
    '',
    '[[1,{',
    'null',
    '{}',
    '[null]',
    '[1,2]',
    '[[1]]',
    '[[1,{}]]',
    '[[1,"x"]]',
    '[[1,{"op":"exec","at":""}]]',
  ];
  for (const text of [
    ...damaged,
    '[[1,{"op":"none","at":""}]]',
    '[[1,{"op":"cwd","at":7,"path":"/","optional":true}]]',
  ]) {
    const rest = waiting([failed(1, E.ENOENT, 'chdir')]);
    rest.kernel.tree.file(`${rest.directory}/plan-rest.json`, text);
    const error = await rest.failure(() => start(rest.options));
    assert.equal([error.code, error.errno, error.syscall], ['ERR_EXEC', E.ENOENT, 'chdir'], text);
  }
  const config = waiting([failed(1, E.ENOENT, 'chdir')]);
  keepRest(config);
  config.kernel.tree.file(`${config.directory}/config.json`, '{');
  const error = await config.failure(() => start(config.options));
  assert.equal([error.code, error.value], ['ERR_CWD', undefined]);
});

test('a runt-init that ends without a report is reported with the signal that killed it', async () => {
  const c = waiting([
    (init) => {
      init.hangUp();
      // A killed process closes its descriptors shortly before it has ended.
      c.kernel.clock.after(20, () => init.process.signal(SIGKILL));
    },
  ]);
  const error = await c.failure(() => start(c.options));
  assert.is(told(c, error), 'ERR_INIT_DIED start web: runt-init ended before it executed the process');
  assert.equal(c.kernel.open, [c.root]);
});

test('a truncated report counts as the end of runt-init', async () => {
  const c = waiting([
    (init) => {
      init.sync.send(frameOf(['exec']).subarray(0, 6));
      init.process.signal(SIGKILL);
    },
  ]);
  const error = await c.failure(() => start(c.options));
  assert.equal([error.code, c.kernel.open], ['ERR_INIT_DIED', [c.root]]);
});

test('a runt-init that does not accept the connection was started by another start', async () => {
  const c = waiting([(init) => init.hangUp()]);
  const error = await c.failure(() => start(c.options));
  assert.is(told(c, error), 'ERR_CONTAINER_STATUS cannot start a container in the starting state: web');
  const refused = new FakeContainer();
  const late = await refused.failure(() => start(refused.options));
  assert.is(told(refused, late), 'ERR_CONTAINER_STATUS cannot start a container in the starting state: web');
});

test('a start socket that cannot be reached is an error of the state', async () => {
  const c = waiting([execute]);
  c.kernel.failAt('unixConnect', 1, E.EACCES);
  const error = await c.failure(() => start(c.options));
  assert.is(told(c, error), 'ERR_STATE start web: connect to the start socket: EACCES (permission denied)');
  assert.equal(c.kernel.open, [c.root]);
});

test('a report that is not part of a start is an internal error', async () => {
  const c = waiting([(init) => init.report('created')]);
  const error = await c.failure(() => start(c.options));
  assert.is(told(c, error), 'ERR_INTERNAL runt-init sent the report "created" while it was starting');
  assert.equal(c.kernel.open, [c.root]);
});

test('a slow startContainer hook causes a warning, and start continues without the lock', async () => {
  const hooks = { startContainer: [{ path: '/bin/prepare', timeout: 90 }] };
  const c = waiting(
    [
      (init) => {
        init.report('slow', { point: 'startContainer', index: 0 });
        c.kernel.clock.after(40_000, () => init.execute());
      },
    ],
    { record: { hooks } },
  );
  const held: boolean[] = [];
  c.kernel.clock.after(1000, () => held.push(c.kernel.tree.at(c.directory)?.lock !== undefined));
  await c.run(() => start(c.options));
  assert.equal(held, [false]);
  assert.equal(c.warnings, [
    'start web: hook startContainer 0, /bin/prepare: not done after 30 s; it is killed after 90 s',
  ]);
});

test('a failed startContainer hook is the error, and the container is removed', async () => {
  const hooks = { startContainer: [{ path: '/bin/prepare' }] };
  const c = waiting([failed(1, 0, 'hook', 'startContainer 0\nexit 3 12 stderr\nno such disk')], { record: { hooks } });
  keepRest(c);
  const error = await c.failure(() => start(c.options));
  assert.is(
    told(c, error),
    'ERR_HOOK start web: error running startContainer hook #0: /bin/prepare: exit status 3 after 12 ms, stderr: no such disk',
  );
  assert.equal([c.left, c.kernel.open], [[], [c.root]]);
});

test('poststart hooks run after the execve; a failed one removes the container', async () => {
  for (const status of [0, 4]) {
    const c = waiting([execute], { record: { hooks: { poststart: [{ path: '/hook' }] } } });
    c.kernel.processes.programs.set('/hook', ({ process }) => {
      assert.is(c.process?.name, 'sh');
      c.kernel.clock.after(5, () => process.exit(status));
      return 0;
    });
    if (status === 0) {
      await c.run(() => start(c.options));
      assert.is(c.process?.end, undefined);
    } else {
      const error = await c.failure(() => start(c.options));
      assert.match(
        told(c, error),
        /^ERR_HOOK start web: error running poststart hook #0: \/hook: exit status 4 after 5 ms/,
      );
      assert.equal(c.left, []);
    }
    assert.equal(c.kernel.open, [c.root]);
  }
});

test("if the removal after a failed hook fails, start warns, and the hook's error remains", async () => {
  const c = waiting([execute], { record: { hooks: { poststart: [{ path: '/none' }] } } });
  c.kernel.on('removeCgroup', () => -E.EIO);
  const error = await c.failure(() => start(c.options));
  assert.is(error.code, 'ERR_HOOK');
  assert.match(c.warnings[0]!, /^start web: remove what the failed hook left: .*remove cgroup.*EIO/);
});

test('of two concurrent starts, one executes the process, and the other finds it running', async () => {
  const c = waiting([execute]);
  const outcomes = await c.run(() =>
    Promise.all([1, 2].map(() => start(c.options).catch((error: RuntError) => error.message))),
  );
  assert.equal(outcomes, [undefined, 'cannot start an already running container: web']);
});

test('a delete during a startContainer hook removes the container, and start fails', async () => {
  const hooks = { startContainer: [{ path: '/bin/prepare' }] };
  const c = waiting([], { record: { hooks } });
  const deleted: Promise<void>[] = [];
  c.kernel.clock.after(5000, () => void deleted.push(remove({ ...c.options, force: true })));
  const error = await c.failure(async () => {
    await start(c.options);
  });
  assert.is(error.code, 'ERR_INIT_DIED');
  await c.run(() => Promise.all(deleted));
  assert.equal([c.left, c.kernel.open], [[], [c.root]]);
});

test('the trace has the steps of the start; a trace that cannot be written leaves the container running', async () => {
  const c = waiting([execute]);
  await c.run(() => start({ ...c.options, trace: '/run/trace.json' }));
  const names = JSON.stringify(JSON.parse(c.kernel.tree.text('/run/trace.json')));
  for (const name of ['connect to the start socket', 'prepare the process', 'execve']) assert.ok(names.includes(name));
  const bad = waiting([execute]);
  const error = await bad.failure(() => start({ ...bad.options, trace: '/none/trace.json' }));
  assert.equal([error.code, bad.process?.name], ['ERR_IO', 'sh']);
});

test('start notifies NOTIFY_SOCKET once the process reports that it is ready', async () => {
  const c = waiting([
    (init) => {
      init.execute();
      c.kernel.clock.after(50, () => {
        c.kernel.use();
        const path = `${c.directory}/notify/notify.sock`;
        c.kernel.sockets.sendDatagram(path, 'STATUS=loading\n');
        c.kernel.sockets.sendDatagram(path, 'READY=1\n');
      });
    },
  ]);
  c.kernel.tree.directory(`${c.directory}/notify`);
  const manager = c.kernel.sockets.receiver('/run/manager.sock');
  await c.run(() => start({ ...c.options, notifySocket: '/run/manager.sock' }));
  assert.is(manager.text(), 'READY=1\nMAINPID=2500\nBARRIER=1');
  assert.equal(c.kernel.open, [c.root]);
});

test('plan-rest.json has the operations after the wait, and a late seccomp filter', () => {
  const c = new FakeContainer();
  const ops = [
    { op: 'seccomp', late: true, at: '/linux/seccomp', slot: 0, flags: 0, summary: '' },
    { op: 'seccomp', late: false, at: '/linux/seccomp', slot: 0, flags: 0, summary: '' },
    { op: 'wait', at: '' },
    { op: 'capabilities', at: '', effective: 5n, permitted: 5n, inheritable: 0n, ambient: 0n },
  ] satisfies readonly Op[];
  storePlanRest(c.root, c.id, { version: 1, ops } as Plan);
  const kept = [0, 1, 2, 3].map((i) => storedOp(c.root, c.id, i)?.op.op);
  assert.equal(kept, ['seccomp', undefined, undefined, 'capabilities']);
  assert.throws(() => storePlanRest(c.root, c.id, { version: 1, ops } as Plan), /write the rest of the plan .*EEXIST/);
});

test('whichever call fails, start fails or the process runs, and no descriptor leaks', async () => {
  for (const hooks of [undefined, { poststart: [{ path: '/hook' }] }]) {
    const make = () => {
      const c = waiting([execute], hooks && { record: { hooks } });
      c.kernel.processes.programs.set('/hook', ({ process }) => {
        process.exit(0);
        return undefined;
      });
      return c;
    };
    const outcomes = await eachFailure(make, (c) => start(c.options));
    assert.ok(outcomes.length >= 12, `${outcomes.length} calls`);
    for (const { container: c, call, error, leftOpen } of outcomes) {
      assert.equal(leftOpen, [], call);
      if (error === undefined) assert.is(c.process?.name, 'sh', call);
      else if (!(error instanceof RuntError)) throw error;
      else assert.match(error.code, /^ERR_(STATE|CGROUP|PROCESS|INIT|IO|HOOK)$/, call);
    }
  }
});

test.run();
