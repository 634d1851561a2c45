/** Further calls of the task service on the fake host: Pause, Update, Stats, Connect, Checkpoint, Shutdown, OOM. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { cgroup2, runcOptions } from '../../../src/shim/transport/protos.js';
import { E } from '../../../src/sys/errno.js';
import { callWith } from '../call-facts.js';
import { TaskHost } from './task-host.js';

const test = suite('task service calls');

async function running(host = new TaskHost()): Promise<TaskHost> {
  const made = await host.call('Create', { bundle: '/b' });
  if (typeof made === 'string') throw new Error(made);
  host.answerStart();
  await host.call('Start');
  return host;
}

async function over(host: TaskHost): Promise<void> {
  host.main.process.exit(0);
  await host.settle();
  await host.call('Delete');
  assert.equal(host.left, []);
}

const statusOf = async (host: TaskHost): Promise<unknown> => ((await host.call('State')) as { status: number }).status;

test('Pause and Resume freeze and thaw the cgroup, change the State, and publish both', async () => {
  const host = await running();
  assert.equal(await host.call('Pause'), {});
  assert.is(host.kernel.tree.text('/sys/fs/cgroup/web/cgroup.freeze'), '1\n');
  assert.is(await statusOf(host), 4);
  assert.equal(await host.call('Resume'), {});
  assert.is(await statusOf(host), 2);
  assert.equal(host.publisher.told.slice(2), ['/tasks/paused {}', '/tasks/resumed {}']);
  await over(host);
});

test('a failed Pause publishes nothing and leaves the container running', async () => {
  const host = await running();
  const freeze = host.kernel.tree.at('/sys/fs/cgroup/web/cgroup.freeze');
  const { hooks } = freeze!;
  freeze!.hooks = { ...hooks, write: () => -E.EIO };
  assert.match(String(await host.call('Pause')), /EIO/);
  freeze!.hooks = hooks;
  assert.is(await statusOf(host), 2);
  assert.is(host.publisher.told.length, 2);
  await over(host);
});

test('Update writes limits; resources that are not JSON are INVALID_ARGUMENT', async () => {
  const host = await running();
  const resources = (text: string) => ({ resources: { type_url: 'r', value: new TextEncoder().encode(text) } });
  assert.equal(await host.call('Update', resources('{"pids":{"limit":7}}')), {});
  const limit = () => host.kernel.tree.text('/sys/fs/cgroup/web/pids.max').trim();
  assert.is(limit(), '7');
  assert.match(String(await host.call('Update', resources('{'))), /^3 /);
  const annotated = (name: string) =>
    host.call('Update', { ...resources('{"pids":{"limit":9}}'), annotations: { [name]: 'x' } });
  assert.match(
    String(await annotated('org.systemd.property.CPUWeight')),
    /^3 Update cannot apply the annotation org.systemd.property.CPUWeight: set it when the container is created/,
  );
  assert.is(limit(), '7');
  assert.equal(await annotated('io.kubernetes.pod'), {});
  assert.is(limit(), '9');
  assert.match(String(await host.call('Update', { id: 'none' })), /^5 container none does not exist/);
  await over(host);
});

test('Stats returns the metrics of cgroup v2', async () => {
  const host = await running();
  host.kernel.tree.file('/sys/fs/cgroup/web/pids.current', '3\n');
  const answer = await host.call('Stats');
  if (typeof answer === 'string') throw new Error(answer);
  const { type_url, value } = (answer as { stats: { type_url: string; value: Uint8Array } }).stats;
  assert.is(type_url, 'io.containerd.cgroups.v2.Metrics');
  assert.equal({ ...cgroup2.Metrics.decode(value).pids }, { current: 3, limit: 100 });
  await over(host);
});

test('Connect returns the pids of the shim and of the task', async () => {
  const host = await running();
  const { shimPid, taskPid } = (await host.call('Connect')) as { shimPid: number; taskPid: number };
  assert.equal([shimPid, taskPid], [host.kernel.processes.own.pid, host.main.process.pid]);
  const other = (await host.call('Connect', { id: 'none' })) as { shimPid: number; taskPid?: number };
  assert.equal([other.shimPid, other.taskPid ?? 0], [host.kernel.processes.own.pid, 0]);
  await over(host);
});

test('Shutdown ends the server only if no container is left', async () => {
  const host = await running();
  await host.call('Shutdown');
  assert.is(host.shutdowns, 0);
  await over(host);
  await host.call('Shutdown');
  assert.is(host.shutdowns, 1);
});

test('Checkpoint refuses unsupported options, paths and namespaces', async () => {
  const host = await running();
  const options = (value: runcOptions.CheckpointOptions.$Properties) => ({
    options: {
      type_url: 'containerd.runc.v1.CheckpointOptions',
      value: runcOptions.CheckpointOptions.encode(value).finish(),
    },
  });
  for (const [request, answer] of [
    [{}, '3 the path of the images is missing'],
    [{ path: 'images' }, '3 the path of the images is not an absolute path: images'],
    [{ path: '/i', ...options({ workPath: 'w' }) }, '3 work_path is not an absolute path: w'],
    [{ path: '/i', ...options({ cgroupsMode: 'x' }) }, '3 cgroups_mode is one of soft, full, strict, ignore, not x'],
    [{ path: '/i', ...options({ emptyNamespaces: ['ipc'] }) }, '3 empty_namespaces takes network, not ipc'],
  ] as const) {
    assert.is(await host.call('Checkpoint', request), answer);
  }
  assert.match(String(await host.call('Checkpoint', { path: '/i' })), /criu/);
  assert.not.ok(host.publisher.told.some((event) => event.startsWith('/tasks/checkpointed')));
  await over(host);
});

test('a restored task has no process before Start, and a failed restore leaves nothing', async () => {
  const host = new TaskHost();
  assert.equal(await host.call('Create', { bundle: '/b', checkpoint: '/images' }), {});
  assert.match(host.publisher.told[0] ?? '', /"checkpoint":"\/images"/);
  assert.is(await statusOf(host), 1);
  assert.is(await host.call('Kill', { signal: 9 }), '5 process already finished');
  const { processes } = (await host.call('Pids')) as { processes: unknown[] };
  assert.is(processes.length, 1);
  assert.match(String(await host.call('Start')), /criu/);
  await host.settle();
  assert.type(await host.call('Delete'), 'object');
  assert.equal([host.children.length, ...host.left], [0]);
});

test('a cancelled Wait fails at once, and the others get the exit status', async () => {
  const host = await running();
  const calls = [0, 1, 2].map(() => callWith());
  const waits = calls.map((call) => host.begin('Wait', {}, call));
  calls[1]?.cancel();
  assert.is(await host.kernel.finish(waits[1] as Promise<unknown>), '1 the wait is cancelled');
  host.main.process.exit(9);
  await host.settle();
  const statuses = await host.kernel.finish(Promise.all([waits[0], waits[2]]));
  assert.equal(
    statuses.map((answer) => (answer as { exitStatus: number }).exitStatus),
    [9, 9],
  );
  calls[0]?.cancel();
  await host.call('Delete');
  assert.equal(host.left, []);
});

test.run();
