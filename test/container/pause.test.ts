/** `pause` and `resume`: the freezer of v1 and v2, its time limit, and frozen ancestors. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { pause, resume } from '../../src/container/pause.js';
import { state } from '../../src/container/state.js';
import { E } from '../../src/sys/errno.js';
import { RuntError } from '../../src/sys/error.js';
import { eachFailure, FakeContainer, told } from './fake-container.js';

const test = suite('pause');

const statusOf = (c: FakeContainer): string => state(c.options).status;

test('pause and resume work on both versions of cgroups', async () => {
  for (const layout of ['v2', 'v1'] as const) {
    for (const status of ['running', 'created'] as const) {
      const c = new FakeContainer({ layout, status });
      await c.run(() => pause(c.options));
      assert.is(statusOf(c), 'paused');
      await c.run(() => resume(c.options));
      assert.is(statusOf(c), status);
      assert.equal(c.kernel.open, [c.root]);
    }
  }
});

test('pause and resume refuse other statuses with an error that names the status', async () => {
  const errors: string[] = [];
  for (const status of ['stopped', 'creating', 'running'] as const) {
    const c = new FakeContainer({ status });
    if (status === 'running') c.freeze(c.cgroups[0]!);
    errors.push(told(c, await c.failure(() => pause(c.options))));
  }
  const c = new FakeContainer({ status: 'running' });
  errors.push(told(c, await c.failure(() => resume(c.options))));
  assert.equal(errors, [
    'ERR_CONTAINER_STATUS container not running: web is stopped',
    'ERR_CONTAINER_STATUS container not running: web is creating',
    'ERR_CONTAINER_STATUS container not running: web is paused',
    'ERR_CONTAINER_STATUS container not paused: web is running',
  ]);
});

test('pause needs a cgroup with a freezer', async () => {
  const none = new FakeContainer({ layout: 'none', status: 'running' });
  assert.is(
    told(none, await none.failure(() => pause(none.options))),
    'ERR_CGROUP pause web: the container has no cgroup, and so no freezer',
  );
  const memory = new FakeContainer({
    layout: 'v1',
    status: 'running',
    record: { cgroups: ['/sys/fs/cgroup/memory/web'] },
  });
  assert.is(
    told(memory, await memory.failure(() => pause(memory.options))),
    "ERR_CGROUP pause web: none of the container's cgroups has a freezer",
  );
});

test('on v2 pause polls cgroup.events until all processes are frozen', async () => {
  const c = new FakeContainer({ status: 'running' });
  const events = c.kernel.tree.at('/sys/fs/cgroup/web/cgroup.events')!;
  const { hooks } = events;
  events.hooks = { read: () => 'populated 1\nfrozen 0\n' };
  c.kernel.clock.after(700, () => {
    events.hooks = hooks;
  });
  const began = c.kernel.clock.now;
  await c.run(() => pause(c.options));
  const waited = c.kernel.clock.now - began;
  assert.ok(waited >= 700 && waited < 750, `${waited} ms`);
  assert.is(c.calls(/^writeFile/).length, 1);
});

test('on v1 pause thaws and freezes again a cgroup that stays FREEZING', async () => {
  const c = new FakeContainer({ layout: 'v1', status: 'running' });
  const file = c.kernel.tree.at('/sys/fs/cgroup/freezer/web/freezer.state')!;
  const { hooks } = file;
  const written: string[] = [];
  file.hooks = {
    read: () => (written.filter((word) => word === 'FROZEN').length > 3 ? hooks.read!() : 'FREEZING\n'),
    write: (word) => {
      written.push(word);
      return hooks.write!(word);
    },
  };
  await c.run(() => pause(c.options));
  assert.equal(written.slice(0, 5), ['FROZEN', 'THAWED', 'FROZEN', 'THAWED', 'FROZEN']);
  assert.is(statusOf(c), 'paused');
});

test('a container that does not freeze within 10 s is thawed, and pause fails', async () => {
  for (const layout of ['v2', 'v1'] as const) {
    const c = new FakeContainer({ layout, status: 'running' });
    const path = `${c.cgroups[0]}/${layout === 'v2' ? 'cgroup.events' : 'freezer.state'}`;
    const file = c.kernel.tree.at(path)!;
    file.hooks = { ...file.hooks, read: () => (layout === 'v2' ? 'frozen 0\n' : 'FREEZING\n') };
    const began = c.kernel.clock.now;
    const error = await c.failure(() => pause(c.options));
    assert.match(told(c, error), /^ERR_CGROUP pause web: its processes do not freeze: ETIMEDOUT/);
    const waited = c.kernel.clock.now - began;
    assert.ok(waited >= 10_000 && waited < 10_100, `${waited} ms`);
    assert.not.ok(c.process?.frozen());
    assert.match(c.calls(/^writeFile/).at(-1)!, layout === 'v2' ? /cgroup.freeze, 0x0, 0o0, 1 byte/ : /, 6 bytes/);
  }
});

test('resume below a frozen cgroup names that cgroup, and the container runs once it is thawed', async () => {
  const c = new FakeContainer({ status: 'running', record: { cgroups: ['/sys/fs/cgroup/above/web'] } });
  const { tree } = c.kernel;
  const inner = tree.directory('/sys/fs/cgroup/above/web');
  c.process?.cgroups.set(inner.fs, inner);
  c.freeze('/sys/fs/cgroup/above/web');
  c.freeze('/sys/fs/cgroup/above');
  const error = await c.failure(() => resume(c.options));
  assert.is(
    told(c, error),
    'ERR_CGROUP resume web: its processes stay frozen by the cgroup /sys/fs/cgroup/above: /sys/fs/cgroup/above/web',
  );
  assert.is(error.hint, 'thaw it: echo 0 > /sys/fs/cgroup/above/cgroup.freeze');
  c.freeze('/sys/fs/cgroup/above', false);
  assert.is(statusOf(c), 'running');
});

test('resume fails if the container stays frozen for 10 s', async () => {
  const c = new FakeContainer({ layout: 'v1', status: 'running' });
  c.freeze(c.cgroups[0]!);
  const file = c.kernel.tree.at('/sys/fs/cgroup/freezer/web/freezer.state')!;
  file.hooks = { ...file.hooks, write: () => 0 };
  const error = await c.failure(() => resume(c.options));
  assert.match(told(c, error), /^ERR_CGROUP resume web: its processes stay frozen: ETIMEDOUT/);
});

test('a write that the kernel refuses is an error that names the file', async () => {
  const c = new FakeContainer({ status: 'running' });
  c.kernel.failAt('writeFile', 1, E.EBUSY);
  const error = await c.failure(() => pause(c.options));
  assert.is(
    told(c, error),
    'ERR_CGROUP pause web: write "1" to /sys/fs/cgroup/web/cgroup.freeze: EBUSY (device or resource busy)',
  );
  assert.is(statusOf(c), 'running');
});

test('a process that ends during a pause or a resume is the error, even if its empty cgroup freezes or has vanished', async () => {
  const errors: string[] = [];
  for (const layout of ['v2', 'v1'] as const) {
    for (const vanishes of [false, true]) {
      const c = new FakeContainer({ layout, status: 'running' });
      const file = c.kernel.tree.at(`${c.cgroups[0]}/${layout === 'v2' ? 'cgroup.freeze' : 'freezer.state'}`)!;
      const { hooks } = file;
      file.hooks = {
        ...hooks,
        write(word) {
          c.process!.exit(0);
          return vanishes ? -E.ENODEV : hooks.write!(word);
        },
      };
      errors.push(told(c, await c.failure(() => pause(c.options))));
      if (!vanishes) assert.match(String(hooks.read!()), layout === 'v2' ? /^0/ : /^THAWED/);
    }
    const c = new FakeContainer({ layout, status: 'running' });
    c.freeze(c.cgroups[0]!);
    const file = c.kernel.tree.at(`${c.cgroups[0]}/${layout === 'v2' ? 'cgroup.freeze' : 'freezer.state'}`)!;
    file.hooks = {
      ...file.hooks,
      write() {
        c.process!.exit(0);
        return -E.ENODEV;
      },
    };
    errors.push(told(c, await c.failure(() => resume(c.options))));
  }
  const [paused, resumed] = ['running', 'paused'].map((s) => `ERR_CONTAINER_STATUS container not ${s}: web is stopped`);
  assert.equal(errors, [paused, paused, resumed, paused, paused, resumed]);
});

test('whichever call fails, the command fails or the status is as requested, and no descriptor leaks', async () => {
  for (const layout of ['v2', 'v1'] as const) {
    for (const [command, wanted] of [
      [pause, 'paused'],
      [resume, 'running'],
    ] as const) {
      const make = () => {
        const c = new FakeContainer({ layout, status: 'running' });
        if (command === resume) c.freeze(c.cgroups[0]!);
        return c;
      };
      const outcomes = await eachFailure(make, (c) => command(c.options));
      assert.ok(outcomes.length >= 10, `${outcomes.length} calls`);
      for (const { container: c, call, error, leftOpen } of outcomes) {
        assert.equal(leftOpen, [], call);
        c.kernel.use();
        if (error === undefined) assert.is(statusOf(c), wanted, call);
        else if (!(error instanceof RuntError)) throw error;
        else assert.match(error.code, /^ERR_(STATE|CGROUP|PROCESS|IO)$/, call);
      }
    }
  }
});

test.run();
