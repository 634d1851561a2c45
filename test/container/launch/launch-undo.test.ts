/** The undo of a launch: it removes only what the launch made. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startScope } from '../../../src/container/cgroups/systemd-unit.js';
import { Launch } from '../../../src/container/launch/launch.js';
import { FakeSystemd } from '../../cgroup/systemd/fake-systemd.js';
import { mountCgroups } from '../../sys/fake-host/cgroups.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import { recordOf } from '../state/records.js';
import { config } from './bundle-host.js';

const test = suite('undo of a launch');

const unit = 'web.scope';

/** Undoes a launch of a container in a unit. @returns the units of systemd afterwards */
async function undone(unitStarted: boolean): Promise<string[]> {
  const kernel = new FakeKernel();
  mountCgroups(kernel, '/sys/fs/cgroup', { controllers: '' });
  const systemd = new FakeSystemd(kernel);
  kernel.processes.add({ pid: 2500 });
  const path = `/sys/fs/cgroup/system.slice/${unit}`;
  const scope = { op: 'systemdScope', at: '', path, unit, properties: [], optional: [] } as const;
  await kernel.finish(startScope(scope, undefined, 2500));
  const launch = new Launch({
    command: 'create',
    root: kernel.root,
    record: recordOf('web', { unit: { name: unit } }),
    spec: config(),
    facts: {} as never,
    plan: { version: 1, ops: [] },
    trace: false,
    preserveFds: 0,
    oomFile: '',
  });
  launch.resources.unitStarted = unitStarted;
  await kernel.finish(launch.undo());
  return [...systemd.units.keys()];
}

test('the undo stops the unit only if the launch started it', async () => {
  assert.equal([await undone(true), await undone(false)], [[], [unit]]);
});

test.run();
