/** Errors of a start: the failed operation, the status of the container, a frozen cgroup. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  closedConnectionError,
  execError,
  notStartedError,
  startedBeforeError,
} from '../../../src/container/failure/start-failure.js';
import { makeStateDir } from '../../../src/container/state/claim-id.js';
import { storedOp, storePlanRest } from '../../../src/container/state/plan-rest.js';
import { storeConfig } from '../../../src/container/state/stored-files.js';
import type { Op } from '../../../src/plan/plan-ops.js';
import { E } from '../../../src/sys/errno.js';
import { PF_EXITING } from '../../../src/sys/linux.js';
import { mountCgroups } from '../../sys/fake-host/cgroups.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import { recordOf } from '../state/records.js';

const test = suite('failures of start');

const wait: Op = { op: 'wait', at: '' };
const exec = (args: readonly string[]): Op => ({ op: 'exec', at: '/process/args', args, env: [], homeOfNamed: false });
const report = { index: 1, errno: E.ENOENT, syscall: 'execve', detail: '/bin/app' };

/** A container whose plan ends with this operation. */
function container(last?: Op, config?: string): FakeKernel {
  const kernel = new FakeKernel();
  makeStateDir(kernel.root, 'web');
  if (last) storePlanRest(kernel.root, 'web', { version: 1, ops: [wait, last] });
  if (config !== undefined) storeConfig(kernel.root, 'web', new TextEncoder().encode(config));
  return kernel;
}

test('the failed operation of plan-rest.json is named, with its config value', () => {
  const config = JSON.stringify({ ociVersion: '1.2.0', process: { args: ['/bin/app'] } });
  const { root } = container(exec(['/bin/app']), config);
  const error = execError(root, recordOf('web'), report);
  assert.equal([error.code, error.pointer, error.value], ['ERR_EXEC', '/process/args', ['/bin/app']]);
  assert.match(error.message, /^start web: .*\/bin\/app.*: ENOENT/);
});

test('a config that is no longer readable does not hide the error', () => {
  const { root } = container(exec(['/bin/app']), 'no JSON');
  const error = execError(root, recordOf('web'), report);
  assert.equal([error.code, error.value], ['ERR_EXEC', undefined]);
});

test('without plan-rest.json the report is the error; a config without a process has its own error', () => {
  const old = execError(container().root, recordOf('web'), report);
  assert.is(old.message, 'start web: execute the process (/bin/app): ENOENT (no such file or directory)');
  const none = execError(container(exec([])).root, recordOf('web'), report);
  assert.equal([none.code, none.pointer], ['ERR_SPEC_INVALID', '/process']);
});

test('plan-rest.json has only fields that messages show, and no operations of the runtime', () => {
  const env = ['SECRET=1'];
  const hook = (index: number): Op => ({
    ...{ op: 'hook', at: '/hooks/startContainer/0', point: 'startContainer', index, path: '/h', args: ['/h'], env },
    ...{ beforePid: '{"ociVersion":"1.2.0"', afterPid: '}', inside: true },
  });
  const { root, tree } = new FakeKernel();
  makeStateDir(root, 'web');
  const poststop: Op = { op: 'hostHook', at: '', point: 'poststop', index: 0, path: '/h', args: [] };
  storePlanRest(root, 'web', { version: 1, ops: [wait, hook(0), { ...exec(['/app']), env } as Op, poststop] });
  const kept = new TextDecoder().decode(tree.at(`${root}/web/plan-rest.json`)?.data);
  assert.not.match(kept, /SECRET|ociVersion|hostHook/);
  assert.equal(
    [storedOp(root, 'web', 1)?.op.op, storedOp(root, 'web', 2)?.op.op, storedOp(root, 'web', 3)],
    ['hook', 'exec', undefined],
  );
});

test('notStarted names the status of the container', () => {
  container();
  const record = recordOf('web');
  const message = (status: string): string => notStartedError(record, status).message;
  assert.is(message('stopped'), 'cannot start a container that has stopped: web');
  assert.is(message('running'), 'cannot start an already running container: web');
  assert.is(message('creating'), 'cannot start a container in the creating state: web');
  assert.is(message('created'), 'cannot start a container in the created state: web');
});

test('a frozen cgroup above the container is named', () => {
  const kernel = container();
  mountCgroups(kernel, '/sys/fs/cgroup', { controllers: '' });
  kernel.tree.directory('/sys/fs/cgroup/pod/web');
  const record = recordOf('web', { cgroups: ['/sys/fs/cgroup/pod/web'] });
  kernel.tree.at('/sys/fs/cgroup/pod/cgroup.freeze')?.hooks.write?.('1');
  const error = notStartedError(record, 'created');
  assert.equal([error.code, /^start web: the cgroup is frozen/.test(error.message)], ['ERR_CGROUP', true]);
});

test('if runt-init closes the connection without a report, the cause is another start or its end', async () => {
  const kernel = container();
  const process = kernel.processes.add({ pid: 2500, name: 'sh' });
  const other = await kernel.finish(closedConnectionError(kernel.root, recordOf('web')));
  assert.is(other.message, 'cannot start an already running container: web');
  process.name = 'runt/init';
  kernel.tree.socket(`${kernel.root}/web/start.sock`);
  const starting = await kernel.finish(startedBeforeError(kernel.root, recordOf('web')));
  assert.is(starting.message, 'cannot start a container in the starting state: web');
  kernel.clock.after(100, () => process.exit(0));
  const killed = await kernel.finish(closedConnectionError(kernel.root, recordOf('web')));
  assert.equal(
    [killed.code, killed.message],
    ['ERR_INIT_DIED', 'start web: runt-init ended before it executed the process'],
  );
  assert.equal(kernel.open, [kernel.root]);
});

test('a process that was killed, and ends slowly, has stopped for a start', async () => {
  for (const [errorOf, expected] of [
    [startedBeforeError, 'cannot start a container that has stopped: web'],
    [closedConnectionError, 'start web: runt-init ended before it executed the process'],
  ] as const) {
    const kernel = container();
    const process = kernel.processes.add({ pid: 2500, name: 'runt/init' });
    kernel.tree.socket(`${kernel.root}/web/start.sock`);
    process.flags = PF_EXITING;
    kernel.clock.after(5000, () => process.exit(0));
    assert.is((await kernel.finish(errorOf(kernel.root, recordOf('web')))).message, expected);
  }
});

test.run();
