/** The mounts of a root file system on the fake host: options, id-mapped layers, and the undo of a failure. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { mountRootfs, unmountRootfs } from '../../../src/shim/task/rootfs-mounts.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { MOUNT_ATTR_RDONLY } from '../../../src/sys/linux.js';
import { textsOf } from '../../sys/fake-host/buffers.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import { SocketEnd } from '../../sys/fake-host/sockets.js';

const test = suite('rootfs mounts');

const MOUNT_ATTR_NOSUID = 2;

/** A kernel that records each mount as a line, and can mount and unmount. */
function withMounts(): { kernel: FakeKernel; mounts: string[] } {
  const kernel = new FakeKernel();
  const mounts: string[] = [];
  kernel.tree.directory('/b/rootfs');
  for (const layer of ['/l1', '/l2']) kernel.tree.directory(layer);
  const at = (target: string): number => {
    if (!kernel.tree.at(target)) return -E.ENOENT;
    kernel.tree.mount(target);
    return 0;
  };
  kernel.on('mountFs', (type, source, options, attrs, target) => {
    mounts.push(`${type} ${source} [${textsOf(options).join(' ')}] ${attrs} ${target}`);
    return at(target);
  });
  kernel.on('mountBind', (source, recursive, attrs, target) => {
    mounts.push(`bind ${source} ${recursive} ${attrs} ${target}`);
    return at(target);
  });
  kernel.on('mountOverlay', (source, layers, options, attrs, target, hidden) => {
    const count = layers.length / 4;
    mounts.push(`${count} layers of ${source} [${textsOf(options).join(' ')}] ${attrs} ${target} ${hidden}`);
    return at(target);
  });
  return { kernel, mounts };
}

async function failure(kernel: FakeKernel, work: Promise<void>): Promise<RuntError> {
  const error = await kernel.finish(
    work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    ),
  );
  assert.instance(error, RuntError);
  return error as RuntError;
}

test('each kind of mount gets its options as attributes, as data, or not at all', async () => {
  for (const [mount, line] of [
    [
      { type: 'overlay', source: 'overlay', options: ['lowerdir=/l1', 'ro', 'nosuid'] },
      `overlay overlay [lowerdir=/l1 ro] ${MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID} /b/rootfs`,
    ],
    [{ type: 'tmpfs', options: ['size=1m', 'rslave'] }, 'tmpfs tmpfs [size=1m] 0 /b/rootfs'],
    [{ type: 'bind', source: '/l1', options: ['ro'] }, `bind /l1 0 ${MOUNT_ATTR_RDONLY} /b/rootfs`],
    [{ type: 'none', source: '/l1', options: ['rbind', 'ro', 'rw'] }, 'bind /l1 1 0 /b/rootfs'],
  ] as const) {
    const { kernel, mounts } = withMounts();
    await kernel.finish(mountRootfs([{ ...mount, options: [...mount.options] }], '/b/rootfs'));
    assert.equal(mounts, [line]);
    assert.equal(kernel.open, []);
  }
});

test('mkdir/ before a type makes the directories of its options, and keeps one that exists', async () => {
  const { kernel, mounts } = withMounts();
  kernel.tree.directory('/w');
  const directories = ['/w/upper:0755:100000:200000', '/w/work', '/l1:0700:5:5'];
  const options = [...directories.map((d) => `X-containerd.mkdir.path=${d}`), 'lowerdir=/l1', 'upperdir=/w/upper'];
  await kernel.finish(mountRootfs([{ type: 'mkdir/overlay', source: 'overlay', options }], '/b/rootfs'));
  assert.equal(mounts, ['overlay overlay [lowerdir=/l1 upperdir=/w/upper] 0 /b/rootfs']);
  const made = (path: string) => {
    const { mode, uid, gid } = kernel.tree.at(path)!;
    return [mode & 0o7777, uid, gid];
  };
  assert.equal(
    [made('/w/upper'), made('/w/work')],
    [
      [0o755, 100000, 200000],
      [0o700, 0, 0],
    ],
  );
  assert.is(kernel.tree.at('/l1')!.uid, 0);
});

test('a directory of mkdir/ that cannot be made, or is a file, or is not an absolute path, is an error', async () => {
  for (const [path, code] of [
    ['/none/upper', 'ERR_MOUNT'],
    ['/file', 'ERR_MOUNT'],
    ['upper', 'ERR_UNSUPPORTED'],
    ['/w:9', 'ERR_UNSUPPORTED'],
    ['/w:0755:1', 'ERR_UNSUPPORTED'],
  ] as const) {
    const { kernel, mounts } = withMounts();
    kernel.tree.file('/file');
    const mount = { type: 'mkdir/overlay', options: [`X-containerd.mkdir.path=${path}`] };
    assert.is((await failure(kernel, mountRootfs([mount], '/b/rootfs'))).code, code, path);
    assert.equal(mounts, []);
  }
});

test('a transform that containerd should have applied is refused', async () => {
  const { kernel } = withMounts();
  for (const type of ['format/overlay', 'mkdir/format/overlay']) {
    const error = await failure(kernel, mountRootfs([{ type, source: 'overlay' }], '/b/rootfs'));
    assert.equal([error.code, error.message], ['ERR_UNSUPPORTED', 'mount type format/overlay of the root file system']);
  }
});

test('an option that a root file system cannot have is refused', async () => {
  const { kernel, mounts } = withMounts();
  const error = await failure(kernel, mountRootfs([{ type: 'bind', source: '/l1', options: ['idmap'] }], '/b/rootfs'));
  assert.equal([error.code, error.message], ['ERR_UNSUPPORTED', 'mount option idmap of the root file system']);
  assert.equal(mounts, []);
});

test('the mounts before a failed one are undone', async () => {
  const { kernel, mounts } = withMounts();
  const list = [{ type: 'tmpfs' }, { type: 'bind', source: '/l1' }, { type: 'overlay' }];
  kernel.before('mountBind', 1, () => kernel.failAt('mountFs', 1, E.EINVAL));
  const error = await failure(kernel, mountRootfs(list, '/b/rootfs'));
  assert.equal([error.code, error.errno, error.path], ['ERR_MOUNT', E.EINVAL, '/b/rootfs']);
  assert.is(mounts.length, 2);
  assert.is(kernel.tree.at('/b/rootfs')?.covered, undefined);
});

test('unmountRootfs removes all mounts, and accepts that there are none', () => {
  const { kernel } = withMounts();
  for (let i = 0; i < 3; i++) kernel.tree.mount('/b/rootfs');
  unmountRootfs('/b/rootfs');
  assert.is(kernel.tree.at('/b/rootfs')?.covered, undefined);
  unmountRootfs('/b/none');
  for (const errno of [E.EPERM, E.ENOTDIR]) {
    kernel.failAt('unmount', 1, errno);
    unmountRootfs('/b/rootfs');
  }
  kernel.failAt('unmount', 1, E.EBUSY);
  try {
    unmountRootfs('/b/rootfs');
    assert.unreachable();
  } catch (error) {
    assert.equal([(error as RuntError).code, (error as RuntError).errno], ['ERR_MOUNT', E.EBUSY]);
  }
});

const mapped = {
  type: 'overlay',
  source: 'overlay',
  options: ['lowerdir=/l1:/l2', 'upperdir=/u', 'uidmap=0:100000:65536', 'gidmap=0:100000:65536'],
};

/** A kernel that can make user namespaces for id maps: the process that holds one waits to be killed. */
function withIdMaps() {
  const host = withMounts();
  const { kernel } = host;
  const maps: string[] = [];
  kernel.processes.init = ({ process, file }) => {
    // The process gets no plan, and ends with its channel.
    const sync = file(3);
    if (sync instanceof SocketEnd) sync.onHangUp = () => process.exit(1);
    for (const kind of ['uid', 'gid']) {
      kernel.tree.file(`/proc/${process.pid}/${kind}_map`, {
        write: (text) => {
          maps.push(`${kind} ${text.trim()}`);
          return 0;
        },
      });
    }
    return undefined;
  };
  return { ...host, maps };
}

for (const [errno, tries] of [
  [0, [0]],
  [E.EINVAL, [0, 1]],
  [E.EBADF, [0, 1]],
] as const) {
  const how = errno ? `in a hidden namespace if the kernel takes no descriptors (${errno})` : 'by descriptor';
  test(`layers with other ids are id-mapped, and are never mounted where others see them: ${how}`, async () => {
    const { kernel, mounts, maps } = withIdMaps();
    if (errno) kernel.failAt('mountOverlay', 1, errno);
    await kernel.finish(mountRootfs([mapped], '/b/rootfs'));
    assert.equal(maps.sort(), ['gid 0 100000 65536', 'uid 0 100000 65536']);
    assert.equal(mounts, [`2 layers of overlay [upperdir=/u] 0 /b/rootfs ${tries.at(-1)}`]);
    assert.equal(kernel.tree.list('/b'), ['rootfs']);
    assert.equal([kernel.open, kernel.processes.list.length], [[], 1]);
  });
}

test('if a step for layers with other ids fails, the others leave nothing', async () => {
  for (const [call, n, errno] of [
    ['openTree', 2, E.EPERM],
    ['idMapTree', 1, E.EPERM],
    ['mountOverlay', 1, E.EPERM],
  ] as const) {
    const { kernel, mounts } = withIdMaps();
    kernel.failAt(call, n, errno);
    const error = await failure(kernel, mountRootfs([mapped], '/b/rootfs'));
    assert.equal([error.code, error.errno], ['ERR_MOUNT', errno], call);
    assert.equal([...kernel.open, ...(kernel.tree.list('/b') ?? []), ...mounts], ['rootfs'], call);
  }
});

test('an unsupported request for layers with other ids is refused', async () => {
  for (const mount of [
    { ...mapped, type: 'ext4' },
    { ...mapped, options: mapped.options.slice(0, 3) },
    { ...mapped, options: mapped.options.slice(1) },
    { ...mapped, options: ['lowerdir=/a\\:b', ...mapped.options.slice(1)] },
  ]) {
    const { kernel } = withIdMaps();
    assert.is((await failure(kernel, mountRootfs([mount], '/b/rootfs'))).code, 'ERR_UNSUPPORTED');
  }
});

test.run();
