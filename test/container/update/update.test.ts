/** `update`: new limits of a running container, all of them or none. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { update } from '../../../src/container/update/update.js';
import type { RdtSchemas } from '../../../src/container/update/update-rdt.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { eachFailure, FakeContainer, told } from '../fake-container.js';

const test = suite('update');

const v2Files = {
  'cgroup.controllers': 'cpu memory pids\n',
  'cgroup.subtree_control': 'cpu memory pids\n',
  'memory.max': '5000\n',
  'memory.low': '0\n',
  'memory.swap.max': 'max\n',
  'memory.current': '1000\n',
  'cpu.weight': '100\n',
  'pids.max': 'max\n',
};

/** A running container on v2 with limits. */
const running = (): FakeContainer => new FakeContainer({ status: 'running', files: v2Files });

const change = (c: FakeContainer, resources: object, rdt?: RdtSchemas): Promise<void> =>
  update({ ...c.options, resources: JSON.stringify(resources), document: 'limits.json', ...(rdt && { rdt }) });

const file = (c: FakeContainer, name: string): string => c.kernel.tree.text(`${c.cgroups.at(-1)}/${name}`);

/** Makes a file of the container's cgroup refuse some values, as the kernel does. */
function refuse(c: FakeContainer, name: string, refused: (text: string) => boolean, errno = E.EINVAL): void {
  const inode = c.kernel.tree.at(`${c.cgroups.at(-1)}/${name}`)!;
  let text = c.kernel.tree.text(`${c.cgroups.at(-1)}/${name}`);
  inode.hooks = {
    read: () => text,
    write: (next) => {
      if (refused(next)) return -errno;
      text = next;
      return 0;
    },
  };
}

test('update writes each value to its file, and leaves the others', async () => {
  const c = running();
  await c.run(() => change(c, { memory: { limit: 4000 }, pids: { limit: 10 } }));
  assert.equal(
    ['memory.max', 'pids.max', 'cpu.weight'].map((name) => file(c, name)),
    ['4000', '10', '100\n'],
  );
  assert.equal(c.kernel.open, [c.root]);
});

test('a value that the kernel refuses is an error with its pointer, and no value changes', async () => {
  const c = running();
  refuse(c, 'pids.max', (text) => text === '10');
  const error = await c.failure(() => change(c, { memory: { limit: 4000, reservation: 9 }, pids: { limit: 10 } }));
  assert.equal(
    [error.code, error.pointer, error.value, error.document, error.errno],
    ['ERR_CGROUP', '/pids/limit', 10, 'limits.json', E.EINVAL],
  );
  assert.match(error.hint ?? '', /nothing was changed$/);
  assert.equal(
    ['memory.max', 'memory.low', 'pids.max'].map((name) => file(c, name)),
    ['5000', '0', 'max\n'],
  );
});

test('a file that refuses its old value is named', async () => {
  const c = running();
  refuse(c, 'memory.max', (text) => text === '5000');
  refuse(c, 'pids.max', () => true);
  const error = await c.failure(() => change(c, { memory: { limit: 4000 }, pids: { limit: 10 } }));
  assert.match(error.hint ?? '', /could not restore the old values of \/sys\/fs\/cgroup\/web\/memory.max$/);
});

test('values that limit each other are written in the order that the kernel accepts', async () => {
  const c = new FakeContainer({
    layout: 'v1',
    status: 'running',
    files: {
      'memory.limit_in_bytes': '5000\n',
      'memory.memsw.limit_in_bytes': '6000\n',
      'memory.usage_in_bytes': '1000\n',
    },
  });
  // A limit above that of memory and swap together is refused.
  refuse(c, 'memory.limit_in_bytes', (text) => Number(text) > Number(file(c, 'memory.memsw.limit_in_bytes')));
  refuse(c, 'memory.memsw.limit_in_bytes', (text) => Number(text) < Number(file(c, 'memory.limit_in_bytes')));
  const limits = () => ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'].map((name) => Number(file(c, name)));
  await c.run(() => change(c, { memory: { limit: 8000, swap: 9000 } }));
  assert.equal(limits(), [8000, 9000]);
  await c.run(() => change(c, { memory: { limit: 2000, swap: 3000 } }));
  assert.equal(limits(), [2000, 3000]);
});

test('update accepts a created, running or paused container, and refuses others', async () => {
  const outcomes: string[] = [];
  for (const status of ['created', 'running', 'stopped', 'creating'] as const) {
    const c = new FakeContainer({ status, files: v2Files });
    const outcome = c
      .run(() => change(c, { pids: { limit: 10 } }))
      .then(
        () => 'updated',
        (error: RuntError) => told(c, error),
      );
    outcomes.push(await outcome);
  }
  assert.equal(outcomes, [
    'updated',
    'updated',
    'ERR_CONTAINER_STATUS container not running: web is stopped',
    'ERR_CONTAINER_STATUS container not running: web is creating',
  ]);
});

test('an invalid document is refused before the container is looked up', async () => {
  const c = new FakeContainer({ layout: 'none' });
  const codes: string[] = [];
  for (const resources of ['{', '[]', '{"memory":{"limit":"much"}}']) {
    const error = await c.failure(() => update({ ...c.options, id: 'none', resources, document: 'limits.json' }));
    codes.push(error.code);
  }
  assert.equal(codes, ['ERR_SPEC_JSON', 'ERR_SPEC_INVALID', 'ERR_SPEC_INVALID']);
});

test('a container without a cgroup, and a host without the controller, are errors', async () => {
  const none = new FakeContainer({ layout: 'none', status: 'running' });
  const error = await none.failure(() => change(none, { pids: { limit: 10 } }));
  assert.is(told(none, error), 'ERR_CGROUP update web: the container has no cgroup, and so no limits');
  const c = running();
  assert.is((await c.failure(() => change(c, { blockIO: { weight: 100 } }))).code, 'ERR_CGROUP_CONTROLLER');
});

/** A container in its own group, on a host with a resctrl file system. */
function withRdt(): FakeContainer {
  const c = running();
  const { tree } = c.kernel;
  tree.file('/proc/1000/mountinfo', '50 40 0:9 / /sys/fs/resctrl rw - resctrl resctrl rw\n');
  tree.directory('/sys/fs/resctrl/info/L3');
  tree.file('/sys/fs/resctrl/info/last_cmd_status', 'ok\n');
  let text = 'L3:0=ff\n';
  const write = (next: string) => {
    text = next;
    return 0;
  };
  tree.file('/sys/fs/resctrl/web/schemata', { read: () => text, write });
  tree.file(
    `${c.directory}/config.json`,
    JSON.stringify({ ociVersion: '1.2.0', root: { path: 'rootfs' }, linux: { intelRdt: {} } }),
  );
  return c;
}
const schemata = (c: FakeContainer): string => c.kernel.tree.text('/sys/fs/resctrl/web/schemata');

test('a cache schema is written to the group of the container', async () => {
  const c = withRdt();
  await c.run(() => change(c, {}, { l3CacheSchema: 'L3:0=f' }));
  assert.is(schemata(c), 'L3:0=f\n');
});

test('after a refused limit the group gets its old schema', async () => {
  const c = withRdt();
  refuse(c, 'pids.max', () => true);
  const error = await c.failure(() => change(c, { pids: { limit: 10 } }, { l3CacheSchema: 'L3:0=f' }));
  assert.equal([error.code, schemata(c)], ['ERR_CGROUP', 'L3:0=ff\n']);
});

test('a group that refuses its old schema is named in the hint of the first error', async () => {
  const c = withRdt();
  const inode = c.kernel.tree.at('/sys/fs/resctrl/web/schemata')!;
  inode.hooks = { read: () => 'L3:0=ff\n', write: (text) => (text === 'L3:0=f\n' ? 0 : -E.EINVAL) };
  refuse(c, 'pids.max', () => true);
  const error = await c.failure(() => change(c, { pids: { limit: 10 } }, { l3CacheSchema: 'L3:0=f' }));
  assert.is(error.code, 'ERR_CGROUP');
  assert.match(error.hint ?? '', /; the new schema of the resctrl group stays: update web: write L3:0=ff: EINVAL/);
});

test('schemas that the host or the container does not support are errors', async () => {
  const noMount = running();
  noMount.kernel.tree.file('/proc/1000/mountinfo', '');
  const noMba = withRdt();
  const noClass = withRdt();
  noClass.kernel.tree.file(
    `${noClass.directory}/config.json`,
    JSON.stringify({ ociVersion: '1.2.0', root: { path: 'rootfs' } }),
  );
  const removed = withRdt();
  removed.kernel.tree.directory('/sys/fs/resctrl').entries?.delete('web');
  const refused = withRdt();
  refused.kernel.tree.at('/sys/fs/resctrl/web/schemata')!.hooks = { write: () => -E.EINVAL };
  refused.kernel.tree.file('/sys/fs/resctrl/info/last_cmd_status', 'mask f0f has non-consecutive 1-bits\n');
  const errors: string[] = [];
  for (const [c, rdt] of [
    [noMount, { l3CacheSchema: 'L3:0=f' }],
    [noMba, { memBwSchema: 'MB:0=20' }],
    [noClass, { l3CacheSchema: 'L3:0=f' }],
    [removed, { l3CacheSchema: 'L3:0=f' }],
    [refused, { l3CacheSchema: 'L3:0=f0f' }],
  ] as const) {
    errors.push(told(c, await c.failure(() => change(c, {}, rdt))));
  }
  assert.equal(errors, [
    'ERR_UNSUPPORTED update web: Intel RDT: the host has no resctrl file system',
    'ERR_UNSUPPORTED update web: MB:0=20: this CPU, or its resctrl file system, has no allocation of memory bandwidth (MBA)',
    'ERR_RDT update web: the container has no resctrl group to change',
    'ERR_RDT update web: write L3:0=f: ENOENT (no such file or directory)',
    'ERR_RDT update web: write L3:0=f0f (mask f0f has non-consecutive 1-bits): EINVAL (invalid argument)',
  ]);
});

test('whichever call fails, all values are new or all are old', async () => {
  const values = (c: FakeContainer) =>
    [...['memory.max', 'pids.max'].map((name) => file(c, name)), schemata(c)].map((text) => text.trim()).join(' ');
  const outcomes = await eachFailure(withRdt, (c) =>
    change(c, { memory: { limit: 4000 }, pids: { limit: 10 } }, { l3CacheSchema: 'L3:0=f' }),
  );
  assert.ok(outcomes.length > 20, `${outcomes.length} calls`);
  for (const { container: c, call, error, leftOpen } of outcomes) {
    assert.equal(leftOpen, [], call);
    if (error !== undefined && !(error instanceof RuntError)) throw error;
    assert.is(values(c), error === undefined ? '4000 10 L3:0=f' : '5000 max L3:0=ff', call);
  }
});

test.run();
