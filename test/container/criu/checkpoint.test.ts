/** `checkpoint`: the options for criu, the files beside the images, and a failure that leaves the container running. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { create } from '../../../src/container/create.js';
import { type CheckpointOptions, checkpoint } from '../../../src/container/criu/checkpoint.js';
import { Type } from '../../../src/container/criu/criu-messages.js';
import { E } from '../../../src/sys/errno.js';
import { SIGKILL } from '../../../src/sys/linux.js';
import type { FakeProcess } from '../../sys/fake-host/processes.js';
import { BundleHost, config, failuresOf } from '../launch/bundle-host.js';
import { installCriu, type ScriptedCriu } from './scripted-criu.js';

const test = suite('checkpoint');

/** The host of the running test, its criu processes, and the container's process. */
let host: BundleHost;
let criu: ScriptedCriu[];
let init: FakeProcess;

/** A dump ends the process, unless it must keep running. */
const succeeds = (peer: ScriptedCriu): void => {
  if (!peer.options?.leave_running) init.signal(SIGKILL);
  peer.send({ type: Type.DUMP, success: true });
};

/** A running container, with this criu. */
async function running(perform: (peer: ScriptedCriu) => void | Promise<void> = succeeds, spec = config()) {
  host = new BundleHost(spec);
  const { kernel } = host;
  await kernel.finish(create(host.options()));
  init = host.init.process;
  init.name = 'sh';
  const { tree } = kernel;
  tree.at(`${kernel.root}/web`)?.entries?.delete('start.sock');
  tree.file(`/proc/${init.pid}/mountinfo`, '30 1 0:5 / / rw - ext4 /dev/x rw\n31 30 0:6 / /data rw - ext4 /dev/y rw\n');
  for (const fd of [0, 1]) {
    tree.file(`/proc/${init.pid}/fdinfo/${fd}`, 'pos:\t0\nmnt_id:\t12\n');
    tree.symlink(`/proc/${init.pid}/fd/${fd}`, 'pipe:[77]');
  }
  criu = installCriu(kernel, (peer) => perform(peer));
  kernel.calls.length = 0;
  return host;
}

const options = (over: Partial<CheckpointOptions> = {}): CheckpointOptions => ({
  root: host.kernel.root,
  id: 'web',
  imagePath: '/images',
  tcpEstablished: false,
  extUnixSk: false,
  shellJob: false,
  fileLocks: false,
  autoDedup: false,
  lazyPages: false,
  leaveRunning: false,
  preDump: false,
  linkRemap: false,
  tcpSkipInFlight: false,
  warn: (sentence) => void host.warnings.push(sentence),
  ...over,
});
const checkpointing = (over?: Partial<CheckpointOptions>): Promise<void> =>
  host.kernel.finish(checkpoint(options(over)));
const whole = ['process: sh', 'cgroup: web', 'state: web'];
const left = (): string[] => host.left.filter((what) => !what.startsWith('zombie'));

test('checkpoint writes the images and deletes the container', async () => {
  await running();
  await checkpointing();
  assert.is(criu.at(-1)?.options?.pid, init.pid);
  assert.equal(left(), []);
  assert.equal(JSON.parse(host.kernel.tree.text('/images/descriptors.json')), ['pipe:[77]', 'pipe:[77]', '']);
  assert.is(host.kernel.tree.at('/images')?.mode, 0o40700, 'the images contain memory of the container');
});

test('--leave-running and --pre-dump leave the container running', async () => {
  for (const over of [{ leaveRunning: true }, { preDump: true }]) {
    await running((peer) => peer.send({ type: Type.DUMP, success: true }));
    await checkpointing(over);
    assert.equal(left(), whole);
    assert.is(host.kernel.tree.at('/images/descriptors.json') === undefined, 'preDump' in over);
  }
});

test('checkpoint with keepState removes the process, and leaves the cgroup and the state', async () => {
  await running();
  await checkpointing({ keepState: true });
  assert.equal(left(), ['cgroup: web', 'state: web']);
});

test('if criu fails, the error has the reason from its log, and the container keeps running', async () => {
  await running((peer) => {
    host.kernel.tree.file('/work/dump.log', '(0.1) Error (criu/x.c:1): Can not dump it\n');
    peer.send({ type: Type.DUMP, success: false, cr_errno: E.EBUSY });
  });
  const error = await host.failure(() => checkpoint(options({ workPath: '/work' })));
  assert.equal([error?.code, error?.errno], ['ERR_CRIU', E.EBUSY]);
  assert.match(error?.hint ?? '', /^read the log file \/work\/dump\.log: .*Can not dump it/);
  assert.equal(left(), whole);
});

test('with lazy pages, the status descriptor gets a byte when the page server is ready', async () => {
  let fd = -1;
  await running(async (peer) => {
    await peer.notify('status-ready');
    succeeds(peer);
  });
  host.kernel.on('closesOnExec', (of) => Number(of !== fd));
  fd = host.kernel.descriptors.open(host.kernel.descriptors.get(2)!);
  await checkpointing({ statusFd: fd });
  assert.is(host.kernel.descriptors.written(2), '\0');
  await running();
  const error = await host.failure(() => checkpoint(options({ statusFd: 1_000_000 })));
  assert.is(error?.code, 'ERR_DESCRIPTOR');
  assert.equal(left(), whole);
});

test('a bind mount is external if the container still has it', async () => {
  const mounts = [
    { destination: '/data', type: 'bind', source: '/b/data', options: ['bind'] },
    { destination: '/gone', type: 'bind', source: '/b/data', options: ['bind'] },
  ];
  await running((peer) => peer.send({ type: Type.DUMP, success: true }), config({ mounts }));
  const { kernel } = host;
  kernel.tree.directory('/b/data');
  kernel.tree.directory('/data');
  // Every file that is opened in the container's root is on mount 31.
  const opened = kernel.descriptors;
  kernel.on('openAt2', (_root, path) => {
    if (path.includes('gone')) return -E.ENOENT;
    const fd = opened.open(opened.get(2)!);
    kernel.tree.file(`/proc/1000/fdinfo/${fd}`, 'mnt_id:\t31\n');
    return fd;
  });
  await checkpointing({ leaveRunning: true });
  const { options: asked } = criu.at(-1) ?? {};
  assert.equal(
    asked?.ext_mnt?.map(({ key, val }) => [key, typeof val]),
    [['/data', 'string']],
  );
});

test('checkpoint refuses invalid requests before it starts criu', async () => {
  const refused = async (prepare: () => void, over: Partial<CheckpointOptions> = {}): Promise<string> => {
    await running();
    prepare();
    const error = await host.failure(() => checkpoint(options(over)));
    assert.ok(!criu.some(({ options: asked }) => asked), 'criu gets no request');
    return `${error?.code} ${error?.message}`;
  };
  assert.match(
    await refused(() => {
      host.kernel.tree.socket(`${host.kernel.root}/web/start.sock`);
      init.name = 'runt/init';
    }),
    /^ERR_CONTAINER_STATUS Container cannot be checkpointed in created state: web/,
  );
  assert.match(await refused(() => init.signal(SIGKILL)), /in stopped state: web/);
  assert.match(await refused(() => {}, { id: 'other' }), /^ERR_NO_CONTAINER/);
  assert.match(await refused(() => {}, { parentPath: '/abs' }), /^ERR_USAGE .*must be relative to --image-path/);
  assert.match(await refused(() => {}, { parentPath: '../gone' }), /^ERR_USAGE .*is not a directory/);
  assert.match(await refused(() => host.kernel.tree.file('/images')), /^ERR_CRIU .*ENOTDIR/);
});

test('after each failed call the container runs, and no descriptor is open', async () => {
  const outcomes = await failuresOf(
    () => running((peer) => peer.send({ type: Type.DUMP, success: true })),
    () => checkpoint(options({ leaveRunning: true })),
  );
  for (const { call, error, left: all } of outcomes) {
    assert.equal(
      all.filter((what) => !what.startsWith('zombie: criu')),
      whole,
      `${call}: ${error}`,
    );
  }
});

test.run();
