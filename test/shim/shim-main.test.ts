/** The shim's program on the fake host: -v, -info, `delete` after a killed shim, and its errors. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { makeStateDir } from '../../src/container/state/claim-id.js';
import { saveRecord } from '../../src/container/state/stored-files.js';
import { shim } from '../../src/shim/shim-main.js';
import { task, types } from '../../src/shim/transport/protos.js';
import { E } from '../../src/sys/errno.js';
import { recordOf } from '../container/state/records.js';
import { mountCgroups } from '../sys/fake-host/cgroups.js';
import { FakeKernel } from '../sys/fake-host/fake-kernel.js';

const test = suite('shim main');

interface Result {
  readonly kernel: FakeKernel;
  readonly code: number;
  /** What it wrote to its standard output. */
  readonly out: Uint8Array;
  readonly error: string;
}

async function run(args: readonly string[], prepare: (kernel: FakeKernel) => void = () => {}): Promise<Result> {
  const kernel = new FakeKernel({ args });
  const out: number[] = [];
  const [write, stat] = [kernel.performs('write'), kernel.performs('stat')];
  kernel.on('write', (fd, data) => {
    if (fd === 1) out.push(...data);
    return write(fd, data);
  });
  kernel.on('stat', (dirfd, path, flags, data) =>
    dirfd === 0 && path === '' ? -E.EBADF : stat(dirfd, path, flags, data),
  );
  mountCgroups(kernel, '/sys/fs/cgroup', { controllers: '' });
  kernel.tree.directory('/b/rootfs');
  prepare(kernel);
  const code = await kernel.finish(shim('containerd-shim-runt-v1'));
  return { kernel, code, out: new Uint8Array(out), error: kernel.descriptors.written(2) };
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

test('-v prints the name and the version', async () => {
  const { code, out } = await run(['-v']);
  assert.is(code, 0);
  assert.match(text(out), /^containerd-shim-runt-v1:\n {2}Version: {2}\S+\n$/);
});

test('-info prints a RuntimeInfo with the features', async () => {
  const { code, out, error } = await run(['-info'], (kernel) => {
    kernel.on('compileSeccomp', () => 8);
    kernel.on('seccompFlags', () => 0);
    kernel.on('seccompVersion', () => -E.ENOSYS);
  });
  const info = types.RuntimeInfo.decode(out);
  assert.equal([code, error, info.name], [0, '', 'io.containerd.runt.v1']);
  assert.equal(info.annotations, { 'containerd.io/runtime-allow-mounts': 'mkdir/*' });
  const features = JSON.parse(text(info.features?.value ?? new Uint8Array())) as { ociVersionMin: string };
  assert.is(features.ociVersionMin, '1.0.0');
});

test('unknown arguments are one line of error and status 1', async () => {
  const { code, out, error } = await run(['-unknown']);
  assert.equal([code, out.length], [1, 0]);
  assert.match(error, /^containerd-shim-runt-v1: .*unknown flag -unknown/);
});

const arguments_ = ['-namespace', 'ns', '-id', 'web', '-bundle', '/b', 'delete'];
const root = '/run/containerd/runt/ns';

test('delete of a missing container reports exit status 137 and the current time', async () => {
  const { code, out } = await run(arguments_);
  const { pid, exitStatus, exitedAt } = task.DeleteResponse.decode(out);
  assert.equal([code, pid, exitStatus], [0, 0, 137]);
  assert.ok(Number(exitedAt?.seconds) > 1_600_000_000);
});

test('delete reports the recorded exit and removes everything, and may be repeated', async () => {
  const exit = { pid: 2500, status: 3, signal: 0, exitedAtNs: '1700000000000000000', oom: false };
  const { kernel, code, out } = await run(arguments_, (kernel) => {
    makeStateDir(root, 'web');
    saveRecord(root, recordOf('web'));
    kernel.tree.file(`${root}/web/exit.json`, JSON.stringify(exit));
    kernel.tree.mount('/b/rootfs');
  });
  const { pid, exitStatus } = task.DeleteResponse.decode(out);
  assert.equal([code, pid, exitStatus], [0, 2500, 3]);
  assert.equal([kernel.tree.list(root), kernel.tree.list('/b')], [[], ['rootfs']]);
  assert.is(kernel.tree.at('/b/rootfs')?.covered, undefined);
  assert.is(await kernel.finish(shim('containerd-shim-runt-v1')), 0);
});

test('delete kills a container that still runs', async () => {
  const other = '/run/elsewhere/ns';
  const { kernel, code } = await run(arguments_, (kernel) => {
    kernel.tree.file('/b/state-root', other);
    makeStateDir(other, 'web');
    saveRecord(other, recordOf('web'));
    kernel.processes.add({ pid: 2500 });
  });
  assert.is(code, 0);
  assert.is(kernel.processes.get(2500), undefined);
  assert.equal(kernel.tree.list(other), [], 'the state is in the root that the engine chose');
});

test('delete waits for a supervisor that is about to record the exit', async () => {
  const { out } = await run(arguments_, (kernel) => {
    // A separate root, because the earlier one is still open.
    kernel.tree.file('/b/state-root', '/run/third/ns');
    makeStateDir('/run/third/ns', 'web');
    const supervisor = kernel.processes.add({ name: 'supervisor' });
    const { pid, startTime } = supervisor;
    saveRecord('/run/third/ns', recordOf('web', { supervisor: { pid, startTime } }));
    const exit = { pid: 2500, status: 143, signal: 15, exitedAtNs: '1700000000000000000', oom: false };
    kernel.clock.after(50, () => {
      kernel.tree.file('/run/third/ns/web/exit.json', JSON.stringify(exit));
      supervisor.exit(0);
    });
  });
  assert.is(task.DeleteResponse.decode(out).exitStatus, 143);
});

test('a failed delete prints the reason', async () => {
  const { code, error } = await run(arguments_, (kernel) => {
    kernel.tree.file('/b/state-root', '/run/fourth/ns');
    kernel.failAt('unmount', 1, E.EBUSY);
  });
  assert.is(code, 1);
  assert.match(error, /^containerd-shim-runt-v1: .*unmount \/b\/rootfs: EBUSY/);
});

test.run();
