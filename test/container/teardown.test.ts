/** The teardown: its order, what a failed step leaves, and which error is thrown. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { removeStateDir } from '../../src/container/state/state-store.js';
import { recordedParts, removeEnded, teardown, teardownAfterError } from '../../src/container/teardown.js';
import { E } from '../../src/sys/errno.js';
import { RuntError } from '../../src/sys/error.js';
import { SIGKILL } from '../../src/sys/linux.js';
import { eachFailure, FakeContainer, told } from './fake-container.js';

const test = suite('teardown');

const rdt = ['/sys/fs/resctrl/web/mon_groups/web', '/sys/fs/resctrl/web'];
const hooks = { poststop: [{ path: '/hook' }] };

/** A container that has everything that one can have, except a unit. */
function whole(): FakeContainer {
  const c = new FakeContainer({ record: { hooks, rdt, pidNamespace: false } });
  // rmdir(2) of a group also removes the files and directories that the kernel made there.
  c.kernel.tree.mount('/sys/fs/resctrl', { magic: 0x7655821n, removable: () => 0 });
  for (const path of rdt) c.kernel.tree.directory(path);
  c.addProcess(2600);
  c.kernel.calls.length = 0;
  return c;
}

type Remains = Parameters<typeof teardown>[0];

/** What `whole` has; each step that is a function of the caller's adds a mark to the calls. */
function remains(c: FakeContainer, fail: readonly string[] = []): Remains {
  const mark = (name: string, work?: () => void) => () => {
    c.kernel.calls.push(`MARK ${name}`);
    if (fail.includes(name)) throw new Error(`${name} failed`);
    work?.();
  };
  const later = (name: string, work?: () => void) => async () => mark(name, work)();
  return {
    ...recordedParts(c.record),
    command: 'delete',
    ...c.options,
    returnDevices: mark('give back devices'),
    endProcesses: [later('end process', () => c.process?.signal(SIGKILL))],
    endSupervisor: later('end supervisor'),
  };
}

/** The calls that change the system. */
const changes = (c: FakeContainer): string[] =>
  c.calls(/^(MARK|writeFile|pidfdSignal|removeCgroup|unlinkAt|mkdirAt|replaceFile|removeTree)/);

test('the order is devices, processes, cgroups, resctrl, supervisor, poststop record, state', async () => {
  const c = whole();
  await c.run(() => teardown(remains(c)));
  assert.equal(
    changes(c).map((call) => call.replace(/(, \d+ bytes)?\) = .*/, ')')),
    [
      'MARK give back devices',
      'MARK end process',
      'writeFile(AT_FDCWD, /sys/fs/cgroup/web/cgroup.kill, 0x0, 0o0)',
      'writeFile(AT_FDCWD, /sys/fs/cgroup/web/cgroup.freeze, 0x0, 0o0)',
      'removeCgroup(/sys/fs/cgroup/web)',
      'unlinkAt(AT_FDCWD, /sys/fs/resctrl/web/mon_groups/web, 0x200)',
      'unlinkAt(AT_FDCWD, /sys/fs/resctrl/web, 0x200)',
      'MARK end supervisor',
      'mkdirAt(<~>, .deleted, 0o700)',
      'mkdirAt(<~/.deleted>, web, 0o700)',
      'replaceFile(<~/.deleted/web>, state.json, 0o600)',
      'unlinkAt(<~/web>, start.sock, 0x0)',
      'unlinkAt(<~/web>, plan-rest.json, 0x0)',
      'unlinkAt(<~/web>, config.json, 0x0)',
      'unlinkAt(<~/web>, state.json, 0x0)',
      'unlinkAt(<~>, web, 0x200)',
    ],
  );
  assert.equal(c.left, []);
});

/** A failing step of the teardown, and what it leaves beside the state directory. */
interface Fault {
  readonly step: string;
  /** Marks that throw. */
  readonly marks?: readonly string[];
  readonly fail?: (c: FakeContainer) => void;
  readonly error: string;
  readonly left?: readonly string[];
}

const failRmdir = (path: string) => (c: FakeContainer) => {
  const unlinkAt = c.kernel.performs('unlinkAt');
  c.kernel.on('unlinkAt', (dir, name, flags) => (name === path ? -E.EIO : unlinkAt(dir, name, flags)));
};

const faults: readonly Fault[] = [
  { step: 'the devices', marks: ['give back devices'], error: 'give back devices failed' },
  {
    step: 'the end of the process',
    marks: ['end process'],
    error: 'end process failed',
    // The limits stay with the process.
    left: ['/sys/fs/cgroup/web', 'process 2500', 'process 2600', ...rdt],
  },
  {
    step: 'the end of the other processes',
    fail: (c) => {
      c.kernel.failAt('writeFile', 1, E.EIO);
      c.kernel.on('pidfdSignal', () => -E.EPERM);
      // The container's own process ends at the mark, the other one by itself.
      c.kernel.clock.after(500, () => c.kernel.processes.get(2600)?.exit(0));
    },
    error: 'ERR_PROCESS send signal 9 to process 2600: EPERM (operation not permitted)',
  },
  {
    step: 'the thaw',
    fail: (c) => {
      c.freeze(c.cgroups[0]!);
      c.kernel.failAt('writeFile', 2, E.EIO);
    },
    error: 'ERR_CGROUP write "0" to /sys/fs/cgroup/web/cgroup.freeze: EIO (input/output error)',
  },
  {
    step: 'the removal of the cgroup',
    fail: (c) => c.kernel.failAt('removeCgroup', 1, E.EIO),
    error: 'ERR_CGROUP remove cgroup /sys/fs/cgroup/web: EIO (input/output error)',
    left: ['/sys/fs/cgroup/web'],
  },
  {
    step: 'the removal of a resctrl group',
    fail: failRmdir(rdt[1]!),
    error: 'ERR_RDT remove the resctrl group /sys/fs/resctrl/web: EIO (input/output error)',
    left: [rdt[1]!],
  },
  { step: 'the end of the supervisor', marks: ['end supervisor'], error: 'end supervisor failed' },
  {
    step: 'the record of the poststop hooks',
    fail: (c) => c.kernel.failAt('replaceFile', 1, E.EIO),
    error: 'ERR_STATE store the poststop hooks in ~/.deleted/web: EIO (input/output error)',
  },
  {
    step: 'the removal of the state directory',
    fail: failRmdir('web'),
    error: 'ERR_STATE remove the state ~/web: EIO (input/output error)',
  },
];

for (const { step, marks, fail, error, left = [] } of faults) {
  test(`if ${step} fails, the rest is removed, except for the state directory`, async () => {
    const c = whole();
    fail?.(c);
    const thrown = await c.run(() => teardown(remains(c, marks)).catch((e: Error) => e));
    assert.is(thrown instanceof RuntError ? told(c, thrown) : thrown?.message, error);
    const groups = rdt.filter((path) => c.kernel.tree.at(path));
    assert.equal([...c.left, ...groups].sort(), [...left, '~/web'].sort());
    assert.ok(c.calls(/^MARK end supervisor/).length === 1, 'the supervisor is ended anyway');
    assert.equal(c.kernel.open, [c.root]);
  });
}

test('of several errors the first is thrown', async () => {
  const c = whole();
  c.kernel.failAt('removeCgroup', 1, E.EIO);
  const error = await c.run(() => teardown(remains(c, ['give back devices', 'end supervisor'])).catch((e: Error) => e));
  assert.is(error?.message, 'give back devices failed');
  assert.equal(c.left, ['/sys/fs/cgroup/web', '~/web']);
});

test('whichever call fails, a second teardown removes the rest', async () => {
  const outcomes = await eachFailure(whole, (c) => teardown(remains(c)));
  assert.ok(outcomes.length > 20, `${outcomes.length} calls`);
  for (const { container: c, call, error, leftOpen } of outcomes) {
    assert.equal(leftOpen, [], call);
    if (error !== undefined && !(error instanceof RuntError)) throw error;
    if (error === undefined) assert.equal(c.left, [], call);
    await c.run(() => teardown(remains(c)));
    assert.equal([...c.left, ...rdt.filter((path) => c.kernel.tree.at(path))], [], call);
  }
});

test('teardown skips what the container does not have, without a look at the host', async () => {
  const c = new FakeContainer({ layout: 'none' });
  await c.run(() => teardown({ command: 'create', ...c.options }));
  assert.equal(changes(c), []);
  assert.ok(c.left.includes('~/web'), 'the state directory stays, because it was not passed');
});

test('a cgroup that stays busy for 5 s is an error that names its processes', async () => {
  const c = whole();
  c.kernel.on('writeFile', () => 0);
  c.kernel.on('pidfdSignal', () => 0);
  const began = c.kernel.clock.now;
  const error = await c.failure(() => teardown(remains(c)));
  assert.is(told(c, error), 'ERR_CGROUP_BUSY remove cgroup /sys/fs/cgroup/web: EBUSY (device or resource busy)');
  assert.is(
    error.hint,
    'kill process 2600 (kill --all), or wait: the cgroup is not empty, perhaps because a process hangs in the kernel',
  );
  const waited = c.kernel.clock.now - began;
  assert.ok(waited >= 5000 && waited < 6000, `${waited} ms`);
  assert.ok(c.left.includes('~/web'));
});

test('a supervisor that does not end within a second is killed, and its pidfd is closed', async () => {
  for (const ends of [true, false]) {
    const c = new FakeContainer({ status: 'stopped', record: { supervisor: { pid: 2400, startTime: '3400' } } });
    const supervisor = c.kernel.processes.add({ pid: 2400, name: 'runt-init' });
    if (ends) c.kernel.clock.after(300, () => supervisor.exit(0));
    await c.run(() => teardown({ command: 'delete', ...c.options, ...recordedParts(c.record) }));
    assert.equal(supervisor.signals, ends ? [] : [SIGKILL]);
    assert.equal([c.left, c.kernel.open], [[], [c.root]]);
  }
});

test('takeBack warns about what it could not remove, with the command that removes it', async () => {
  const c = whole();
  await c.run(() => teardownAfterError(remains(c, ['end supervisor'])));
  assert.equal(c.warnings, [
    'not all of web was removed: end supervisor failed ("delete --force web" removes the rest)',
  ]);
});

test('takeBack runs the poststop hooks, and warns about a failed one', async () => {
  const c = whole();
  await c.run(() => teardownAfterError(remains(c)));
  assert.equal(c.warnings.length, 1);
  assert.match(c.warnings[0]!, /^delete web: error running poststop hook #0: \/hook: cannot be executed/);
  assert.equal(c.kernel.tree.list(c.root), ['.deleted']);
  assert.equal(c.kernel.tree.list(`${c.root}/.deleted`), []);
});

test('after a foreground run, a container below the cgroup prevents its removal', async () => {
  const c = new FakeContainer({ status: 'stopped', record: { pidNamespace: false } });
  c.addContainer('inner', { cgroups: ['/sys/fs/cgroup/web/inner'] });
  await c.run(() => removeEnded('run', c.options, c.record));
  assert.equal(c.left, ['/sys/fs/cgroup/web', '~/web']);
  assert.equal(c.warnings, [
    'delete web: kill the processes in its cgroup /sys/fs/cgroup/web: the container inner is in it or below; the container stays until it is deleted: delete inner first (runt delete --force inner)',
  ]);
  removeStateDir(c.root, 'inner');
  await c.run(() => removeEnded('run', c.options, c.record));
  assert.equal(c.left, []);
});

test.run();
