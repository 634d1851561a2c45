/** Checkpoint and restore through the shim, with test/integration/programs/fake-criu.c instead of criu. */
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Request, Type } from '../../../src/container/criu/criu-messages.js';
import { runcOptions, task, types } from '../../../src/shim/transport/protos.js';
import { hasEnded } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing } from '../bed/bed.js';
import { programs } from '../bed/place.js';
import { type Engine, onEngine, readAll, refused } from '../bed/shim-engine.js';

const test = needing('shim checkpoint', 'root', 'programs', 'cgroups');
const fake = join(programs, 'fake-criu');

const runc = (options: runcOptions.Options.$Properties) => ({
  type_url: 'containerd.runc.v1.Options',
  value: runcOptions.Options.encode({ criuPath: fake, ...options }).finish(),
});

/** Starts a container without mounts that criu cannot restore. */
function prepare(bed: Bed): void {
  bed.config.mounts = bed.config.mounts?.filter((m: { type?: string }) => m.type !== 'cgroup');
  bed.config.process.args = ['/bin/sleep', '1000'];
  bed.write();
}

/** Create with images, then Start; returns the pid. */
function restored(engine: Engine): Promise<number> {
  const checkpoint = join(engine.bed.dir, 'images');
  mkdirSync(checkpoint);
  return engine.run({ checkpoint, options: runc({}) });
}

function checkpoint(engine: Engine, path: string, options: runcOptions.CheckpointOptions.$Properties = {}) {
  const value = runcOptions.CheckpointOptions.encode(options).finish();
  const any = { type_url: 'containerd.runc.v1.CheckpointOptions', value };
  return engine.call('Checkpoint', task.CheckpointTaskRequest.encode({ id: engine.bed.id, path, options: any }));
}

/** The state directory of its containers. */
const stateOf = (engine: Engine): string => `/run/containerd/runt/${engine.namespace}`;

/** The pid of its container's supervisor. */
const supervisorOf = (engine: Engine): number =>
  JSON.parse(readFileSync(join(stateOf(engine), engine.bed.id, 'state.json'), 'utf8')).supervisor.pid;

/** The request that the fake criu wrote to a file. */
const asked = (engine: Engine) => {
  const { type, opts } = Request.decode(readFileSync(join(engine.bed.dir, 'request')));
  return { type, opts: { ...opts } as Record<string, unknown> };
};
const fakeEnv = (bed: Bed) => ({ FAKE_OUT: join(bed.dir, 'request') });

test(
  'Checkpoint sends its flags and paths to criu, publishes the event, and with exit ends the container',
  onEngine(async (engine, bed) => {
    prepare(bed);
    engine.start(undefined, fakeEnv(bed));
    const pid = await engine.run({ options: runc({}) });
    const images = join(bed.dir, 'images');
    await checkpoint(engine, images, { openTcp: true, fileLocks: true, terminal: true, cgroupsMode: 'strict' });
    const { type, opts } = asked(engine);
    assert.is(type, Type.DUMP);
    const { tcp_established, file_locks, shell_job, ext_unix_sk, leave_running } = opts;
    assert.equal(
      [opts.pid, tcp_established, file_locks, shell_job, ext_unix_sk, leave_running],
      [pid, true, true, true, false, true],
    );
    assert.ok(existsSync(join(images, 'descriptors.json')));
    const state = () => engine.call('State', task.StateRequest.encode({ id: bed.id }), task.StateResponse);
    assert.is((await state()).status, types.Status.RUNNING);
    await engine.told('/tasks/checkpointed');

    const wait = engine.wait();
    await checkpoint(engine, '/nowhere', { exit: true, imagePath: join(bed.dir, 'last') });
    assert.is(asked(engine).opts.leave_running, false);
    assert.is(await wait, 137);
    const deleted = await engine.call('Delete', task.DeleteRequest.encode({ id: bed.id }), task.DeleteResponse);
    assert.equal([deleted.pid, deleted.exitStatus], [pid, 137]);
    await engine.told('/tasks/delete');
    assert.equal(engine.topics, [
      '/tasks/create',
      '/tasks/start',
      '/tasks/checkpointed',
      '/tasks/checkpointed',
      '/tasks/exit',
      '/tasks/delete',
    ]);
    await engine.call('Shutdown', task.ShutdownRequest.encode({ id: bed.id }));
  }),
);

test(
  'Checkpoint with parent_path writes what has changed since those images, which must be there',
  onEngine(async (engine, bed) => {
    prepare(bed);
    engine.start(undefined, fakeEnv(bed));
    await engine.run({ options: runc({}) });
    const [first, second] = [join(bed.dir, 'first'), join(bed.dir, 'second')];
    await checkpoint(engine, first);
    assert.equal([asked(engine).opts.parent_img, asked(engine).opts.track_mem], [undefined, undefined]);
    await checkpoint(engine, second, { parentPath: '../first' });
    assert.equal([asked(engine).opts.parent_img, asked(engine).opts.track_mem], ['../first', true]);
    for (const [parentPath, why] of [
      ['../none', /--parent-path "..\/none" is not a directory/],
      [first, /must be relative to --image-path/],
    ] as const) {
      const failed = await refused(checkpoint(engine, second, { parentPath }));
      assert.is(failed.code, 3);
      assert.match(failed.message, why);
    }
    await engine.over();
  }),
);

test(
  'Checkpoint fails without criu, when criu fails, and for a bad mode or path, and the container continues',
  onEngine(async (engine, bed) => {
    prepare(bed);
    engine.start(undefined, { FAKE_ERROR: 'not today' });
    await engine.run({ options: runc({ criuWorkPath: join(bed.dir, 'work') }) });
    const failed = await refused(checkpoint(engine, join(bed.dir, 'i')));
    assert.match(failed.message, /criu failed: not today/);
    assert.match(failed.message, `log file ${join(bed.dir, 'work')}/dump.log`);
    assert.match((await refused(checkpoint(engine, ''))).message, /the path of the images is missing/);
    assert.match((await refused(checkpoint(engine, '/i', { cgroupsMode: 'odd' }))).message, /cgroups_mode is one of/);
    const namespaces = checkpoint(engine, '/i', { emptyNamespaces: ['pid'] });
    assert.match((await refused(namespaces)).message, /empty_namespaces takes network, not pid/);
    const nobody = engine.call('Checkpoint', task.CheckpointTaskRequest.encode({ id: 'nobody', path: '/i' }));
    assert.is((await refused(nobody)).code, 5);
    const state = await engine.call('State', task.StateRequest.encode({ id: bed.id }), task.StateResponse);
    assert.is(state.status, types.Status.RUNNING);
    await engine.over();

    await engine.told('/tasks/delete');
    engine.start();
    await engine.run({ options: runc({ criuPath: '/no/criu' }) });
    const missing = await refused(checkpoint(engine, join(bed.dir, 'i')));
    assert.is(missing.code, 9);
    assert.match(missing.message, /the program criu is not installed: it is not at \/no\/criu/);
    await engine.over();
  }),
);

test(
  'the shim answers other requests while criu works',
  onEngine(async (engine, bed) => {
    prepare(bed);
    const slow = join(bed.dir, 'slow-criu');
    const go = join(bed.dir, 'go');
    writeFileSync(slow, `#!/bin/sh\nuntil [ -e ${go} ]; do sleep 0.05; done\nexec ${fake} "$@"\n`, { mode: 0o755 });
    engine.start();
    await engine.run({ options: runc({ criuPath: slow }) });
    let done = false;
    const dump = checkpoint(engine, join(bed.dir, 'i')).then(() => {
      done = true;
    });
    for (let i = 0; i < 5; i++) await engine.call('State', task.StateRequest.encode({ id: bed.id }));
    assert.not.ok(done, 'the state was reported before the end of the checkpoint');
    writeFileSync(go, '');
    await dump;
    await engine.over();
  }),
);

for (const by of ['the request', 'the option criu_image_path']) {
  test(
    `after Create with images in ${by}, Start restores, with the process's output, status and events`,
    onEngine(async (engine, bed) => {
      prepare(bed);
      engine.start(undefined, fakeEnv(bed));
      const images = join(bed.dir, 'images');
      mkdirSync(images);
      writeFileSync(join(images, 'descriptors.json'), '[]');
      const { id, bundle } = bed;
      // No reader: one that opens the fifo late would wait for a writer forever.
      const stdout = engine.fifo('out');
      const inRequest = by === 'the request';
      const create = task.CreateTaskRequest.encode({
        id,
        bundle,
        stdout,
        ...(inRequest && { checkpoint: images }),
        options: runc(inRequest ? {} : { criuImagePath: images }),
      });
      assert.is((await engine.call('Create', create, task.CreateTaskResponse)).pid, 0);
      const state = () => engine.call('State', task.StateRequest.encode({ id }), task.StateResponse);
      assert.is((await state()).status, types.Status.CREATED);
      const { pid } = await engine.call('Start', task.StartRequest.encode({ id }), task.StartResponse);
      assert.is(asked(engine).type, Type.RESTORE);
      assert.equal([(await state()).status, (await state()).pid], [types.Status.RUNNING, pid]);
      await eventually('the restored process is the one', () =>
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('sleep'),
      );
      assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), `PPid:\t${supervisorOf(engine)}\n`);
      const wait = engine.wait();
      await engine.call('Kill', task.KillRequest.encode({ id, signal: 15 }));
      assert.is(await wait, 143);
      const deleted = await engine.call('Delete', task.DeleteRequest.encode({ id }), task.DeleteResponse);
      assert.equal([deleted.pid, deleted.exitStatus], [pid, 143]);
      await engine.told('/tasks/delete');
      assert.equal(engine.topics, ['/tasks/create', '/tasks/start', '/tasks/exit', '/tasks/delete']);
      await engine.call('Shutdown', task.ShutdownRequest.encode({ id }));
    }),
  );
}

test(
  'an exec in a restored container has its output and its status',
  onEngine(async (engine, bed) => {
    prepare(bed);
    const { id } = bed;
    engine.start(undefined, fakeEnv(bed));
    await restored(engine);
    for (const [execId, script, status] of [
      ['e', 'echo out; exit 7', 7],
      ['f', 'echo out; kill -9 $$', 137],
    ] as const) {
      const stdout = engine.fifo(execId);
      const out = readAll(stdout);
      await engine.exec(execId, ['/bin/sh', '-c', script], { stdout });
      await engine.call('Start', task.StartRequest.encode({ id, execId }));
      assert.is(await engine.wait(execId), status);
      await engine.call('Delete', task.DeleteRequest.encode({ id, execId }));
      assert.is(await out, 'out\n');
    }
    await engine.over();
  }),
);

test(
  'after the shim of a restored container was killed, its supervisor records the status and delete prints it',
  onEngine(async (engine, bed) => {
    prepare(bed);
    const { id } = bed;
    engine.start();
    const pid = await restored(engine);
    await eventually('the restored process', () => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('sleep'));
    const { shimPid } = await engine.call('Connect', task.ConnectRequest.encode({ id }), task.ConnectResponse);
    process.kill(shimPid, 'SIGKILL');
    await eventually('the end of the shim', () => hasEnded(shimPid));
    process.kill(pid, 'SIGTERM');
    await eventually('its end', () => bed.runt(['--root', stateOf(engine), 'state', id]).stdout.includes('"stopped"'));
    const { exitStatus, pid: told } = task.DeleteResponse.decode(engine.action('delete'));
    assert.equal([told, exitStatus], [pid, 143]);
  }),
);

test(
  'the shim serves the master of a restored terminal',
  onEngine(async (engine, bed) => {
    prepare(bed);
    bed.config.process.terminal = true;
    bed.write();
    const { id, bundle } = bed;
    engine.start(undefined, { FAKE_PTY: '1' });
    const checkpoint = join(bed.dir, 'images');
    mkdirSync(checkpoint);
    const stdout = engine.fifo('out');
    const options = runc({});
    const create = task.CreateTaskRequest.encode({ id, bundle, checkpoint, options, stdout, terminal: true });
    await engine.call('Create', create);
    await engine.call('ResizePty', task.ResizePtyRequest.encode({ id, width: 77, height: 11 }));
    await engine.call('Start', task.StartRequest.encode({ id }));
    const { shimPid } = await engine.call('Connect', task.ConnectRequest.encode({ id }), task.ConnectResponse);
    const masters = readdirSync(`/proc/${shimPid}/fd`).filter((fd) => {
      const link = `/proc/${shimPid}/fd/${fd}`;
      return existsSync(link) && readlinkSync(link).endsWith('/ptmx');
    });
    assert.ok(masters.length > 0, 'the shim has the master');
    await engine.over();
  }),
);

test(
  'the shim reports the status of a restored process that ends at once, and stays alive',
  onEngine(async (engine, bed) => {
    prepare(bed);
    engine.start(undefined, { FAKE_ENDS: '1' });
    await restored(engine);
    assert.is(await engine.wait(), 137);
    await engine.over();
    assert.equal(engine.topics, ['/tasks/create', '/tasks/start', '/tasks/exit', '/tasks/delete']);
  }),
);

test(
  'a failed restore has an error and leaves nothing, and parent_checkpoint is refused by name',
  onEngine(async (engine, bed) => {
    prepare(bed);
    const { id, bundle } = bed;
    engine.start(undefined, { FAKE_ERROR: 'bad image' });
    const images = join(bed.dir, 'images');
    mkdirSync(images);
    const create = (more: task.CreateTaskRequest.$Properties) =>
      engine.call('Create', task.CreateTaskRequest.encode({ id, bundle, checkpoint: images, ...more }));
    assert.match((await refused(create({ parentCheckpoint: '/p' }))).message, /parent_checkpoint is not supported/);
    const start = () => refused(engine.call('Start', task.StartRequest.encode({ id })));
    await create({ options: runc({}) });
    assert.match((await start()).message, /criu failed: bad image/);
    assert.not.ok(existsSync(`/run/containerd/runt/${engine.namespace}/${id}`));
    await engine.call('Delete', task.DeleteRequest.encode({ id }));
    await engine.call('Shutdown', task.ShutdownRequest.encode({ id }));
  }),
);

test.run();
