/** `delete --force` with an unusable state: it kills what the state still identifies, and no other process. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { remove } from '../../../src/container/delete.js';
import { RuntError } from '../../../src/sys/error.js';
import { SIGKILL } from '../../../src/sys/linux.js';
import { eachFailure, FakeContainer, told } from '../fake-container.js';

const test = suite('salvage');

const del = (c: FakeContainer) => remove({ ...c.options, force: true });

/** A container whose complete state.json was changed by this function. */
function damaged(
  damage: (text: string) => string,
  o: ConstructorParameters<typeof FakeContainer>[0] = { status: 'running' },
): FakeContainer {
  const c = new FakeContainer(o);
  const path = `${c.directory}/state.json`;
  c.kernel.tree.file(path, damage(c.kernel.tree.text(path)));
  return c;
}

const config = (c: FakeContainer, cgroupsPath?: string): void =>
  void c.kernel.tree.file(
    `${c.directory}/config.json`,
    JSON.stringify({ linux: cgroupsPath === undefined ? {} : { cgroupsPath } }),
  );

test('without --force a damaged state is an error that says how to remove it', async () => {
  const c = damaged((text) => text.slice(0, -3));
  const error = await c.failure(() => remove({ ...c.options, force: false }));
  assert.equal([error.code, c.process?.signals], ['ERR_STATE_CORRUPT', []]);
  assert.match(error.hint ?? '', /"runt delete --force web"/);
});

test('a record that is cut after its process and cgroups still ends both', async () => {
  for (const layout of ['v2', 'v1'] as const) {
    const c = damaged((text) => text.slice(0, -3), { layout, status: 'running' });
    const child = c.addProcess(2600);
    await c.run(() => del(c));
    assert.equal([c.process?.signals.includes(SIGKILL), child.signals.includes(SIGKILL)], [true, true]);
    assert.equal([c.left, c.kernel.open], [[], [c.root]]);
  }
});

test('delete --force removes a record of a newer runt, with its process', async () => {
  const c = damaged((text) => text.replace('"version":1', '"version":2'));
  await c.run(() => del(c));
  assert.equal([c.process?.signals, c.left], [[SIGKILL], []]);
});

test("if the list of cgroups is cut, those of the process with the container's name are removed", async () => {
  const c = damaged((text) => text.slice(0, text.indexOf('"cgroups"')));
  config(c, '/web');
  await c.run(() => del(c));
  assert.equal([c.process?.signals, c.left], [[SIGKILL], []]);
});

test("with an empty record, the cgroup of the config that has the container's name is killed, with a warning", async () => {
  for (const layout of ['v2', 'v1'] as const) {
    const c = damaged(() => '', { layout, status: 'running' });
    config(c, '/web');
    await c.run(() => del(c));
    assert.equal([c.process?.signals.includes(SIGKILL), c.left], [true, []]);
    assert.match(c.warnings[0]!, /it names no process: runt killed what was in its cgroup$/);
  }
});

test('an empty record of a container that was never started is removed with a warning', async () => {
  const c = damaged(() => '', { layout: 'v2', status: 'stopped' });
  c.kernel.tree.directory('/sys/fs/cgroup').entries?.delete('web');
  await c.run(() => del(c));
  assert.equal(c.left, []);
  assert.match(c.warnings[0]!, /runt killed nothing$/);
});

test('a cgroup with another name that holds processes is left alone, and so is the state', async () => {
  const c = damaged(() => '');
  const unrelated = c.kernel.processes.add({
    pid: 2700,
    cgroups: [c.kernel.tree.directory('/sys/fs/cgroup/system')],
  });
  config(c, '/system');
  const error = await c.failure(() => del(c));
  assert.is(
    told(c, error),
    'ERR_STATE_CORRUPT delete web: its state names no process, and the processes in the cgroup /sys/fs/cgroup/system may belong to it, but the name of the cgroup does not have its id',
  );
  assert.equal([unrelated.signals, c.left.includes('~/web')], [[], true]);
});

test('a cgroup that contains this command is left alone', async () => {
  const c = damaged(() => '');
  config(c, '/web');
  const inside = c.kernel.tree.directory('/sys/fs/cgroup/web/runt');
  c.kernel.processes.own.cgroups.set(inside.fs, inside);
  const error = await c.failure(() => del(c));
  assert.match(error.message, /this command runs in it too$/);
  assert.equal(c.process?.signals, []);
});

test('with a damaged config too, nothing is killed, because the cgroup is unknown', async () => {
  for (const text of ['{', '{"linux":{"cgroupsPath":5}}']) {
    const c = damaged(() => '');
    c.kernel.tree.file(`${c.directory}/config.json`, text);
    const error = await c.failure(() => del(c));
    assert.match(error.message, /its config.json cannot be used either, so that its cgroup is unknown$/);
    assert.is(error.hint && c.short(error.hint), 'kill what runs of the container, then remove ~/web');
  }
});

test('with a relative path, a process in another cgroup of that name may be the container', async () => {
  const c = damaged(() => '', { status: 'stopped' });
  config(c);
  c.kernel.processes.add({ pid: 2700, cgroups: [c.kernel.tree.directory('/sys/fs/cgroup/session/web')] });
  const error = await c.failure(() => del(c));
  assert.match(error.message, /process 2700 in the cgroup \/session\/web may belong to it$/);
  c.kernel.processes.get(2700)?.exit(0);
  await c.run(() => del(c));
  assert.equal(c.left, []);
});

test('another container below the cgroup is not killed with it', async () => {
  const c = damaged(() => '');
  config(c, '/web');
  c.addContainer('inner', { cgroups: ['/sys/fs/cgroup/web/inner'] });
  const error = await c.failure(() => del(c));
  assert.equal([error.code, c.process?.signals], ['ERR_CGROUP_BUSY', []]);
});

test('whichever call fails, delete --force removes the rest afterwards', async () => {
  const make = () => {
    const c = damaged((text) => text.slice(0, text.indexOf('"cgroups"')));
    config(c, '/web');
    return c;
  };
  const outcomes = await eachFailure(make, (c) => del(c));
  assert.ok(outcomes.length > 40, `${outcomes.length} calls`);
  for (const { container: c, call, error, leftOpen } of outcomes) {
    assert.equal(leftOpen, [], call);
    if (error !== undefined && !(error instanceof RuntError)) throw error;
    if (error === undefined) assert.equal(c.left, [], call);
    await c.run(() => del(c));
    assert.equal(c.left, [], call);
  }
});

test.run();
