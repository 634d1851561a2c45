/** Poststop hooks: their record stays beside the containers until they have run, once. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runPoststop, storeForPoststop } from '../../../src/container/hooks/poststop-hooks.js';
import type { ContainerRecord } from '../../../src/container/state/state-store.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { eachFailure, FakeContainer, told } from '../fake-container.js';

const test = suite('poststop hooks');

const hooks = { poststop: [{ path: '/first' }, { path: '/second' }] };

/** A container with two poststop hooks; `ran` lists those that have run. */
function withHooks(statuses: Readonly<Record<string, number>> = {}): { c: FakeContainer; ran: string[] } {
  const c = new FakeContainer({ status: 'stopped', record: { hooks } });
  const ran: string[] = [];
  for (const path of ['/first', '/second']) {
    c.kernel.processes.programs.set(path, ({ process }) => {
      ran.push(path);
      process.exit(statuses[path] ?? 0);
      return 0;
    });
  }
  return { c, ran };
}

const keep = (c: FakeContainer, record: ContainerRecord = c.record) =>
  storeForPoststop('delete', c.root, record, c.warn);
const run = (c: FakeContainer) => runPoststop('delete', c.root, 'web', c.warn);
const kept = (c: FakeContainer) => c.kernel.tree.list(`${c.root}/.deleted`);

test('poststop hooks run once, in order, and then their record is removed', async () => {
  const { c, ran } = withHooks();
  await c.run(() => keep(c));
  assert.equal(kept(c), ['web']);
  assert.is(await c.run(() => run(c)), true);
  assert.is(await c.run(() => run(c)), false);
  assert.equal([ran, kept(c), c.warnings, c.kernel.open], [['/first', '/second'], [], [], [c.root]]);
});

test('a failed hook causes a warning, and the next one runs', async () => {
  const { c, ran } = withHooks({ '/first': 5 });
  await c.run(() => keep(c));
  await c.run(() => run(c));
  assert.equal(ran, ['/first', '/second']);
  assert.equal(c.warnings, ['delete web: error running poststop hook #0: /first: exit status 5 after 0 ms']);
});

test('without a record no hook runs, with or without a state root', async () => {
  const c = new FakeContainer();
  assert.is(await c.run(() => run(c)), false);
  assert.is(await c.run(() => runPoststop('delete', `${c.root}-none`, 'web', c.warn)), false);
});

test('hooks whose record another delete has locked are left to that delete', async () => {
  const { c, ran } = withHooks();
  await c.run(() => keep(c));
  c.kernel.tree.directory(`${c.root}/.deleted/web`).lock = true;
  const began = c.kernel.clock.now;
  assert.is(await c.run(() => run(c)), false);
  const waited = c.kernel.clock.now - began;
  assert.ok(waited >= 1000 && waited < 1100, `${waited} ms`);
  assert.equal([ran, kept(c), c.kernel.open], [[], ['web'], [c.root]]);
});

test('hooks of an earlier container with the same id, whose delete was killed, run first', async () => {
  const { c, ran } = withHooks();
  await c.run(() => keep(c, { ...c.record, created: '2025-01-01T00:00:00Z' }));
  await c.run(() => keep(c));
  assert.equal([ran.length, kept(c)], [2, ['web']]);
  // The same record again, as from a delete that was killed right after it wrote it.
  await c.run(() => keep(c));
  assert.equal([ran.length, kept(c)], [2, ['web']]);
});

test('a damaged record causes a warning that names it, and is removed', async () => {
  const { c, ran } = withHooks();
  await c.run(() => keep(c));
  const file = `${c.root}/.deleted/web/state.json`;
  c.kernel.tree.file(file, '{');
  assert.is(await c.run(() => run(c)), true);
  assert.match(
    c.short(c.warnings[0]!),
    /^the poststop hooks of web were lost: ~\/\.deleted\/web\/state\.json: the state/,
  );
  assert.equal([ran, kept(c)], [[], []]);
});

test('a record that another user may have written is not used', async () => {
  const { c, ran } = withHooks();
  await c.run(() => keep(c));
  c.kernel.tree.at(`${c.root}/.deleted/web/state.json`)!.uid = 1000;
  await c.run(() => run(c));
  assert.match(c.warnings[0]!, /it belongs to user 1000$/);
  assert.equal(ran, []);
  await c.run(() => keep(c));
  c.kernel.tree.directory(`${c.root}/.deleted`).mode = 0o40777;
  const error = await c.failure(() => run(c));
  assert.is(error.code, 'ERR_STATE_UNSAFE');
});

test('a record that cannot be read is an error, and the hooks are not lost', async () => {
  const { c } = withHooks();
  await c.run(() => keep(c));
  c.kernel.failAt('read', 1, E.EIO);
  const error = await c.failure(() => run(c));
  assert.is(told(c, error), 'ERR_STATE read the poststop hooks ~/.deleted/web: EIO (input/output error)');
  assert.equal([kept(c), c.kernel.open], [['web'], [c.root]]);
});

test('a record that cannot be removed causes a warning, and the hooks run again', async () => {
  const { c, ran } = withHooks();
  await c.run(() => keep(c));
  c.kernel.failAt('removeTree', 1, E.EROFS);
  assert.is(await c.run(() => run(c)), true);
  assert.equal(
    c.warnings.map((text) => c.short(text)),
    [
      'delete web: remove the poststop hooks ~/.deleted/web: EROFS (read-only file system); the next delete of web runs them again',
    ],
  );
  await c.run(() => run(c));
  assert.equal([ran.length, kept(c)], [4, []]);
});

test('whichever call fails, the hooks have run or their record exists, and no descriptor leaks', async () => {
  const runs = new Map<FakeContainer, string[]>();
  const make = () => {
    const { c, ran } = withHooks();
    runs.set(c, ran);
    return c;
  };
  const outcomes = await eachFailure(make, async (c) => {
    await keep(c);
    await run(c);
  });
  assert.ok(outcomes.length > 20, `${outcomes.length} calls`);
  for (const { container: c, call, error, leftOpen } of outcomes) {
    assert.equal(leftOpen, [], call);
    if (error !== undefined && !(error instanceof RuntError)) throw error;
    // If the record could not be written, the container still exists.
    if (error === undefined && c.warnings.length === 0) assert.equal(runs.get(c), ['/first', '/second'], call);
  }
});

test.run();
