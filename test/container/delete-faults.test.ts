/** `delete` with each of its calls failing: the next delete removes what it left. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { remove } from '../../src/container/delete.js';
import { RuntError } from '../../src/sys/error.js';
import { eachFailure, FakeContainer } from './fake-container.js';

const test = suite('faults of delete');

const del = (c: FakeContainer, force = false) => remove({ ...c.options, force });

for (const layout of ['v2', 'v1'] as const) {
  test(`${layout}: whichever call fails, delete --force removes the rest afterwards`, async () => {
    const make = () => new FakeContainer({ layout, status: 'running', record: { pidNamespace: false } });
    const outcomes = await eachFailure(make, (c) => del(c, true));
    assert.ok(outcomes.length > 30, `${outcomes.length} calls`);
    for (const { container: c, call, error, leftOpen } of outcomes) {
      assert.equal(leftOpen, [], call);
      if (error !== undefined && !(error instanceof RuntError)) throw error;
      if (error === undefined) assert.equal(c.left, [], call);
      await c.run(() => del(c, true));
      assert.equal(c.left, [], call);
    }
  });
}

test('whichever call fails, the poststop hooks run once, or a warning says why they did not', async () => {
  const runs = new Map<FakeContainer, number>();
  const make = (): FakeContainer => {
    const supervisor = { pid: 2400, startTime: '3400' };
    const c = new FakeContainer({
      status: 'stopped',
      record: { supervisor, hooks: { poststop: [{ path: '/hook' }] } },
    });
    const process = c.kernel.processes.add({ pid: 2400 });
    c.kernel.clock.after(10, () => process.exit(0));
    c.kernel.processes.programs.set('/hook', (child) => {
      runs.set(c, (runs.get(c) ?? 0) + 1);
      child.process.exit(0);
      return undefined;
    });
    return c;
  };
  const outcomes = await eachFailure(make, (c) => del(c));
  assert.ok(outcomes.length > 40, `${outcomes.length} calls`);
  for (const { container: c, call, error, leftOpen } of outcomes) {
    assert.equal(leftOpen, [], call);
    if (error !== undefined && !(error instanceof RuntError)) throw error;
    await c.run(() => del(c, true));
    assert.equal([c.left, c.kernel.tree.list(`${c.root}/.deleted`)], [[], []], call);
    if (!c.warnings.some((text) => text.includes('hook'))) assert.is(runs.get(c), 1, call);
  }
});

test.run();
