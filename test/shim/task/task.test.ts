/** A task from Create to Delete on the fake host: responses, events, and what is left. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Task } from '../../../src/shim/task/task.js';
import { task } from '../../../src/shim/transport/protos.js';
import { E } from '../../../src/sys/errno.js';
import { SIGKILL, SIGTERM } from '../../../src/sys/linux.js';
import { config } from '../../container/launch/bundle-host.js';
import { created, reports, type Step } from '../../sys/fake-host/scripted-init.js';
import { TaskHost, usualOptions } from './task-host.js';

const test = suite('task');

const spec = {
  type_url: 'types.containerd.io/opencontainers/runtime-spec/1/Process',
  value: bytes({ cwd: '/', args: ['sh'] }),
};

function bytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** A host with a running container. */
async function running(host = new TaskHost()): Promise<TaskHost> {
  const made = await host.call('Create', { bundle: '/b' });
  if (typeof made === 'string') throw new Error(made);
  host.answerStart();
  await host.call('Start');
  return host;
}

/** Ends the container and deletes it. Asserts that nothing is left. */
async function over(host: TaskHost): Promise<void> {
  host.main.process.exit(0);
  await host.settle();
  const deleted = await host.call('Delete');
  if (typeof deleted === 'string') throw new Error(deleted);
  assert.equal(host.left, []);
}

test('Create, Start, exit and Delete have their responses and events in order, and leave nothing', async () => {
  const host = new TaskHost();
  const made = await host.call('Create', { bundle: '/b' });
  const { pid } = host.main.process;
  assert.equal(made, { pid });
  assert.equal(await host.call('State'), { id: 'web', bundle: '/b', pid, status: 1 });
  host.answerStart();
  assert.equal(await host.call('Start'), { pid });
  assert.equal(await host.call('State'), { id: 'web', bundle: '/b', pid, status: 2 });
  const wait = host.begin('Wait');
  host.main.process.exit(7);
  const { exitStatus, exitedAt } = (await host.kernel.finish(wait)) as Record<string, unknown>;
  assert.equal([exitStatus, (exitedAt as { seconds: number }).seconds], [7, 1700000005]);
  await host.settle();
  const { status, exitStatus: shown } = (await host.call('State')) as Record<string, unknown>;
  assert.equal([status, shown], [3, 7]);
  const deleted = (await host.call('Delete')) as Record<string, unknown>;
  assert.equal([deleted.pid, deleted.exitStatus], [pid, 7]);
  assert.equal(host.publisher.told, [
    `/tasks/create {"rootfs":[],"bundle":"/b","io":{},"pid":${pid}}`,
    `/tasks/start {"pid":${pid}}`,
    `/tasks/exit {"id":"web","pid":${pid},"exitStatus":7}`,
    `/tasks/delete {"pid":${pid},"exitStatus":7}`,
  ]);
  assert.equal([...host.left, ...host.log], []);
  assert.is(await host.call('State'), '5 container web does not exist');
});

test('a process that a signal ended has the exit status 128 + the signal', async () => {
  const host = await running();
  const wait = host.begin('Wait');
  await host.call('Kill', { signal: SIGTERM });
  assert.is(((await host.kernel.finish(wait)) as { exitStatus: number }).exitStatus, 128 + SIGTERM);
  await over(host);
});

test('a failed Create returns the reason, publishes nothing and leaves nothing', async () => {
  const steps: Step[] = [(init) => init.report('error', { index: 9, errno: E.EACCES, syscall: 'mount', detail: '' })];
  const host = new TaskHost(steps);
  const answer = await host.call('Create', { bundle: '/b' });
  assert.match(String(answer), /^2 create web: .*EACCES/);
  assert.equal([...host.publisher.told, ...host.left], []);
  assert.is(host.service.busy, false);
});

test('the error code of a failed Create tells a bad request from a missing bundle', async () => {
  const host = new TaskHost();
  assert.match(String(await host.call('Create', { bundle: '/none' })), /^5 .*\/none\/config.json/);
  assert.match(String(await host.call('Create', { bundle: 'b' })), /^3 Create of web: bundle must be an absolute path/);
  assert.match(String(await host.call('Create', { id: '../web', bundle: '/b' })), /^3 invalid container ID format/);
  assert.equal([host.children.length, ...host.left], [0]);
});

test('Create of an id in use is ALREADY_EXISTS', async () => {
  const host = await running();
  assert.is(await host.call('Create', { bundle: '/b' }), '6 container web already exists');
  assert.not.ok(host.main.process.end);
  await over(host);
  const twice = new TaskHost();
  const first = twice.begin('Create', { bundle: '/b' });
  const second = await twice.begin('Create', { bundle: '/b' });
  assert.is(second, '6 container web already exists');
  assert.type(await twice.kernel.finish(first), 'object');
  await over(twice);
});

test('the rootfs is mounted before the create, and unmounted by Delete or after a failed create', async () => {
  for (const fails of [false, true]) {
    const steps: Step[] = [(init) => init.report('error', { index: 9, errno: E.EACCES, syscall: 'mount', detail: '' })];
    const host = new TaskHost(fails ? steps : created);
    const mounted: string[] = [];
    host.kernel.on('mountFs', (type, source, _options, _attrs, target) => {
      host.kernel.tree.mount(target);
      mounted.push(`${type} ${source} ${target}`);
      return 0;
    });
    const rootfs = [{ type: 'overlay', source: 'overlay', options: ['lowerdir=/l'] }];
    const answer = await host.call('Create', { bundle: '/b', rootfs });
    assert.equal(mounted, ['overlay overlay /b/rootfs']);
    assert.is(typeof answer === 'string', fails);
    assert.is(host.kernel.tree.at('/b/rootfs')?.covered === undefined, fails);
    if (fails) assert.equal(host.left, []);
    else await over(host);
    assert.is(host.kernel.tree.at('/b/rootfs')?.covered, undefined);
  }
});

test('if the rootfs cannot be mounted, no container is created', async () => {
  const host = new TaskHost();
  host.kernel.on('mountFs', () => -E.ENODEV);
  const answer = await host.call('Create', { bundle: '/b', rootfs: [{ type: 'zfs', source: 'pool' }] });
  assert.match(String(answer), /^2 mount zfs on \/b\/rootfs: ENODEV/);
  assert.equal([host.children.length, ...host.left], [0]);
});

test('a failed unmount after a failed create is logged, and the error remains that of the create', async () => {
  const host = new TaskHost([(init) => init.process.exit(3)]);
  host.kernel.on('mountFs', () => 0);
  host.kernel.on('unmount', () => -E.EIO);
  const answer = await host.call('Create', { bundle: '/b', rootfs: [{ type: 'tmpfs' }] });
  assert.match(String(answer), /^2 create web: runt-init exited/);
  assert.match(host.log.join('\n'), /unmount \/b\/rootfs: EIO/);
});

test('a task whose record cannot be written is removed', async () => {
  const host = new TaskHost();
  const request = new task.CreateTaskRequest({ id: 'web', bundle: '/b' });
  const made = () => {
    throw new Error('no room');
  };
  const work = Task.create(host.kernel.root, request, await usualOptions(), {
    publisher: host.publisher,
    debug: false,
    records: { begin: async () => {}, created: made, end: () => {} },
  });
  const error = await host.kernel.finish(work.catch((thrown: Error) => thrown.message));
  assert.is(error, 'no room');
  await host.settle();
  // The shim reaps its children (orphan-reaper.test.ts).
  const left = host.left.filter((what) => what !== 'zombie: runt-init');
  assert.equal([...left, ...host.publisher.told], []);
  assert.ok(host.main.process.end && host.supervisors[0]?.process.end);
});

test('Start works once, and not after the exit', async () => {
  const host = await running();
  assert.is(await host.call('Start'), '9 process web was started before');
  host.main.process.exit(0);
  await host.settle();
  assert.is(await host.call('Start'), '9 container web has ended');
  await host.call('Delete');
});

test('a failed Start may be repeated', async () => {
  const host = new TaskHost();
  await host.call('Create', { bundle: '/b' });
  host.kernel.failAt('unixConnect', 1, E.ENOMEM);
  assert.match(String(await host.call('Start')), /start web: connect to the start socket: ENOMEM/);
  assert.is(((await host.call('State')) as { status: number }).status, 1);
  host.answerStart();
  assert.equal(await host.call('Start'), { pid: host.main.process.pid });
  await over(host);
});

test('the exit of a short process is published after its start', async () => {
  const host = new TaskHost();
  await host.call('Create', { bundle: '/b' });
  host.answerStart((init) => init.process.exit(0));
  await host.call('Start');
  await host.settle();
  assert.equal(
    host.publisher.told.map((event) => event.split(' ')[0]),
    ['/tasks/create', '/tasks/start', '/tasks/exit'],
  );
  await host.call('Delete');
});

test('Delete refuses a running process, and kills one that was never started', async () => {
  const host = await running();
  assert.is(await host.call('Delete'), '9 process web is running: it must be stopped first');
  assert.not.ok(host.main.process.end);
  await over(host);
  const fresh = new TaskHost();
  await fresh.call('Create', { bundle: '/b' });
  const { pid } = fresh.main.process;
  const deleted = (await fresh.call('Delete')) as { exitStatus: number };
  assert.is(deleted.exitStatus, 137);
  assert.equal(fresh.left, []);
  assert.equal(fresh.publisher.told.slice(1), [
    `/tasks/exit {"id":"web","pid":${pid},"exitStatus":137}`,
    `/tasks/delete {"pid":${pid},"exitStatus":137}`,
  ]);
});

test('a failed Delete leaves the task, and the next Delete removes it', async () => {
  const host = await running();
  host.main.process.exit(0);
  await host.settle();
  host.kernel.failAt('removeCgroup', 1, E.EIO);
  assert.match(String(await host.call('Delete')), /EIO/);
  assert.type(await host.call('Delete'), 'object');
  assert.equal(host.left, []);
  assert.is(host.publisher.told.filter((event) => event.startsWith('/tasks/delete')).length, 1);
});

test('Kill refuses an unknown signal, an unknown exec and an ended process', async () => {
  const host = await running();
  assert.is(await host.call('Kill', { signal: 65 }), '3 unknown signal 65');
  assert.is(await host.call('Kill', { signal: 9, execId: 'none' }), '5 process none does not exist');
  assert.equal(host.main.process.signals, []);
  host.main.process.exit(0);
  await host.settle();
  assert.is(await host.call('Kill', { signal: SIGKILL }), '5 process already finished');
  await host.call('Delete');
});

test('Kill with all also signals the other processes', async () => {
  const host = await running();
  const { process } = host.main;
  const other = host.kernel.processes.add({ cgroups: [...process.cgroups.values()] });
  await host.call('Kill', { signal: SIGTERM, all: true });
  assert.equal([other.signals, process.signals], [[SIGTERM], [SIGTERM]]);
  await over(host);
});

test('an exec can be added, started, awaited and deleted', async () => {
  const host = await running();
  assert.equal(await host.call('Exec', { execId: 'x', spec }), {});
  assert.equal(await host.call('State', { execId: 'x' }), { id: 'web', bundle: '/b', status: 1, execId: 'x' });
  const started = (await host.call('Start', { execId: 'x' })) as { pid: number };
  const [, exec] = host.children;
  assert.equal(started, { pid: exec?.process.pid });
  const { processes } = (await host.call('Pids')) as { processes: { pid: number; info?: unknown }[] };
  assert.equal(
    processes.map(({ pid, info }) => [pid, info !== null]),
    [
      [host.main.process.pid, false],
      [started.pid, true],
    ],
    'containerd gets the pid of the exec',
  );
  assert.is(await host.call('Delete', { execId: 'x' }), '9 process x is running: it must be stopped first');
  const wait = host.begin('Wait', { execId: 'x' });
  await host.call('Kill', { execId: 'x', signal: SIGTERM });
  assert.is(((await host.kernel.finish(wait)) as { exitStatus: number }).exitStatus, 128 + SIGTERM);
  await host.settle();
  assert.is(await host.call('Kill', { execId: 'x', signal: SIGTERM }), '5 process already finished');
  assert.is(await host.call('Start', { execId: 'x' }), '9 process x was started before');
  const deleted = (await host.call('Delete', { execId: 'x' })) as { pid: number; exitStatus: number };
  assert.equal([deleted.pid, deleted.exitStatus], [started.pid, 128 + SIGTERM]);
  assert.equal(host.publisher.told.slice(2), [
    '/tasks/exec-added {"execId":"x"}',
    `/tasks/exec-started {"execId":"x","pid":${started.pid}}`,
    `/tasks/exit {"id":"x","pid":${started.pid},"exitStatus":143}`,
  ]);
  assert.is(await host.call('State', { execId: 'x' }), '5 process x does not exist');
  await over(host);
});

test('an exec with an invalid id, an id in use or no spec is refused', async () => {
  const host = await running();
  assert.is(await host.call('Exec', { spec }), '3 Exec has no exec_id');
  assert.is(await host.call('Exec', { execId: 'a/b', spec }), '3 invalid exec_id "a/b"');
  assert.match(String(await host.call('Exec', { execId: 'x' })), /^3 Exec of x has no spec/);
  await host.call('Exec', { execId: 'x', spec });
  assert.is(await host.call('Exec', { execId: 'x', spec }), '6 id x is in use');
  assert.is(host.publisher.told.filter((event) => event.startsWith('/tasks/exec-added')).length, 1);
  const wait = host.begin('Wait', { execId: 'x' });
  await host.call('Delete', { execId: 'x' });
  assert.is(await host.kernel.finish(wait), '5 process x was deleted before it was started');
  await over(host);
});

test('an exec that cannot be executed has the exit status 128, and is not started again', async () => {
  const host = await running(
    new TaskHost((n) =>
      n === 0
        ? created
        : [reports('created'), 'go', reports('error', { index: 0, errno: E.ENOENT, syscall: 'execve' })],
    ),
  );
  const open = host.kernel.open;
  await host.call('Exec', { execId: 'x', spec });
  assert.match(String(await host.call('Start', { execId: 'x' })), /ENOENT/);
  assert.is(((await host.call('Wait', { execId: 'x' })) as { exitStatus: number }).exitStatus, 128);
  assert.is(await host.call('Start', { execId: 'x' }), '9 process x was started before');
  assert.equal(host.kernel.open, open, 'its streams are closed');
  assert.not.ok(host.publisher.told.some((event) => event.startsWith('/tasks/exec-started')));
  await host.call('Delete', { execId: 'x' });
  await over(host);
});

test('an exec spec that is not a process is refused with the pointer of the fault', async () => {
  const host = await running();
  const broken = { ...spec, value: new TextEncoder().encode('{"args": [') };
  await host.call('Exec', { execId: 'x', spec: broken });
  assert.match(String(await host.call('Start', { execId: 'x' })), /^3 .*the process document/);
  const wrong = { ...spec, value: bytes({ cwd: '/', args: 'sh' }) };
  await host.call('Exec', { execId: 'y', spec: wrong });
  assert.match(String(await host.call('Start', { execId: 'y' })), /^3 (?:.|\n)*\/args/);
  assert.is(host.children.length, 1);
  await over(host);
});

test('the exit of the container is published after those of all execs', async () => {
  const host = await running();
  await host.call('Exec', { execId: 'x', spec });
  await host.call('Start', { execId: 'x' });
  host.main.process.exit(0);
  await host.settle();
  assert.not.ok(host.publisher.told.some((event) => event.startsWith('/tasks/exit')));
  host.children[1]?.process.exit(0);
  await host.settle();
  assert.equal(
    host.publisher.told.slice(-2).map((event) => /"id":"(\w+)"/.exec(event)?.[1]),
    ['x', 'web'],
  );
  await host.call('Delete', { execId: 'x' });
  await host.call('Delete');
  assert.equal(host.left, []);
});

test('without a pid namespace the other processes are killed when the first one ends', async () => {
  const shared = config({ linux: { cgroupsPath: '/web', namespaces: [{ type: 'mount' }] } });
  const host = await running(new TaskHost(undefined, shared));
  const other = host.kernel.processes.add({ cgroups: [...host.main.process.cgroups.values()] });
  host.main.process.exit(0);
  await host.settle();
  assert.ok(other.end);
  await host.call('Delete');
  assert.equal(host.left, []);
});

test('a killed supervisor is replaced, and the new one records the exit', async () => {
  const host = await running();
  host.supervisors[0]?.process.signal(SIGKILL);
  await host.settle(5000);
  assert.is(host.supervisors.length, 2);
  assert.equal(host.log, ['its supervisor was killed: another one has taken over']);
  host.main.process.exit(5);
  await host.settle();
  assert.match(host.publisher.told.at(-1) ?? '', /"exitStatus":5/);
  await host.call('Delete');
  assert.equal(host.left, []);
});

test('an exit that no supervisor saw is reported as 255', async () => {
  const host = await running();
  const [supervisor] = host.supervisors;
  supervisor?.process.signal(SIGKILL);
  host.main.process.exit(5);
  await host.settle(60_000);
  assert.match(host.publisher.told.at(-1) ?? '', /\/tasks\/exit .*"exitStatus":255/);
  await host.call('Delete');
  assert.equal(host.left, []);
});

test.run();
