/** Containers with a supervisor: the requests to it, and its replacement after it was killed. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { create } from '../../../src/container/create.js';
import { exec } from '../../../src/container/exec.js';
import { adopt, adoptExec, forgetExec, spawnSupervised } from '../../../src/container/launch/supervisor.js';
import { awaitEnd, ensureSupervisor } from '../../../src/container/launch/supervisor-heir.js';
import { readExit, recordedExecs } from '../../../src/container/state/exit-records.js';
import { loadRecord } from '../../../src/container/state/state-store.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { SIGKILL } from '../../../src/sys/linux.js';
import { created, executed, reports, type Script, type Step } from '../../sys/fake-host/scripted-init.js';
import { type ScriptedSupervisor, scriptSupervisor } from '../../sys/fake-host/scripted-supervisor.js';
import { BundleHost, failuresOf } from './bundle-host.js';

const test = suite('supervisor');

/** The host of the running test, and its supervisors in order. */
let host: BundleHost;
let supervisors: ScriptedSupervisor[];

function on(script: Script): BundleHost {
  host = new BundleHost();
  supervisors = scriptSupervisor(host.kernel, script);
  return host;
}

/** An exec continues in a sibling in the container's cgroup, and in another in its pid namespace. */
const joined: readonly Step[] = [(init) => init.goOn(0), (init) => init.goOn(0)];

const directory = (): string => `${host.kernel.root}/web`;
const creating = (): Promise<void> => create(host.options({ supervise: true }));

/** A running container with a supervisor, which performs these steps in every process that it starts from now on. */
async function running(script: Script = [...joined, ...executed]): Promise<void> {
  on((n) => (n === 0 ? created : typeof script === 'function' ? script(n - 1) : script));
  const { kernel } = host;
  await kernel.finish(creating());
  const init = supervisors[0]?.inits[0];
  if (init) init.process.name = 'sh';
  kernel.tree.at(directory())?.entries?.delete('start.sock');
  kernel.calls.length = 0;
}

const first = () => {
  const [supervisor] = supervisors;
  const init = supervisor?.inits[0];
  if (!supervisor || !init) throw new Error('there is no supervised container');
  return { supervisor, init };
};

const options = () => ({
  root: host.kernel.root,
  id: 'web',
  args: ['ls'],
  env: [],
  capabilities: [],
  additionalGids: [],
  terminal: false,
  detach: true,
});

const kinds = (supervisor = supervisors[0]): string[] =>
  (supervisor?.requests ?? []).map(([kind = '', first, , third]) =>
    [kind.slice(5, -2), kind.startsWith('runt-spawn') ? third : first].filter(Boolean).join(' '),
  );

test('create records the supervisor, which is the parent of the container', async () => {
  on(created);
  await host.kernel.finish(creating());
  const { supervisor, init } = first();
  const record = loadRecord(host.kernel.root, 'web');
  assert.equal([record.pid, record.supervisor?.pid], [init.process.pid, supervisor.process.pid]);
  assert.is(init.process.parent, supervisor.process.pid);
  assert.equal(kinds(), ['spawn init']);
  assert.is(host.kernel.tree.text('/sys/fs/cgroup/web/cgroup.procs'), `${init.process.pid}\n`);
  assert.equal(
    [0, 1, 2].map((fd) => init.files(fd)?.shown),
    ['stdio 0', 'stdio 1', 'stdio 2'],
  );
  assert.equal(host.left, ['process: supervisor', 'process: runt/init', 'cgroup: web', 'state: web']);
});

test('after a failed create neither the container nor the supervisor remains', async () => {
  const outcomes = await failuresOf(() => on(created), creating);
  const whole = ['process: supervisor', 'process: runt/init', 'cgroup: web', 'state: web'];
  for (const { call, error, left } of outcomes) assert.equal(left, error === 'none' ? whole : [], `${call}: ${error}`);
  const errors = outcomes.map(({ call, error, message }) => `${call.replace(/\(.*/, '')}: ${error} ${message}`);
  for (const line of [
    'unixListen: ERR_SUPERVISOR start the supervisor: bind',
    'spawnInit: ERR_SUPERVISOR start the supervisor: clone3',
    'sendFds: ERR_SUPERVISOR reach the supervisor of the container',
    'receiveFds: ERR_SUPERVISOR reach the supervisor of the container',
  ]) {
    assert.ok(errors.includes(line), `${line}\nis not among\n${errors.join('\n')}`);
  }
});

test('create fails if the supervisor cannot start', async () => {
  for (const [supervise, message] of [
    [
      (init: { report: (kind: 'error', values: Record<string, string | number>) => void }) =>
        init.report('error', { index: 0, errno: E.EMFILE, syscall: 'signalfd4', detail: '' }),
      'start the supervisor: signalfd4: EMFILE (too many open files)',
    ],
    [
      (init: { process: { exit: (status: number) => void } }) => init.process.exit(3),
      'start the supervisor: it exited with status 3',
    ],
    [() => {}, 'start the supervisor: it did not answer within 10 s'],
  ] as const) {
    host = new BundleHost();
    const { scriptInit } = await import('../../sys/fake-host/scripted-init.js');
    scriptInit(host.kernel, [], supervise as never);
    const error = await host.failure(creating);
    assert.equal([error?.code, error?.message], ['ERR_SUPERVISOR', message]);
    assert.equal(host.left, []);
  }
});

test('create fails if the supervisor refuses the request', async () => {
  on(created);
  const refused = host.failure(async () => {
    const work = creating();
    host.kernel.before('sendFds', 1, () => supervisors[0]?.refuses.set('runt-spawn-1', E.EAGAIN));
    return work;
  });
  const error = await refused;
  assert.equal([error?.code, error?.errno, error?.syscall], ['ERR_NAMESPACE', E.EAGAIN, 'clone3']);
  assert.equal(host.left, []);
});

test('create fails if runt-init ends before the container is ready', async () => {
  on([({ process }) => process.signal(SIGKILL)]);
  host.kernel.processes.tellsEnd = true;
  const error = await host.failure(creating);
  assert.match(error?.message ?? '', /^create web: runt-init was killed by signal 9 before the container was ready/);
  assert.equal(host.left, []);
});

test('an exec is recorded before it executes, and its exit is recorded afterwards', async () => {
  await running([
    ...joined,
    reports('created'),
    'go',
    () => assert.equal(recordedExecs(directory()).length, 1, 'before the execve'),
    (init) => init.execute('ls'),
  ]);
  await host.kernel.finish(exec(options()));
  assert.equal(kinds(), ['spawn init', 'spawn exec', 'adopt exec']);
  const [executed] = recordedExecs(directory());
  const process = first().supervisor.inits[1]?.process;
  assert.is(executed?.pid, process?.pid);
  process?.exit(5);
  assert.is(readExit(directory(), executed)?.status, 5);
});

test('a failed exec leaves no record', async () => {
  await running([...joined, (init) => init.report('error', { index: 0, errno: E.EPERM, syscall: 'open' })]);
  const error = await host.failure(() => exec(options()));
  assert.is(error?.errno, E.EPERM);
  assert.equal(recordedExecs(directory()), []);
  assert.is(kinds().at(-1), `forget ${first().supervisor.inits[1]?.process.pid}`);
  assert.equal(host.left, ['process: supervisor', 'process: sh', 'cgroup: web', 'state: web']);
});

test('a killed supervisor is replaced by one that watches the container and the execs', async () => {
  await running();
  await host.kernel.finish(exec(options()));
  const [old] = recordedExecs(directory());
  first().supervisor.process.signal(SIGKILL);
  await host.kernel.finish(exec(options()));
  const [, heir] = supervisors;
  assert.ok(heir?.isHeir);
  assert.equal(kinds(heir), [`watch exec`, 'watch init', 'spawn exec', 'adopt exec']);
  const record = loadRecord(host.kernel.root, 'web');
  assert.is(record.supervisor?.pid, heir?.process.pid);
  assert.is(old?.pid, Number(heir?.requests[0]?.[2]));
});

test('the new supervisor gets the unread exit of an exec; an exec that ended unseen is dropped', async () => {
  await running();
  await host.kernel.finish(exec(options()));
  await host.kernel.finish(exec(options()));
  const { supervisor } = first();
  supervisor.inits[1]?.process.exit(3);
  supervisor.process.signal(SIGKILL);
  supervisor.inits[2]?.process.exit(4);
  await host.kernel.finish(ensureSupervisor(directory()));
  assert.equal(kinds(supervisors[1]), [`unread ${supervisor.inits[1]?.process.pid}`, 'watch init']);
  assert.equal(
    recordedExecs(directory()).map(({ pid }) => pid),
    [supervisor.inits[1]?.process.pid],
  );
});

test('a damaged record of an exec does not hide the others from the new supervisor', async () => {
  await running();
  host.kernel.tree.file(`${directory()}/exec-77-5.json`, '{');
  host.kernel.tree.file(`${directory()}/exec-78-6.json.tmp`, '{');
  first().supervisor.process.signal(SIGKILL);
  await host.kernel.finish(ensureSupervisor(directory()));
  assert.equal(kinds(supervisors[1]), ['watch init']);
  assert.equal(
    host.kernel.tree.list(directory())?.filter((name) => name.startsWith('exec')),
    [],
  );
});

test('no new supervisor is started while the old one lives, or after the container ended', async () => {
  await running();
  const { supervisor, init } = first();
  const there = await host.kernel.finish(ensureSupervisor(directory()));
  assert.equal([there?.pid, supervisors.length], [supervisor.process.pid, 1]);
  supervisor.process.signal(SIGKILL);
  init.process.exit(0);
  assert.is(await host.kernel.finish(ensureSupervisor(directory())), undefined);
  assert.is(supervisors.length, 1);
});

test('a new supervisor that cannot take over ends, and leaves the record unchanged', async () => {
  await running();
  const before = loadRecord(host.kernel.root, 'web').supervisor;
  first().supervisor.process.signal(SIGKILL);
  const outcomes = await failuresOf(
    async () => {
      await running();
      first().supervisor.process.signal(SIGKILL);
      return host;
    },
    () => ensureSupervisor(directory()),
  );
  assert.ok(before);
  for (const { call, error, left } of outcomes) {
    const others = left.filter((what) => !/^process: (?:sh|supervisor)$|^zombie: supervisor|^cgroup|^state/.test(what));
    assert.equal(others, [], `${call}: ${error}`);
    const isThere = left.includes('process: supervisor');
    assert.is(isThere, error === 'none', `${call}: ${error}`);
  }
});

test('wait sees the end of a container through replaced supervisors', async () => {
  await running();
  const { supervisor, init } = first();
  const { kernel } = host;
  const pidfd = kernel.processes.openPidfd(init.process);
  kernel.clock.after(1000, () => supervisor.process.signal(SIGKILL));
  kernel.clock.after(2000, () => init.process.exit(6));
  await kernel.finish(awaitEnd(directory(), pidfd));
  assert.is(supervisors.length, 2);
  assert.is(readExit(directory())?.status, 6);
});

test('an ended process is not adopted, and one that is gone need not be forgotten', async () => {
  await running();
  const { kernel } = host;
  const { pid } = kernel.processes.add({ parent: first().supervisor.process.pid });
  const child = { pid, pidfd: kernel.processes.openPidfd(kernel.processes.get(pid)!) };
  first().supervisor.refuses.set('runt-adopt-2', E.EAGAIN);
  const refused = await kernel.finish(adopt(directory(), child).catch((error: unknown) => error));
  assert.instance(refused, RuntError);
  assert.match((refused as RuntError).message, /^give process \d+ to the supervisor: EAGAIN/);
  first().supervisor.refuses.set('runt-adopt-2', E.ESRCH);
  await kernel.finish(adopt(directory(), child));
  assert.is(await kernel.finish(adoptExec(directory(), child)), undefined);
  kernel.processes.get(pid)?.signal(SIGKILL);
  assert.is(await kernel.finish(adoptExec(directory(), child)), undefined, 'no supervisor gets a request');
  first().supervisor.process.signal(SIGKILL);
  await kernel.finish(forgetExec(directory(), { pid, registeredAt: '5' }));
});

test('without the image of runt-init no request is sent', async () => {
  await running();
  host.kernel.failAt('initImage', 1, E.EMFILE);
  const request = { flags: 0, kind: 'exec', oomFile: '', cgroup: -1, fds: [], sync: 3 } as const;
  const started = await host.kernel.finish(spawnSupervised(directory(), request));
  assert.equal(started, { pid: -E.EMFILE, pidfd: -1, syscall: 'memfd_create' });
  assert.equal(kinds(), ['spawn init']);
});

test.run();
