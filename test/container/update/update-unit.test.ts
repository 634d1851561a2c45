/** `update` of a container in a scope: both the kernel and systemd get the new values, or neither does. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadRecord } from '../../../src/container/state/state-store.js';
import { update } from '../../../src/container/update/update.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { FakeSystemd } from '../../cgroup/systemd/fake-systemd.js';
import { eachFailure, FakeContainer, told } from '../fake-container.js';

const test = suite('update of a unit');

const unit = 'web.scope';
const path = `/sys/fs/cgroup/system.slice/${unit}`;

/** A container in a scope with limits, and its systemd. */
function inScope(unsettled = false): { c: FakeContainer; systemd: FakeSystemd } {
  const c = new FakeContainer({
    status: 'running',
    files: {
      'cgroup.controllers': 'cpu memory pids\n',
      'cgroup.subtree_control': 'cpu memory pids\n',
      'memory.max': '5000\n',
      'memory.current': '1000\n',
      'pids.max': 'max\n',
    },
    record: { cgroups: [path], unit: { name: unit, ...(unsettled && { unsettled }) } },
  });
  const cgroup = c.kernel.tree.directory(path);
  c.process?.cgroups.set(cgroup.fs, cgroup);
  return { c, systemd: new FakeSystemd(c.kernel) };
}

const change = (c: FakeContainer): Promise<void> =>
  update({ ...c.options, resources: '{"memory":{"limit":4000},"pids":{"limit":10}}', document: 'limits.json' });

const values = (c: FakeContainer) =>
  ['memory.max', 'pids.max'].map((name) => c.kernel.tree.text(`${path}/${name}`).trim());

test('update writes the values to the files and sets the properties in systemd', async () => {
  const { c, systemd } = inScope();
  await c.run(() => change(c));
  assert.equal(values(c), ['4000', '10']);
  const properties = systemd.units.get(unit);
  assert.equal([properties?.get('MemoryMax'), properties?.get('TasksMax')], [4000n, 10n]);
  assert.equal([loadRecord(c.root, 'web').unit, c.kernel.open], [{ name: unit }, [c.root]]);
});

test('values that systemd rounds or resets are written again exactly', async () => {
  const { c, systemd } = inScope();
  systemd.instead = (member) => {
    // A limit rounded to pages, and one reset to its default.
    if (member === 'Get') {
      c.kernel.tree.file(`${path}/memory.max`, '0\n');
      c.kernel.tree.file(`${path}/pids.max`, '0\n');
    }
    return undefined;
  };
  const resources = '{"memory":{"limit":4000}}';
  await c.run(() => update({ ...c.options, resources, document: 'limits.json' }));
  assert.equal(values(c), ['4000', 'max']);
});

test('if systemd refuses, the files get their old values, and the error says so', async () => {
  const { c, systemd } = inScope();
  const refusal = { error: 'org.freedesktop.DBus.Error.InvalidArgs', text: 'no' } as const;
  systemd.instead = (member) => (member === 'SetUnitProperties' ? refusal : undefined);
  const error = await c.failure(() => change(c));
  assert.is(told(c, error), 'ERR_SYSTEMD systemd: SetUnitProperties: no (org.freedesktop.DBus.Error.InvalidArgs)');
  assert.match(error.hint ?? '', /no limit was changed$/);
  assert.equal([values(c), loadRecord(c.root, 'web').unit], [['5000', 'max'], { name: unit }]);
});

test('if systemd does not answer, the record is marked unsettled, and the next update sets all values', async () => {
  const { c, systemd } = inScope();
  systemd.instead = (member) => (member === 'SetUnitProperties' ? 'silence' : undefined);
  const error = await c.failure(() => change(c));
  assert.match(
    error.hint ?? '',
    /repeat the update, because systemd may still apply the values of this one; no limit was changed/,
  );
  assert.equal([values(c), loadRecord(c.root, 'web').unit], [['5000', 'max'], { name: unit, unsettled: true }]);
  systemd.instead = () => undefined;
  await c.run(() => update({ ...c.options, resources: '{"pids":{"limit":10}}', document: 'limits.json' }));
  // All of its values, as in the files.
  assert.is(systemd.units.get(unit)?.get('MemoryMax'), 5000n);
  assert.equal(loadRecord(c.root, 'web').unit, { name: unit });
});

test('a value that the kernel refuses is not sent to systemd', async () => {
  const { c, systemd } = inScope();
  c.kernel.tree.at(`${path}/pids.max`)!.hooks = { read: () => 'max\n', write: () => -E.EINVAL };
  const error = await c.failure(() => change(c));
  assert.equal([error.code, error.pointer, values(c)], ['ERR_CGROUP', '/pids/limit', ['5000', 'max']]);
  assert.equal(systemd.calls, []);
});

test('a file that refuses its old value is named', async () => {
  const { c, systemd } = inScope();
  let text = 'max\n';
  const write = (next: string) => {
    if (next.trim() === 'max') return -E.EBUSY;
    text = next;
    return 0;
  };
  c.kernel.tree.at(`${path}/pids.max`)!.hooks = { read: () => text, write };
  systemd.instead = (member) => (member === 'SetUnitProperties' ? { error: 'org.example.No' } : undefined);
  const error = await c.failure(() => change(c));
  assert.match(
    error.hint ?? '',
    /could not restore the old values of \/sys\/fs\/cgroup\/system.slice\/web.scope\/pids.max$/,
  );
});

test('whichever call fails, all values are new or all are old', async () => {
  const outcomes = await eachFailure(
    () => inScope().c,
    (c) => change(c),
  );
  assert.ok(outcomes.length > 40, `${outcomes.length} calls`);
  for (const { container: c, call, error, leftOpen } of outcomes) {
    assert.equal(leftOpen, [], call);
    if (error !== undefined && !(error instanceof RuntError)) throw error;
    assert.equal(values(c), error === undefined ? ['4000', '10'] : ['5000', 'max'], call);
  }
});

test.run();
