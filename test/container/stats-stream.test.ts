/** `events`: statistics at each interval, and OOM events when the kernel reports them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ContainerEvent, events, stats } from '../../src/container/stats-stream.js';
import { E } from '../../src/sys/errno.js';
import { RuntError } from '../../src/sys/error.js';
import { IN_MODIFY } from '../../src/sys/linux.js';
import { SocketEnd } from '../sys/fake-host/sockets.js';
import { eachFailure, FakeContainer, told } from './fake-container.js';

const test = suite('stats stream');

const IN_DELETE_SELF = 0x400;

/** A running container, and the kernel's end of its memory events. */
function watched(layout: 'v1' | 'v2' = 'v2') {
  const memory = layout === 'v2' ? { 'memory.events': 'oom_kill 0\n' } : { 'memory.oom_control': 'oom_kill 0\n' };
  const c = new FakeContainer({ layout, status: 'running', files: { ...memory, 'memory.current': '4096\n' } });
  const [ours, kernels] = SocketEnd.pair('memory events', false);
  kernels.hold();
  let path = '';
  c.kernel.on('memoryEvents', (at) => {
    path = at;
    return c.kernel.descriptors.open(ours);
  });
  const file = `${c.cgroups.at(-1)}/${Object.keys(memory)[0]}`;
  return {
    c,
    path: () => path,
    count: (kills: number) => void c.kernel.tree.file(file, `oom_kill ${kills}\n`),
    /** Sends an event as of inotify(7), or of an eventfd of v1. */
    tell: (mask = IN_MODIFY) => kernels.send(new Uint8Array(new Uint32Array([1, mask, 0, 0]).buffer)),
  };
}

/** All events with the second in which each arrives, as "0 stats". */
async function all(c: FakeContainer, interval: number, most = 100): Promise<string[]> {
  const began = c.kernel.clock.now;
  const found: string[] = [];
  const stream = events({ ...c.options, interval });
  while (found.length < most) {
    const { value, done } = await c.run<IteratorResult<ContainerEvent, void>>(() => stream.next());
    if (done) break;
    found.push(`${Math.round((c.kernel.clock.now - began) / 1000)} ${value?.type}`);
  }
  await c.run(() => stream.return());
  return found;
}

test('events sends statistics at once and after each interval, until the container ends', async () => {
  const { c } = watched();
  c.kernel.clock.after(12_000, () => c.process?.exit(0));
  assert.equal(await all(c, 5000), ['0 stats', '5 stats', '10 stats']);
  assert.equal(c.kernel.open, [c.root]);
});

test('an OOM kill is reported when it happens, once, on both versions of cgroups', async () => {
  for (const layout of ['v2', 'v1'] as const) {
    const { c, path, count, tell } = watched(layout);
    c.kernel.clock.after(2000, () => {
      count(1);
      tell();
    });
    c.kernel.clock.after(7000, () => c.process?.exit(0));
    assert.equal(await all(c, 5000), ['0 stats', '2 oom', '5 stats'], layout);
    assert.is(path(), c.cgroups.at(-1));
    assert.equal(c.kernel.open, [c.root]);
  }
});

test('an OOM kill that ended the container is reported before the end', async () => {
  const { c, count, tell } = watched();
  c.kernel.clock.after(1000, () => {
    count(1);
    tell();
    c.process?.exit(137);
  });
  assert.equal(await all(c, 5000), ['0 stats', '1 oom']);
});

test('on v2 another event, and on v1 the removal of the cgroup, is not an OOM kill', async () => {
  const v2 = watched();
  v2.c.kernel.clock.after(1000, () => v2.tell());
  v2.c.kernel.clock.after(2000, () => v2.tell(IN_DELETE_SELF));
  v2.c.kernel.clock.after(3000, () => v2.c.process?.exit(0));
  assert.equal(await all(v2.c, 5000), ['0 stats']);
  const v1 = watched('v1');
  v1.c.kernel.clock.after(1000, () => {
    v1.c.process?.exit(0);
    v1.c.kernel.tree.directory('/sys/fs/cgroup/memory').entries?.delete('web');
    v1.tell();
  });
  assert.equal(await all(v1.c, 5000), ['0 stats']);
});

test('if the cgroup of a unit is removed before its count is read, the count of its parent decides', async () => {
  const cgroup = '/sys/fs/cgroup/machine.slice/web.scope';
  for (const above of [1, 0]) {
    const c = new FakeContainer({
      status: 'running',
      files: { 'memory.events': 'oom_kill 0\n' },
      record: { cgroups: [cgroup], unit: { name: 'web.scope' } },
    });
    c.kernel.tree.directory(cgroup);
    const [ours, kernels] = SocketEnd.pair('memory events', false);
    kernels.hold();
    c.kernel.on('memoryEvents', () => c.kernel.descriptors.open(ours));
    c.kernel.clock.after(1000, () => {
      c.process?.exit(137);
      c.kernel.tree.file('/sys/fs/cgroup/machine.slice/memory.events', `oom_kill ${above}\n`);
      c.kernel.tree.directory('/sys/fs/cgroup/machine.slice').entries?.delete('web.scope');
      kernels.send(new Uint8Array(new Uint32Array([1, IN_MODIFY, 0, 0]).buffer));
    });
    assert.equal(await all(c, 5000), above === 1 ? ['0 stats', '1 oom'] : ['0 stats']);
  }
});

test('without a memory controller there are statistics and no OOM events', async () => {
  const c = new FakeContainer({ status: 'running' });
  c.kernel.clock.after(3000, () => c.process?.exit(0));
  assert.equal(await all(c, 2000), ['0 stats', '2 stats']);
});

test('a consumer that stops early closes the watched descriptors', async () => {
  const { c } = watched();
  assert.equal(await all(c, 1000, 2), ['0 stats', '1 stats']);
  assert.equal(c.kernel.open, [c.root]);
});

test('a stopped container has its last statistics until its cgroups are removed', async () => {
  const c = new FakeContainer({ status: 'stopped', files: { 'memory.current': '4096\n' } });
  assert.is(await c.run(async () => stats(c.options).memory?.usage.usage), 4096);
});

test('a container that is not running has no statistics', async () => {
  const errors: string[] = [];
  for (const status of ['stopped', 'creating'] as const) {
    // A stopped one whose cgroups exist has its last statistics.
    const c = new FakeContainer({ status, ...(status === 'stopped' && { layout: 'none' }) });
    errors.push(told(c, await c.failure(() => stats(c.options))));
    errors.push(told(c, await c.failure(() => events({ ...c.options, interval: 1000 }).next())));
  }
  assert.equal(errors, [
    'ERR_CONTAINER_STATUS container with id web is not running: it is stopped',
    'ERR_CONTAINER_STATUS container with id web is not running: it is stopped',
    'ERR_CONTAINER_STATUS container with id web is not running: it is creating',
    'ERR_CONTAINER_STATUS container with id web is not running: it is creating',
  ]);
});

test('a memory cgroup that cannot be watched is an error, and no descriptor leaks', async () => {
  const { c } = watched();
  c.kernel.failAt('memoryEvents', 1, E.ENOSPC);
  const error = await c.failure(() => events({ ...c.options, interval: 1000 }).next());
  assert.match(told(c, error), /^ERR_CGROUP watch the memory of \/sys\/fs\/cgroup\/web: ENOSPC/);
  assert.equal(c.kernel.open, [c.root]);
});

test('whichever call fails, events fails or has its first event, and no descriptor leaks', async () => {
  const types = new Map<FakeContainer, string | undefined>();
  const outcomes = await eachFailure(
    () => watched().c,
    async (c) => {
      const stream = events({ ...c.options, interval: 1000 });
      const { value } = await stream.next();
      types.set(c, value?.type);
      await stream.return();
    },
  );
  assert.ok(outcomes.length > 15, `${outcomes.length} calls`);
  for (const { container, call, error, leftOpen } of outcomes) {
    assert.equal(leftOpen, [], call);
    if (error === undefined) assert.is(types.get(container), 'stats', call);
    else if (!(error instanceof RuntError)) throw error;
  }
});

test.run();
