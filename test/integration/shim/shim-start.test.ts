/**
 * Input and output of the shim's `start`: each version of containerd gets the response that it reads, and nothing else.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { readCgroupFacts } from '../../../src/cgroup/cgroup-facts.js';
import { mountExtensions } from '../../../src/shim/containerd/mount-capabilities.js';
import { bootstrap, google, linuxRunc, runcOptions, runtimeOptions, task } from '../../../src/shim/transport/protos.js';
import { DEADLINE, elapse } from '../../deadline.js';
import { hasEnded } from '../../leaks/leftovers.js';
import { eventually, needing } from '../bed/bed.js';
import { programs } from '../bed/place.js';
import { type Engine, onEngine, refused } from '../bed/shim-engine.js';

const test = needing('shim', 'root', 'cgroups');
const core = needing('shim core scheduling', 'root', 'cgroups', 'programs');
const timed = needing('time of shim start', 'root', 'cgroups', 'at-speed');

/** The parameters that containerd 2.3 writes. */
function parameters(engine: Engine, changes: Partial<bootstrap.BootstrapParams.$Properties> = {}): Uint8Array {
  return bootstrap.BootstrapParams.encode({
    instanceId: engine.bed.id,
    namespace: engine.namespace,
    logLevel: -4,
    containerdVersion: '2.3.0',
    containerdTtrpcAddress: join(engine.bed.dir, 'ttrpc'),
    containerdGrpcAddress: join(engine.bed.dir, 'sock'),
    containerdBinary: '/none',
    ...changes,
  }).finish();
}

test(
  'start prints an address for containerd 1.6, JSON for 1.7 and 2.x, and version 3 for parameters on stdin',
  onEngine(async (engine, bed) => {
    bed.write();
    const address = engine.start();
    const answer = (input?: Uint8Array, env?: Record<string, string>) => String(engine.action('start', input, env));
    const json = (version: number) =>
      JSON.stringify({ version, address, protocol: 'ttrpc', ...(version === 3 && { extensions: mountExtensions() }) });
    assert.is(answer(), address);
    assert.is(answer(undefined, { MAX_SHIM_VERSION: '2' }), json(2));
    assert.is(answer(undefined, { MAX_SHIM_VERSION: '3' }), json(3));
    assert.is(answer(undefined, { MAX_SHIM_VERSION: '4' }), json(3));
    assert.is(answer(parameters(engine)), json(3));
    assert.is(readFileSync(join(bed.bundle, 'address'), 'utf8'), address);
    // For another container, without parameters; options of an unknown type are ignored here.
    assert.is(answer(parameters(engine, { instanceId: 'other' })), address);
    await engine.call('Shutdown', task.ShutdownRequest.encode({ id: bed.id }));
  }),
);

core(
  'SCHED_CORE puts the server and its containers into one core scheduling group, or is refused by name',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    // The core scheduling cookie of a process: 0 for none.
    const cookie = (pid: number) => String(execFileSync(join(programs, 'core-cookie'), [String(pid)])).trim();
    const none = cookie(process.pid);
    const env = { SCHED_CORE: '1' };
    if (none.startsWith('error')) {
      assert.throws(() => engine.action('start', undefined, env), /make a group of core scheduling \(SCHED_CORE\)/);
      return;
    }
    engine.start(undefined, env);
    const pid = await engine.run();
    const request = task.ConnectRequest.encode({ id: bed.id });
    const { shimPid } = await engine.call('Connect', request, task.ConnectResponse);
    const theirs = cookie(shimPid);
    assert.ok(theirs !== '0' && theirs !== none, `${theirs} and ${none}`);
    assert.is(cookie(pid), theirs);
    await engine.over();
  }),
);

test(
  "another file at the socket's path is not replaced, and the error names it",
  onEngine(async (engine, bed) => {
    bed.write();
    const path = engine.start().slice('unix://'.length);
    await engine.call('Shutdown', task.ShutdownRequest.encode({ id: bed.id }));
    await eventually('the end of the shim', () => !existsSync(path));
    writeFileSync(path, 'mine');
    assert.throws(() => engine.action('start'), /the file there is not a socket/);
    assert.is(readFileSync(path, 'utf8'), 'mine');
  }),
);

test(
  'a shim ends with its socket after a while without clients and containers, and a start in between finds it',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const env = { RUNT_SHIM_IDLE: '2' };
    const path = engine.start(undefined, env).slice('unix://'.length);
    const connect = async () => {
      const request = task.ConnectRequest.encode({ id: bed.id });
      return (await engine.call('Connect', request, task.ConnectResponse)).shimPid;
    };
    const first = await connect();
    // Longer than the shim's idle time.
    await elapse(2500);
    assert.is(await connect(), first, 'its client is there, without a container');
    // If the machine takes longer than the shim's idle time, the test proves nothing.
    let inTime = false;
    for (let i = 0; i < 5 && !inTime; i++) {
      if (i > 0) engine.start(undefined, env);
      const same = await connect();
      engine.disconnect();
      const begin = performance.now();
      // Twice: each shorter than the idle time, both together longer.
      await elapse(1200);
      engine.start(undefined, env);
      const between = performance.now();
      // The second of the two.
      await elapse(1200);
      const next = await connect();
      inTime = between - begin < 1900 && performance.now() - between < 1900;
      if (inTime) assert.is(next, same, 'a client came in time');
    }
    const last = await connect();
    engine.disconnect();
    await eventually('the end of the shim', () => hasEnded(last));
    assert.not.ok(existsSync(path));

    engine.start(undefined, env);
    const second = await connect();
    await engine.run();
    engine.disconnect();
    // Longer than the idle time without a container.
    await elapse(2500);
    engine.start(undefined, env);
    assert.is(await connect(), second, 'its container is there, without a client');
    await engine.call('Kill', task.KillRequest.encode({ id: bed.id, signal: 9 }));
    await engine.wait();
    await engine.call('Delete', task.DeleteRequest.encode({ id: bed.id }));
    engine.disconnect();
    await eventually('the end of the second', () => hasEnded(second));
    await engine.told('/tasks/delete');
  }),
);

test(
  'with parameters on stdin, their event address and the options among their extensions are used',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/true'];
    bed.write();
    const value = runcOptions.Options.encode({ shimCgroup: '/runt/nowhere' }).finish();
    const extensions = [{ value: { type_url: 'type.googleapis.com/containerd.runc.v1.Options', value } }];
    const without = { TTRPC_ADDRESS: '' };
    assert.throws(
      () => engine.action('start', parameters(engine, { extensions }), without),
      /put the shim into the cgroup \/runt\/nowhere/,
    );
    const bare = { ...process.env };
    delete bare.TTRPC_ADDRESS;
    const flags = ['-namespace', engine.namespace, '-address', join(bed.dir, 'sock'), '-id', bed.id, 'start'];
    const started = spawnSync(engine.program, flags, { cwd: bed.bundle, env: bare, input: parameters(engine) });
    assert.is(String(started.stderr), '');
    assert.is(JSON.parse(String(started.stdout)).version, 3);
    engine.start();
    await engine.run();
    await engine.wait();
    await engine.over();
    assert.equal(engine.topics, ['/tasks/create', '/tasks/start', '/tasks/exit', '/tasks/delete']);
    const gone = engine.call('State', task.StateRequest.encode({ id: bed.id }));
    await refused(gone);
  }),
);

test(
  'with parameters of containerd 2.3, the socket is in their directory, where the second start finds it',
  onEngine(async (engine, bed) => {
    bed.write();
    const socketDir = join(bed.dir, 'sockets', 'below');
    const env = { MAX_SHIM_VERSION: '2' };
    const answer = () => JSON.parse(String(engine.action('start', parameters(engine, { socketDir }), env)));
    const { address, version } = answer();
    assert.is(version, 2);
    assert.match(address, new RegExp(`^unix://${socketDir}/[0-9a-f]{64}$`));
    assert.is(statSync(socketDir).mode & 0o777, 0o700);
    assert.is(answer().address, address);
    assert.not.ok(existsSync(join(bed.dir, 's')));
    engine.connect(address);
    await engine.call('Shutdown', task.ShutdownRequest.encode({ id: bed.id }));
  }),
);

for (const [form, any] of [
  [
    'containerd.runc.v1.Options',
    (shimCgroup: string) => ({
      type_url: 'containerd.runc.v1.Options',
      value: runcOptions.Options.encode({ shimCgroup }).finish(),
    }),
  ],
  [
    'TOML',
    (shimCgroup: string) => ({
      type_url: 'runtimeoptions.v1.Options',
      value: runtimeOptions.Options.encode({
        configBody: new TextEncoder().encode(`ShimCgroup = "${shimCgroup}"`),
      }).finish(),
    }),
  ],
  [
    'the options of containerd 1.6',
    (shimCgroup: string) => ({
      type_url: 'containerd.linux.runc.CreateOptions',
      value: linuxRunc.CreateOptions.encode({ shimCgroup }).finish(),
    }),
  ],
] as const)
  test(
    `with shim_cgroup of ${form}, the shim joins the cgroup in every hierarchy that has it`,
    onEngine(async (engine, bed) => {
      bed.write();
      const given = (path: string) => google.protobuf.Any.encode(any(path)).finish();
      assert.throws(() => engine.start(given(`/${bed.id}`)), new RegExp(`put the shim into the cgroup /${bed.id}`));
      assert.equal(readdirSync(join(bed.dir, 's')), [], 'the next start does not find the server that was killed');
      const { v1, unified } = readCgroupFacts();
      // Not all: a cpuset cgroup accepts no process before its CPUs are set.
      const some = [
        ...v1.filter(({ controllers }) => /pids|freezer/.test(controllers.join())),
        ...(unified ? [unified] : []),
      ];
      const cgroups = some.map(({ mountPoint }) => join(mountPoint, bed.id));
      for (const cgroup of cgroups) mkdirSync(cgroup);
      try {
        engine.start(given(`/${bed.id}`));
        const { shimPid } = await engine.call(
          'Connect',
          task.ConnectRequest.encode({ id: bed.id }),
          task.ConnectResponse,
        );
        for (const cgroup of cgroups)
          assert.match(readFileSync(join(cgroup, 'cgroup.procs'), 'utf8'), new RegExp(`^${shimPid}$`, 'm'), cgroup);
        await engine.call('Shutdown', task.ShutdownRequest.encode({ id: bed.id }));
        await eventually('the shim has left', () =>
          cgroups.every((cgroup) => readFileSync(join(cgroup, 'cgroup.procs'), 'utf8') === ''),
        );
      } finally {
        for (const cgroup of cgroups) rmdirSync(cgroup);
      }
    }),
  );

timed(
  "start takes little longer than /bin/true when the group's shim runs",
  onEngine(async (engine, bed) => {
    bed.write();
    engine.start();
    const flags = ['-namespace', engine.namespace, '-address', join(bed.dir, 'sock'), '-id', bed.id, 'start'];
    const env = { PATH: process.env.PATH ?? '', MAX_SHIM_VERSION: '2' };
    const time = (program: string, args: string[]): number => {
      const begin = process.hrtime.bigint();
      const { status, stderr } = spawnSync(program, args, { cwd: bed.bundle, env });
      assert.is(status, 0, String(stderr));
      return Number(process.hrtime.bigint() - begin) / 1e6;
    };
    // The fastest of many runs, and of more on a busy machine: other load affects neither.
    let [ours, least] = [Infinity, Infinity];
    for (let i = 0, until = Date.now() + DEADLINE; i < 40 || (ours >= least + 5 && Date.now() < until); i++) {
      ours = Math.min(ours, time(engine.program, flags));
      least = Math.min(least, time('/bin/true', []));
    }
    console.log(`\n# note start ${ours.toFixed(1)} ms, /bin/true ${least.toFixed(1)} ms`);
    assert.ok(ours < least + 5, `${ours} ms against ${least} ms`);
    await engine.call('Shutdown', task.ShutdownRequest.encode({ id: bed.id }));
  }),
);

test.run();
core.run();
timed.run();
