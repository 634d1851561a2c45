/** The report of `debug`: what it shows, and that an unreadable file leaves out only its own part. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { debugReport } from '../../src/container/debug-report.js';
import { lastError, storeLastError } from '../../src/container/state/last-error.js';
import { RuntError } from '../../src/sys/error.js';
import { eachFailure, FakeContainer } from './fake-container.js';

const test = suite('debug report');

/** A running container, with the files of /proc that the report reads. */
function running(): FakeContainer {
  const c = new FakeContainer({ status: 'running', files: { 'memory.max': 'max\n', 'cpu.stat': 'a 1\nb 2\n' } });
  const { tree } = c.kernel;
  const proc = '/proc/2500';
  tree.file(`${proc}/cmdline`, 'sleep\x001000\x00');
  tree.file(`${proc}/status`, 'Name:\tsleep\nUid:\t0\t0\t0\t0\nSeccomp:\t2\nCapEff:\t00000000a80425fb\n');
  tree.file(`${proc}/uid_map`, '         0     100000      65536\n');
  tree.file(`${proc}/gid_map`, '         0     100000      65536\n');
  tree.file(`${proc}/attr/current`, 'profile (enforce)\n\0');
  tree.file(`${proc}/oom_score_adj`, '500\n');
  tree.file(
    `${proc}/mountinfo`,
    '30 20 0:5 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/a\\040b\n31 30 0:6 / /proc rw - proc proc rw\n',
  );
  const column = (name: string) => name.padEnd(26) + '1024'.padEnd(21) + '4096'.padEnd(21);
  tree.file(`${proc}/limits`, `${column('Limit')}Units\n${column('Max open files')}files \n`);
  tree.symlink(`${proc}/fd/10`, '/dev/null');
  tree.symlink(`${proc}/fd/2`, 'pipe:[5]');
  return c;
}

test('the report of a running container has its processes, ids, cgroups, mounts, limits and descriptors', () => {
  const c = running();
  const r = debugReport(c.options);
  assert.equal(
    [r.state?.status, r.problem, r.supervised, r.frozen, c.short(r.directory)],
    ['running', undefined, false, false, '~/web'],
  );
  assert.equal(r.processes, [{ pid: 2500, state: 'S', command: 'sleep 1000' }]);
  assert.equal(r.identity, {
    Uid: '0 0 0 0',
    Seccomp: '2',
    CapEff: '00000000a80425fb',
    uid_map: '0 100000 65536',
    gid_map: '0 100000 65536',
    label: 'profile (enforce)',
    oom_score_adj: '500',
  });
  assert.equal(r.cgroups, [
    {
      path: '/sys/fs/cgroup/web',
      exists: true,
      files: { 'memory.max': 'max', 'cpu.stat': 'a 1, b 2', 'cgroup.freeze': '0' },
    },
  ]);
  assert.equal(r.mounts[0], {
    target: '/',
    type: 'overlay',
    source: 'overlay',
    options: 'rw,relatime shared:1 rw,lowerdir=/a\\040b',
  });
  assert.equal(r.limits, [['Max open files', '1024', '4096', 'files']]);
  assert.equal(r.descriptors, { 2: 'pipe:[5]', 10: '/dev/null' });
  assert.equal([r.exit, r.lastError], [undefined, undefined]);
});

test("the report tells the container's own namespaces from those of the command", () => {
  const c = running();
  c.kernel.tree.symlink('/proc/2500/ns/mnt', 'mnt:[99]');
  const { namespaces } = debugReport(c.options);
  assert.equal(
    namespaces.filter(({ own }) => own),
    [{ type: 'mnt', id: 'mnt:[99]', own: true }],
  );
  assert.ok(namespaces.some(({ type, own }) => type === 'pid' && !own));
});

test('a process without a command line is shown by its name', () => {
  const c = new FakeContainer({ status: 'running' });
  assert.equal(debugReport(c.options).processes, [{ pid: 2500, state: 'S', command: '[sleep]' }]);
});

test('the report of a stopped container has its exit, its last error and its missing cgroups', () => {
  const c = new FakeContainer({ status: 'stopped', record: { supervisor: { pid: 2400, startTime: '1' } } });
  c.kernel.tree.file(`${c.directory}/exit.json`, '{"pid":2500,"status":3}');
  c.kernel.tree.directory('/sys/fs/cgroup').entries?.delete('web');
  storeLastError(c.root, 'web', 'exec', new RuntError({ code: 'ERR_EXEC', message: 'exec web: no sh' }));
  const r = debugReport(c.options);
  assert.equal([r.supervised, r.exit, r.processes, r.mounts], [true, { pid: 2500, status: 3 }, [], []]);
  assert.equal([r.lastError?.command, r.lastError?.code, r.cgroups[0]?.exists], ['exec', 'ERR_EXEC', false]);
  assert.match(r.lastError?.report ?? '', /exec web: no sh/);
});

test('the report of a damaged state has the reason, and what other files still show', () => {
  const c = running();
  const text = c.kernel.tree.text(`${c.directory}/state.json`);
  c.kernel.tree.file(`${c.directory}/state.json`, text.slice(0, -5));
  const r = debugReport(c.options);
  assert.match(r.problem ?? '', /the state of container web cannot be used/);
  assert.equal(
    [r.state, r.processes.map(({ pid }) => pid), r.cgroups[0]?.path],
    [undefined, [2500], '/sys/fs/cgroup/web'],
  );
  assert.throws(() => debugReport({ root: c.root, id: 'none' }), /container does not exist/);
});

test('noteError records no error that is about the call instead of the container', () => {
  const c = new FakeContainer();
  for (const code of ['ERR_USAGE', 'ERR_NO_CONTAINER', 'ERR_CONTAINER_STATUS']) {
    storeLastError(c.root, 'web', 'kill', new RuntError({ code, message: 'no' }));
  }
  assert.is(lastError(c.root, 'web'), undefined);
  storeLastError(c.root, 'none', 'exec', new RuntError({ code: 'ERR_EXEC', message: 'no' }));
  assert.equal(c.kernel.tree.list(c.root), ['web']);
  c.kernel.tree.file(`${c.directory}/error.json`, '{');
  assert.is(lastError(c.root, 'web'), undefined);
});

test('a failing call leaves out only its own part of the report, or throws a RuntError', async () => {
  const outcomes = await eachFailure(running, (c) => debugReport(c.options));
  assert.ok(outcomes.length > 60, `${outcomes.length} calls`);
  for (const { call, error, leftOpen } of outcomes) {
    assert.equal(leftOpen, [], call);
    if (error !== undefined && !(error instanceof RuntError)) throw error;
    if (/\/proc\/2500\/(status|limits|mountinfo|fd|cmdline|attr)/.test(call)) assert.is(error, undefined, call);
  }
});

test.run();
