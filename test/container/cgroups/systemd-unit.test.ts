/** The scope of a container: its start, changes and stop, and the errors of systemd. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  attachProcess,
  endUnit,
  mayMoveInto,
  Placeholder,
  startScope,
  systemdVersion,
  userManager,
} from '../../../src/container/cgroups/systemd-unit.js';
import { remove } from '../../../src/container/delete.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { FakeSystemd } from '../../cgroup/systemd/fake-systemd.js';
import { mountCgroups } from '../../sys/fake-host/cgroups.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import type { FakeProcess } from '../../sys/fake-host/processes.js';
import { scriptInit } from '../../sys/fake-host/scripted-init.js';
import { eachFailure, FakeContainer } from '../fake-container.js';

const test = suite('systemd unit');

const slice = '/sys/fs/cgroup/system.slice';
const unit = 'web.scope';
type Op = Parameters<typeof startScope>[0];

/** A host with systemd, and a process that will be moved into the scope. */
function host(): { kernel: FakeKernel; systemd: FakeSystemd; process: FakeProcess; op: Op } {
  const kernel = new FakeKernel();
  mountCgroups(kernel, '/sys/fs/cgroup', { controllers: '' });
  const systemd = new FakeSystemd(kernel);
  const process = kernel.processes.add({ pid: 2500 });
  const op = {
    op: 'systemdScope',
    at: '/linux/cgroupsPath',
    path: `${slice}/${unit}`,
    unit,
    properties: [
      { name: 'Description', signature: 's', value: 'web' },
      { name: 'MemoryZSwapMax', signature: 't', value: 5n },
    ],
    optional: ['MemoryZSwapMax'],
  } as Op;
  return { kernel, systemd, process, op };
}

const failure = async (kernel: FakeKernel, work: () => Promise<unknown>): Promise<RuntError> => {
  const error = await kernel.finish(
    work().then(
      () => undefined,
      (thrown: unknown) => thrown,
    ),
  );
  if (error instanceof RuntError) return error;
  throw error ?? new Error('it did not fail');
};

test('startScope starts the unit with its properties and the process, in the cgroup of the plan', async () => {
  const { kernel, systemd, process, op } = host();
  const before = kernel.open;
  await kernel.finish(startScope(op, undefined, 2500));
  const properties = systemd.units.get(unit);
  assert.equal(
    [properties?.get('Description'), properties?.get('MemoryZSwapMax'), properties?.get('PIDs')],
    ['web', 5n, [2500n]],
  );
  assert.is([...process.cgroups.values()][0]?.path, op.path);
  assert.equal([systemd.calls.at(-1), kernel.open], [`StartTransientUnit ${unit} fail`, before]);
});

test('startScope leaves out a property that is newer than this systemd', async () => {
  const { kernel, systemd, op } = host();
  systemd.version = '252.1';
  await kernel.finish(startScope(op, undefined, 2500));
  assert.not.ok(systemd.units.get(unit)?.has('MemoryZSwapMax'));
  assert.is(await kernel.finish(systemdVersion(undefined)), 252);
});

test('startScope resets a failed unit once; an existing unit is an error and stays', async () => {
  const exists = { error: 'org.freedesktop.systemd1.UnitExists', text: `Unit ${unit} was already loaded.` };
  const failed = host();
  failed.systemd.instead = (member, times) => (member === 'StartTransientUnit' && times === 1 ? exists : undefined);
  await failed.kernel.finish(startScope(failed.op, undefined, 2500));
  assert.ok(failed.systemd.calls.includes(`ResetFailedUnit ${unit}`));
  const { kernel, systemd, op } = host();
  systemd.instead = (member) => (member === 'StartTransientUnit' ? exists : undefined);
  const error = await failure(kernel, () => startScope(op, undefined, 2500));
  assert.equal(
    [error.code, error.message, error.pointer],
    ['ERR_CGROUP_BUSY', `start ${unit}: the unit exists already`, '/linux/cgroupsPath'],
  );
  assert.not.ok(
    systemd.calls.some((call) => call.startsWith('StopUnit')),
    'a foreign unit is not stopped',
  );
});

test('startScope fails if the job fails, and leaves no unit', async () => {
  const { kernel, systemd, op } = host();
  systemd.result = 'timeout';
  const error = await failure(kernel, () => startScope(op, undefined, 2500));
  assert.equal([error.code, error.message], ['ERR_SYSTEMD', `start ${unit}: its job ended as "timeout"`]);
  assert.equal([...systemd.units.keys()], []);
});

test('startScope fails if the cgroup is not that of the plan, and the error shows both', async () => {
  const { kernel, systemd, op } = host();
  const error = await failure(kernel, () =>
    startScope({ ...op, path: `/sys/fs/cgroup/other/${unit}` }, undefined, 2500),
  );
  assert.is(
    error.message,
    `start ${unit}: systemd made its cgroup at /system.slice/${unit}, not at /sys/fs/cgroup/other/${unit}`,
  );
  assert.equal([...systemd.units.keys()], []);
});

test('startScope below a frozen slice fails without a call to systemd', async () => {
  const { kernel, systemd, op } = host();
  kernel.tree.directory(slice);
  kernel.tree.at(`${slice}/cgroup.freeze`)?.hooks.write?.('1');
  const error = await failure(kernel, () => startScope(op, undefined, 2500));
  assert.equal([error.code, error.path, systemd.calls], ['ERR_CGROUP', slice, []]);
});

test('startScope starts the unit once, even if systemd disconnects after it did it', async () => {
  const { kernel, systemd, op } = host();
  systemd.instead = (member, times) => (member === 'Get' && times === 1 ? 'hang up' : undefined);
  await kernel.finish(startScope(op, undefined, 2500));
  assert.is(systemd.calls.filter((call) => call.startsWith('StartTransientUnit')).length, 1);
  const lost = host();
  lost.systemd.instead = (member, times) => {
    if (member !== 'StartTransientUnit' || times > 1) return undefined;
    // systemd has started the unit, and its reply is lost.
    const cgroup = lost.kernel.tree.directory(lost.systemd.cgroupOf(unit));
    lost.process.cgroups.set(cgroup.fs, cgroup);
    return 'hang up';
  };
  await lost.kernel.finish(startScope(lost.op, undefined, 2500));
  assert.is(lost.systemd.calls.filter((call) => call.startsWith('StartTransientUnit')).length, 1);
});

test('startScope fails if systemd does not answer within 30 s', async () => {
  const { kernel, systemd, op } = host();
  systemd.instead = (member) => (member === 'StartTransientUnit' ? 'silence' : undefined);
  const began = kernel.clock.now;
  const before = kernel.open;
  const error = await failure(kernel, () => startScope(op, undefined, 2500));
  assert.is(error.message, 'systemd: StartTransientUnit: no answer within 30 seconds');
  const waited = kernel.clock.now - began;
  assert.ok(waited >= 30_000 && waited < 31_000, `${waited} ms`);
  assert.equal(kernel.open, before);
});

test('an error about the property of an annotation has the pointer of the annotation', async () => {
  const { kernel, systemd, op } = host();
  const error = { error: 'org.freedesktop.DBus.Error.InvalidArgs', text: 'Cannot set property TimeoutStopUSec' };
  systemd.instead = (member) => (member === 'StartTransientUnit' ? error : undefined);
  const annotations = { 'org.systemd.property.TimeoutStopSec': 'uint64 1' };
  const thrown = await failure(kernel, () => startScope(op, undefined, 2500, undefined, annotations));
  assert.equal(
    [thrown.code, thrown.pointer, thrown.value],
    ['ERR_SYSTEMD', '/annotations/org.systemd.property.TimeoutStopSec', 'uint64 1'],
  );
});

test('without systemd the error names its socket', async () => {
  const kernel = new FakeKernel();
  mountCgroups(kernel, '/sys/fs/cgroup', { controllers: '' });
  kernel.processes.add({ pid: 2500 });
  const { op } = host();
  kernel.use();
  const error = await failure(kernel, () => startScope(op, undefined, 2500));
  assert.is(error.message, 'connect to systemd: ENOENT (no such file or directory)');
  assert.match(error.hint ?? '', /systemd does not run here/);
});

test('endUnit stops and resets the unit; an unknown unit is not an error', async () => {
  const { kernel, systemd, op } = host();
  await kernel.finish(startScope(op, undefined, 2500));
  systemd.calls.length = 0;
  await kernel.finish(endUnit({ name: unit }));
  await kernel.finish(endUnit({ name: unit }));
  assert.equal(
    systemd.calls,
    [1, 2].flatMap(() => [`StopUnit ${unit} replace`, `ResetFailedUnit ${unit}`]),
  );
});

test('endUnit turns an error of systemd into a warning, because the container is removed anyway', async () => {
  const { kernel, systemd } = host();
  systemd.instead = () => ({ error: 'org.freedesktop.DBus.Error.AccessDenied', text: 'no' });
  const warnings: string[] = [];
  await kernel.finish(endUnit({ name: unit }, (sentence) => warnings.push(sentence)));
  assert.equal(warnings, [
    `stop the unit ${unit} of the removed container: systemd: StopUnit: no (org.freedesktop.DBus.Error.AccessDenied)`,
  ]);
});

test('delete stops the unit before it removes the cgroup, which it also removes without systemd', async () => {
  for (const runs of [true, false]) {
    const cgroups = [`${slice}/${unit}`];
    const c = new FakeContainer({ status: 'stopped', record: { cgroups, unit: { name: unit } } });
    c.kernel.tree.directory(cgroups[0]!);
    const order: string[] = [];
    if (runs) {
      const systemd = new FakeSystemd(c.kernel);
      systemd.units.set(unit, new Map());
      systemd.instead = (member) => {
        order.push(`${member} with its cgroup: ${c.kernel.tree.at(cgroups[0]!) !== undefined}`);
        return undefined;
      };
    }
    await c.run(() => remove({ ...c.options, force: false }));
    assert.equal(order, runs ? ['StopUnit with its cgroup: true', 'ResetFailedUnit with its cgroup: true'] : []);
    assert.equal([c.kernel.tree.at(cgroups[0]!), c.kernel.tree.list(c.root)], [undefined, []]);
    assert.is(c.warnings.length, runs ? 0 : 1);
  }
});

test('after any failed call delete has stopped the unit or says so, and delete --force removes the rest', async () => {
  const path = `${slice}/${unit}`;
  const systemds = new Map<FakeContainer, FakeSystemd>();
  const make = (): FakeContainer => {
    const record = { cgroups: [path], unit: { name: unit }, pidNamespace: false };
    const c = new FakeContainer({ status: 'running', record });
    const cgroup = c.kernel.tree.directory(path);
    c.process?.cgroups.set(cgroup.fs, cgroup);
    const systemd = new FakeSystemd(c.kernel);
    systemd.units.set(unit, new Map());
    systemds.set(c, systemd);
    return c;
  };
  const outcomes = await eachFailure(make, (c) => remove({ ...c.options, force: true }));
  assert.ok(outcomes.length > 40, `${outcomes.length} calls`);
  for (const { container: c, call, error, leftOpen } of outcomes) {
    assert.equal(leftOpen, [], call);
    if (error !== undefined && !(error instanceof RuntError)) throw error;
    const stopped = !systemds.get(c)?.units.has(unit);
    assert.ok(stopped || error !== undefined || c.warnings.length > 0, call);
    await c.run(() => remove({ ...c.options, force: true }));
    assert.equal([c.kernel.tree.at(path), c.left.filter((each) => !each.startsWith('/'))], [undefined, []], call);
  }
});

test('a placeholder process holds the scope until it is ended', async () => {
  const { kernel } = host();
  const before = kernel.open;
  scriptInit(kernel, []);
  const placeholder = await Placeholder.start();
  const cgroup = kernel.tree.directory('/sys/fs/cgroup/web');
  placeholder.moveTo({ op: 'cgroupCreate', at: '', path: cgroup.path });
  assert.is(kernel.processes.get(placeholder.pid)?.cgroups.get(cgroup.fs), cgroup);
  assert.not.ok(placeholder.hasEnded());
  await kernel.finish(placeholder.end());
  assert.equal([kernel.processes.get(placeholder.pid), kernel.open], [undefined, before]);
  const failure = async (): Promise<string> =>
    Placeholder.start().then(
      () => 'started',
      (error: Error) => error.message,
    );
  kernel.failAt('spawnInit', 1, E.EAGAIN);
  assert.match(await failure(), /start a process for the scope: EAGAIN/);
  kernel.failAt('socketPair', 1, E.EMFILE);
  assert.match(await failure(), /start a process for the scope: EMFILE/);
  assert.equal(kernel.open, before);
});

test('attach lets systemd move a process into a cgroup that this process may not write', async () => {
  const { kernel, systemd } = host();
  await kernel.finish(attachProcess({ name: unit }, `/system.slice/${unit}/inner`, 2500));
  assert.equal(systemd.calls, [`AttachProcessesToUnit ${unit} /inner`]);
  kernel.tree.directory('/sys/fs/cgroup/system.slice');
  assert.is(mayMoveInto(`/sys/fs/cgroup/system.slice/${unit}`), true);
  kernel.on('access', () => -E.EACCES);
  assert.is(mayMoveInto(`/sys/fs/cgroup/system.slice/${unit}`), false);
});

test('userManager finds none for root of the host, else that of the session, or returns the reason', async () => {
  const { kernel } = host();
  assert.is(await kernel.finish(userManager()), undefined);
  kernel.tree.at('/run/systemd')!.uid = 65534;
  const missing = await kernel.finish(userManager());
  assert.ok(missing instanceof RuntError && missing.code === 'ERR_SYSTEMD');
  const user = new FakeKernel({ env: { XDG_RUNTIME_DIR: '/run/user/1000' } });
  user.tree.directory('/run/systemd').uid = 65534;
  new FakeSystemd(user, slice, '/run/user/1000/bus');
  const found = await user.finish(userManager());
  assert.equal(found, { cgroup: '/user.slice/user@1000.service', bus: { path: '/run/user/1000/bus', daemon: true } });
});

test.run();
