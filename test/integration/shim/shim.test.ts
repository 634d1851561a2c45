/** The shim as containerd calls it, over ttrpc; the test takes the part of containerd. */
import { spawn } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import * as assert from 'uvu/assert';
import { task, types } from '../../../src/shim/transport/protos.js';
import type { StatusError } from '../../../src/shim/transport/status-code.js';
import { type Bed, eventually, needing } from '../bed/bed.js';
import { programs } from '../bed/place.js';
import { type Engine, onEngine, readAll, refused } from '../bed/shim-engine.js';

const test = needing('shim', 'root', 'cgroups');
const killed = needing('shim killed with layers', 'root', 'cgroups', 'programs', 'linux-5.19', 'not-uml');
const killedByDescriptor = needing('shim killed with layers by descriptor', 'root', 'programs', 'linux-6.15');
const mapped = needing('shim layers with other ids', 'root', 'cgroups', 'programs', 'linux-5.19');

test(
  'a container from create to shutdown has its output, its status, and its events in order',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'cat; echo no >&2; exit 7'];
    bed.write();
    engine.start();
    const [stdin, stdout, stderr] = ['in', 'out', 'err'].map((n) => engine.fifo(n)) as [string, string, string];
    const [out, err] = [readAll(stdout), readAll(stderr)];
    const { id, bundle } = bed;
    const create = task.CreateTaskRequest.encode({ id, bundle, stdin, stdout, stderr });
    const { pid } = await engine.call('Create', create, task.CreateTaskResponse);
    assert.match(readlinkSync(`/proc/${pid}/ns/pid`), /^pid:/);
    const state = () => engine.call('State', task.StateRequest.encode({ id }), task.StateResponse);
    assert.is((await state()).status, types.Status.CREATED);
    await engine.call('Start', task.StartRequest.encode({ id }));
    const wait = engine.call('Wait', task.WaitRequest.encode({ id }), task.WaitResponse);
    writeFileSync(stdin, 'through');
    await engine.call('CloseIO', task.CloseIORequest.encode({ id, stdin: true }));
    const { exitStatus, exitedAt } = await wait;
    assert.is(exitStatus, 7);
    assert.ok(Math.abs(Number(exitedAt?.seconds) - Date.now() / 1000) < 60);
    assert.equal([await out, await err], ['through', 'no\n']);
    assert.is((await state()).status, types.Status.STOPPED);
    const again = await refused(engine.call('Kill', task.KillRequest.encode({ id, signal: 9 })));
    assert.equal([again.code, again.message], [5, 'process already finished']);
    const deleted = await engine.call('Delete', task.DeleteRequest.encode({ id }), task.DeleteResponse);
    assert.equal([deleted.pid, deleted.exitStatus], [pid, 7]);
    await engine.call('Shutdown', task.ShutdownRequest.encode({ id }));
    assert.equal(engine.topics, ['/tasks/create', '/tasks/start', '/tasks/exit', '/tasks/delete']);
    assert.not.ok(existsSync(`/run/containerd/runt/${engine.namespace}/${id}`));
  }),
);

test(
  'exec, pause and statistics work, and requests for unknown ids fail',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    engine.start();
    const { id, bundle } = bed;
    await engine.call('Create', task.CreateTaskRequest.encode({ id, bundle }));
    await engine.call('Start', task.StartRequest.encode({ id }));
    const stdout = engine.fifo('out');
    const out = readAll(stdout);
    const spec = { ...bed.config.process, args: ['/bin/sh', '-c', 'echo inside; exit 3'] };
    const value = new TextEncoder().encode(JSON.stringify(spec));
    await engine.call('Exec', task.ExecProcessRequest.encode({ id, execId: 'e', stdout, spec: { value } }));
    const twice = engine.call('Exec', task.ExecProcessRequest.encode({ id, execId: 'e', spec: { value } }));
    assert.is((await refused(twice)).code, 6);
    const { pid } = await engine.call('Start', task.StartRequest.encode({ id, execId: 'e' }), task.StartResponse);
    const ended = await engine.call('Wait', task.WaitRequest.encode({ id, execId: 'e' }), task.WaitResponse);
    assert.equal([await out, ended.exitStatus], ['inside\n', 3]);
    const deleted = await engine.call('Delete', task.DeleteRequest.encode({ id, execId: 'e' }), task.DeleteResponse);
    assert.equal([deleted.pid, deleted.exitStatus], [pid, 3]);

    await engine.call('Pause', task.PauseRequest.encode({ id }));
    const state = () => engine.call('State', task.StateRequest.encode({ id }), task.StateResponse);
    assert.is((await state()).status, types.Status.PAUSED);
    await engine.call('Resume', task.ResumeRequest.encode({ id }));
    assert.is((await state()).status, types.Status.RUNNING);
    const { processes } = await engine.call('Pids', task.PidsRequest.encode({ id }), task.PidsResponse);
    assert.equal(
      processes.map((p) => p.pid),
      [(await state()).pid],
    );
    const { stats } = await engine.call('Stats', task.StatsRequest.encode({ id }), task.StatsResponse);
    assert.match(stats?.type_url ?? '', /^io\.containerd\.cgroups\.v[12]\.Metrics$/);
    const nobody = engine.call('State', task.StateRequest.encode({ id: 'nobody' }), task.StateResponse);
    assert.is((await refused(nobody)).code, 5);
    const early = engine.call('Delete', task.DeleteRequest.encode({ id }));
    assert.is((await refused(early)).code, 9);

    await engine.call('Kill', task.KillRequest.encode({ id, signal: 9 }));
    const end = await engine.call('Wait', task.WaitRequest.encode({ id }), task.WaitResponse);
    assert.is(end.exitStatus, 137);
    await engine.call('Delete', task.DeleteRequest.encode({ id }));
    await engine.call('Shutdown', task.ShutdownRequest.encode({ id }));
    const [first, last] = [engine.topics.indexOf('/tasks/exit'), engine.topics.lastIndexOf('/tasks/exit')];
    assert.ok(first < last, engine.topics.join(' '));
    assert.is(engine.topics.at(-1), '/tasks/delete');
  }),
);

test(
  'after the shim was killed, delete prints the true status, and can be repeated',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'exit 9'];
    bed.write();
    engine.start();
    const { id, bundle } = bed;
    await engine.call('Create', task.CreateTaskRequest.encode({ id, bundle }));
    const { shimPid } = await engine.call('Connect', task.ConnectRequest.encode({ id }), task.ConnectResponse);
    await engine.call('Start', task.StartRequest.encode({ id }));
    await engine.call('Wait', task.WaitRequest.encode({ id }));
    process.kill(shimPid, 'SIGKILL');
    const { exitStatus } = task.DeleteResponse.decode(engine.action('delete'));
    assert.is(exitStatus, 9);
    task.DeleteResponse.decode(engine.action('delete'));
  }),
);

test(
  'an ended task still lists its process: at its start, containerd treats a task without one as a leftover',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'exit 42'];
    bed.write();
    engine.start();
    engine.deaf();
    const pid = await engine.run();
    assert.is(await engine.wait(), 42);
    const { id } = bed;
    const { processes } = await engine.call('Pids', task.PidsRequest.encode({ id }), task.PidsResponse);
    assert.equal(
      processes.map((p) => p.pid),
      [pid],
    );
    const state = await engine.call('State', task.StateRequest.encode({ id }), task.StateResponse);
    assert.equal([state.status, state.exitStatus], [types.Status.STOPPED, 42]);
    const deleted = await engine.call('Delete', task.DeleteRequest.encode({ id }), task.DeleteResponse);
    assert.equal([deleted.pid, deleted.exitStatus], [pid, 42]);
    const nobody = await refused(engine.call('Pids', task.PidsRequest.encode({ id }), task.PidsResponse));
    assert.is(nobody.code, 5);
    engine.restart();
    await engine.call('Shutdown', task.ShutdownRequest.encode({ id }));
  }),
);

test(
  "errors in an exec's process document have their JSON pointer",
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    engine.start();
    await engine.run();
    const { id } = bed;
    const failed = async (execId: string, value: Uint8Array): Promise<string> => {
      await engine.call('Exec', task.ExecProcessRequest.encode({ id, execId, spec: { value } }));
      return (await refused(engine.call('Start', task.StartRequest.encode({ id, execId })))).message;
    };
    const bytes = (document: unknown) => new TextEncoder().encode(JSON.stringify(document));
    const { process } = bed.config;
    assert.match(await failed('a', bytes({ ...process, args: ['/none'] })), 'at  /args/0 in the process document');
    assert.match(await failed('b', bytes({ ...process, cwd: 7 })), '/cwd');
    const texts = [await failed('c', bytes({ ...process, cwd: 7 })), await failed('d', new TextEncoder().encode('{'))];
    for (const text of texts) {
      assert.match(text, 'the process document');
      assert.not.match(text, /proc.self.fd/);
    }
    await engine.over();
  }),
);

test(
  'the supervisor is reaped when it ends',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'exit 3'];
    bed.write();
    engine.start();
    await engine.run();
    const { id } = bed;
    const { shimPid } = await engine.call('Connect', task.ConnectRequest.encode({ id }), task.ConnectResponse);
    await engine.wait();
    const from = Date.now();
    const children = () => readFileSync(`/proc/${shimPid}/task/${shimPid}/children`, 'utf8');
    await eventually('the end of the supervisor', () => children() === '');
    // Other children are reaped only after two seconds.
    assert.ok(Date.now() - from < 1500);
    await engine.over();
  }),
);

test(
  'a second container of a group uses the shim of the first',
  onEngine(async (engine, bed) => {
    bed.config.annotations = { 'io.kubernetes.cri.sandbox-id': `pod-${bed.id}` };
    bed.write();
    const address = engine.start();
    assert.is(String(engine.action('start')), address);
    assert.is(readFileSync(join(bed.bundle, 'address'), 'utf8'), address);
    await engine.call('Shutdown', task.ShutdownRequest.encode({ id: bed.id }));
    await eventually('the end of the socket', () => !existsSync(address.slice('unix://'.length)));
  }),
);

/** A root file system of two layers, and empty ones, with other ids below a new one owned by the container's root. */
function layered(bed: Bed, empty = 0) {
  bed.config.root = { path: 'rootfs' };
  bed.config.linux.namespaces = [...(bed.config.linux.namespaces ?? []), { type: 'user' }];
  bed.config.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
  bed.config.linux.gidMappings = [{ containerID: 0, hostID: 200000, size: 65536 }];
  bed.write();
  const directories = ['second', 'upper', 'work'].map((name) => join(bed.dir, name));
  for (const directory of directories) mkdirSync(directory);
  const [second, upper, work] = directories as [string, string, string];
  writeFileSync(join(second, 'second'), '');
  chownSync(join(second, 'second'), 7, 8);
  chownSync(upper, 100000, 200000);
  const layer = join(bed.dir, 'first');
  renameSync(join(bed.bundle, 'rootfs'), layer);
  mkdirSync(join(bed.bundle, 'rootfs'));
  const more = Array.from({ length: empty }, (_, i) => join(bed.dir, `empty${i}`));
  for (const directory of more) mkdirSync(directory);
  const layers = [...more, second, layer].join(':');
  const options = ['uidmap=0:100000:65536', 'gidmap=0:200000:65536', `lowerdir=${layers}`];
  const rootfs = [
    { type: 'overlay', source: 'overlay', options: [...options, `upperdir=${upper}`, `workdir=${work}`] },
  ];
  return { upper, rootfs };
}

/** The shim on a kernel that takes no descriptors as layers of an overlay. */
function withoutDescriptors(engine: Engine): void {
  const real = join(engine.bed.dir, 'real');
  mkdirSync(real);
  const shim = join(real, basename(engine.program));
  renameSync(engine.program, shim);
  const script = `#!/bin/sh\nexec ${join(programs, 'refuse-layers')} ${shim} "$@"\n`;
  writeFileSync(engine.program, script, { mode: 0o755 });
}

const mountsOf = (bed: Bed): string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(bed.dir));

for (const [kernel, prepare] of [
  ['', () => {}],
  [' on a kernel without layers by descriptor', withoutDescriptors],
] as const) {
  mapped(
    `overlay layers are id-mapped for the user namespace when a snapshotter requests it${kernel}, and only the overlay is mounted`,
    onEngine(async (engine, bed) => {
      prepare(engine);
      bed.config.process.args = ['/bin/sh', '-c', 'stat -c "%u %g" /bin/sh /second; echo here >/made'];
      // More than one option of fsconfig(2) can name.
      const { upper, rootfs } = layered(bed, 100);
      engine.start();
      const stdout = engine.fifo('out');
      const out = readAll(stdout);
      await engine.run({ rootfs, stdout });
      assert.is(mountsOf(bed).length, 1);
      assert.is(await engine.wait(), 0);
      assert.is(await out, '0 0\n7 8\n');
      assert.is(readFileSync(join(upper, 'made'), 'utf8'), 'here\n');
      assert.is(statSync(join(upper, 'made')).uid, 100000);
      await engine.over();
      assert.equal(mountsOf(bed), []);
      assert.equal(readdirSync(join(bed.dir, 'second')), ['second']);
    }),
  );

  mapped(
    `a layer that does not exist is named, and an overlay that the kernel refuses leaves nothing mounted${kernel}`,
    onEngine(async (engine, bed) => {
      prepare(engine);
      const { rootfs } = layered(bed);
      const { options, ...overlay } = rootfs[0]!;
      engine.start();
      const { id, bundle } = bed;
      const failed = async (list: string[]): Promise<string> => {
        const request = task.CreateTaskRequest.encode({ id, bundle, rootfs: [{ ...overlay, options: list }] });
        return (await refused(engine.call('Create', request))).message;
      };
      const missing = options.map((option) => option.replace('lowerdir=', 'lowerdir=/no/layer:'));
      assert.match(await failed(missing), /the layer \/no\/layer of .*: ENOENT/);
      assert.match(await failed([...options, 'nonsense=1']), /EINVAL/);
      assert.equal(mountsOf(bed), []);
      await engine.call('Shutdown', task.ShutdownRequest.encode({ id }));
    }),
  );
}

/** Numbers of the system calls for the overlay, the same on all architectures; the child makes fsmount before 6.15. */
const mountCalls = { open_tree: 428, move_mount: 429, fsopen: 430, fsconfig: 431, mount_setattr: 442 };
const fsmount = 432;

/** Create while the shim is killed at its first call with this number: no layer stays mounted, and delete cleans up. */
async function killedAt(engine: Engine, number: number, rootfs: types.Mount.$Properties[]): Promise<void> {
  const { bed } = engine;
  const { id, bundle } = bed;
  engine.start();
  const { shimPid } = await engine.call('Connect', task.ConnectRequest.encode({ id }), task.ConnectResponse);
  const killer = spawn(join(programs, 'kill-at'), [String(shimPid), String(number)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((ready) => killer.stdout.once('data', ready));
  await refused(engine.call('Create', task.CreateTaskRequest.encode({ id, bundle, rootfs })));
  assert.equal(mountsOf(bed), [], `killed at ${number}`);
  for (let i = 0; i < 2; i++) assert.is(task.DeleteResponse.decode(engine.action('delete')).exitStatus, 137);
}

killed(
  'a shim that is killed at any call while it mounts layers leaves none mounted, and delete can be repeated',
  onEngine(async (engine, bed) => {
    const { rootfs } = layered(bed);
    for (const number of Object.values(mountCalls)) await killedAt(engine, number, rootfs);
    assert.ok(existsSync(join(bed.dir, 'first', 'bin')) && existsSync(join(bed.dir, 'second', 'second')));
    assert.equal(readdirSync(bed.bundle).sort(), ['address', 'config.json', 'rootfs']);
  }),
);

killed(
  'the same on a kernel without layers by descriptor: the child that mounts them ends by itself',
  onEngine(async (engine, bed) => {
    withoutDescriptors(engine);
    const { rootfs } = layered(bed);
    // The first such call of the shim itself, after the child's end, attaches the overlay.
    await killedAt(engine, mountCalls.move_mount, rootfs);
  }),
);

killedByDescriptor(
  'the same when the overlay is made of layers by descriptor',
  onEngine(async (engine, bed) => {
    const { rootfs } = layered(bed);
    await killedAt(engine, fsmount, rootfs);
  }),
);

test(
  'the directories of a mount of type mkdir/overlay are made for it, with their owners',
  onEngine(async (engine, bed) => {
    bed.config.root = { path: 'rootfs' };
    bed.config.process.args = ['/bin/sh', '-c', 'stat -c "%u:%g %a" /; ls /bin/sh'];
    bed.write();
    renameSync(bed.rootfs, join(bed.dir, 'image'));
    mkdirSync(bed.rootfs);
    const [upper, work] = [join(bed.dir, 'upper'), join(bed.dir, 'work')];
    const options = [
      `X-containerd.mkdir.path=${upper}:0751:7:8`,
      `X-containerd.mkdir.path=${work}`,
      `lowerdir=${join(bed.dir, 'image')}`,
      `upperdir=${upper}`,
      `workdir=${work}`,
    ];
    engine.start();
    const stdout = engine.fifo('out');
    const out = readAll(stdout);
    await engine.run({ rootfs: [{ type: 'mkdir/overlay', source: 'overlay', options }], stdout });
    assert.is(await engine.wait(), 0);
    assert.is(await out, '7:8 751\n/bin/sh\n');
    await engine.over();
  }),
);

test(
  'of two concurrent Creates of one id, one is refused and does not disturb the other',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/true'];
    bed.write();
    renameSync(bed.rootfs, join(bed.dir, 'image'));
    mkdirSync(bed.rootfs);
    engine.start();
    const { id, bundle } = bed;
    const rootfs = [{ type: 'bind', source: join(bed.dir, 'image'), options: ['rbind', 'rw'] }];
    const create = () => engine.call('Create', task.CreateTaskRequest.encode({ id, bundle, rootfs }));
    const made = await Promise.allSettled([create(), create()]);
    const refusals = made.filter((r) => r.status === 'rejected').map((r) => r.reason as StatusError);
    assert.equal(
      refusals.map(({ code, message }) => [code, message]),
      [[6, `container ${id} already exists`]],
    );
    const mounted = () => readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${bed.rootfs} `);
    assert.ok(mounted());
    await engine.call('Start', task.StartRequest.encode({ id }));
    assert.is(await engine.wait(), 0);
    await engine.over();
    assert.not(mounted());
  }),
);

test(
  'Wait for an exec returns when the exec is deleted before its start',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    engine.start();
    await engine.run();
    const { id } = bed;
    const value = new TextEncoder().encode(JSON.stringify(bed.config.process));
    await engine.call('Exec', task.ExecProcessRequest.encode({ id, execId: 'e', spec: { value } }));
    const wait = refused(engine.call('Wait', task.WaitRequest.encode({ id, execId: 'e' })));
    await engine.call('Delete', task.DeleteRequest.encode({ id, execId: 'e' }));
    const { code, message } = await wait;
    assert.equal([code, message], [5, 'process e was deleted before it was started']);
    await engine.over();
  }),
);

test(
  'a malformed request is refused as an invalid argument, and the shim continues',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    engine.start();
    await engine.run();
    // A string of 127 bytes of which one is sent; a group without an end.
    for (const bytes of [[0x0a, 0x7f, 0x41], [0x0b]]) {
      const { code, message } = await refused(engine.call('State', { finish: () => Uint8Array.from(bytes) }));
      assert.is(code, 3);
      assert.match(message, /^the request is malformed: /);
    }
    const { id } = bed;
    const { status } = await engine.call('State', task.StateRequest.encode({ id }), task.StateResponse);
    assert.is(status, types.Status.RUNNING);
    await engine.over();
  }),
);

test.run();
mapped.run();
killed.run();
killedByDescriptor.run();
