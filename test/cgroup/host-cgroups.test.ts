/** Cgroups of the host as read from the kernel: the layout, the current cgroup, the default parent of containers. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkMounted, isCgroup, isCgroupWritable, readCgroupFacts } from '../../src/cgroup/cgroup-facts.js';
import { oomFile, shownCgroup } from '../../src/cgroup/cgroup-paths.js';
import { defaultParent, unifiedOptions } from '../../src/cgroup/unified-tree.js';
import { E } from '../../src/sys/errno.js';
import { W_OK } from '../../src/sys/linux.js';
import { mountCgroups } from '../sys/fake-host/cgroups.js';
import { FakeKernel } from '../sys/fake-host/fake-kernel.js';

const test = suite('cgroups of the host');

const top = '/sys/fs/cgroup';

/** A host with cgroup v2 and this process in a cgroup. */
function v2(own = '/'): FakeKernel {
  const kernel = new FakeKernel();
  mountCgroups(kernel, top, { controllers: '', files: { 'cgroup.controllers': 'cpu memory\n' } });
  const cgroup = kernel.tree.directory(`${top}${own}`);
  kernel.processes.own.cgroups.set(cgroup.fs, cgroup);
  return kernel;
}

test('on v2 the facts have the current cgroup and the controllers at the mount point', () => {
  v2('/user.slice');
  assert.equal(readCgroupFacts(), {
    layout: 'v2',
    v1: [],
    unified: { mountPoint: top, own: '/user.slice', controllers: ['cpu', 'memory'] },
  });
});

test('on v1, with or without v2 beside it, each hierarchy has the current cgroup', () => {
  for (const layout of ['v1', 'hybrid'] as const) {
    const kernel = new FakeKernel();
    for (const name of ['cpu,cpuacct', 'memory']) mountCgroups(kernel, `${top}/${name}`, { controllers: name });
    mountCgroups(kernel, `${top}/systemd`, { controllers: 'name=systemd' });
    if (layout === 'hybrid') mountCgroups(kernel, `${top}/unified`, { controllers: '' });
    const facts = readCgroupFacts();
    assert.is(facts.layout, layout);
    assert.equal(
      facts.v1.map(({ mountPoint, controllers, name, own }) => [mountPoint, controllers, name, own]),
      [
        [`${top}/cpu,cpuacct`, ['cpu', 'cpuacct'], undefined, '/'],
        [`${top}/memory`, ['memory'], undefined, '/'],
        [`${top}/systemd`, [], 'systemd', '/'],
      ],
    );
  }
});

test('hierarchies mounted elsewhere are found in mountinfo', () => {
  const kernel = new FakeKernel();
  mountCgroups(kernel, '/cgroups/memory', { controllers: 'memory' });
  kernel.tree.file(
    '/proc/1000/mountinfo',
    '20 1 0:1 / / rw - ext4 d rw\n30 20 0:9 / /cgroups/memory rw - cgroup cgroup rw,memory\n',
  );
  assert.equal(readCgroupFacts().v1[0]?.mountPoint, '/cgroups/memory');
});

test('a host without cgroups has no layout; a host without /proc is an error', () => {
  const kernel = new FakeKernel();
  kernel.tree.file('/proc/1000/mountinfo', '');
  assert.equal(readCgroupFacts(), { layout: 'none', v1: [] });
  kernel.tree.directory('/proc/1000').entries?.delete('cgroup');
  assert.throws(readCgroupFacts, /read \/proc\/self\/cgroup: ENOENT/);
});

test('checkMounted accepts a missing path below a hierarchy, and refuses one elsewhere', () => {
  const kernel = v2();
  checkMounted([`${top}/none/deeper`]);
  assert.throws(() => checkMounted(['/tmp/none']), /no cgroup hierarchy is mounted at \//);
  assert.equal([isCgroup(top), isCgroup(`${top}/none`), isCgroup('/run')], [true, false, false]);
  kernel.failAt('statfsType', 1, E.EIO);
  assert.throws(() => isCgroup(top), /look for the cgroup \/sys\/fs\/cgroup: EIO/);
});

test('cgroupWritable checks the nearest existing cgroup, and on v2 its cgroup.procs', () => {
  const kernel = v2();
  kernel.tree.directory(`${top}/mine`);
  const denied: string[] = [];
  const access = kernel.performs('access');
  kernel.on('access', (path, mode) => (mode === W_OK && denied.includes(path) ? -E.EACCES : access(path, mode)));
  assert.is(isCgroupWritable(`${top}/mine/new/web`), true);
  denied.push(`${top}/mine/cgroup.procs`);
  assert.is(isCgroupWritable(`${top}/mine/new/web`), false);
  denied[0] = `${top}/mine`;
  assert.is(isCgroupWritable(`${top}/mine/new/web`), false);
  kernel.failAt('access', 1, E.EIO);
  assert.throws(() => isCgroupWritable(`${top}/mine`), /check access to the cgroup \/sys\/fs\/cgroup\/mine: EIO/);
});

test('the default parent is beside the current cgroup, or below the top where systemd manages the tree', () => {
  const kernel = v2('/system.slice/engine.service');
  const own = '/system.slice/engine.service';
  assert.is(defaultParent(top, own), '/system.slice', 'no systemd');
  kernel.tree.directory('/run/systemd/system');
  const attributes = new Map<string, string>();
  kernel.on('getXattr', (path, name, value) => {
    const text = attributes.get(`${path} ${name}`);
    if (text === undefined) return -E.ENODATA;
    value.set(new TextEncoder().encode(text));
    return text.length;
  });
  assert.is(defaultParent(top, own), '/');
  attributes.set(`${top}/system.slice/engine.service user.delegate`, '1');
  assert.is(defaultParent(top, own), '/system.slice');
  attributes.clear();
  attributes.set(`${top}/system.slice trusted.delegate`, '1');
  assert.is(defaultParent(top, own), '/system.slice');
  kernel.on('getXattr', () => -E.EOPNOTSUPP);
  assert.is(defaultParent(top, own), '/');
  kernel.on('getXattr', () => -E.EIO);
  assert.throws(() => defaultParent(top, own), /read trusted.delegate of .*EIO/);
});

test('unifiedOptions reads the options of the v2 mount, and is empty where v2 is not mounted', () => {
  const kernel = v2();
  const line = (type: string) => `30 20 0:9 / ${top} rw - ${type} ${type} rw,nsdelegate\n`;
  kernel.tree.file('/proc/1000/mountinfo', line('cgroup2'));
  assert.equal(unifiedOptions(), ['rw', 'nsdelegate']);
  kernel.tree.file('/proc/1000/mountinfo', line('tmpfs'));
  assert.equal(unifiedOptions(), []);
});

test("OOM kills are counted in the container's cgroup, or in the parent of a systemd unit, which outlives it", () => {
  const unified = { mountPoint: top, path: `${top}/a.slice/web.scope`, writable: true };
  assert.is(oomFile({ v1: [], unified }), `${top}/a.slice/web.scope/memory.events`);
  assert.is(oomFile({ v1: [], unified }, 'web.scope'), `${top}/a.slice/./web.scope/memory.events`);
  assert.is(oomFile({ v1: [], unified: { ...unified, writable: false } }), '');
  const hierarchy = { mountPoint: `${top}/memory`, root: '/', controllers: ['memory'], own: '/own' };
  const memory = { hierarchy, path: `${top}/memory/web`, writable: true };
  assert.is(oomFile({ v1: [memory], unified }), `${top}/memory/web/memory.oom_control`);
  assert.is(oomFile({ v1: [{ ...memory, writable: false }], unified }), '');
  assert.is(shownCgroup(memory), `${top}/memory/web`);
  assert.is(shownCgroup({ ...memory, writable: false }), `${top}/memory/own`, 'a cgroup that cannot be written');
});

test.run();
