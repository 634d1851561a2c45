/** Operations below a mount whose directory was moved meanwhile, and what verifyMounts accepts and refuses. */
import { mkdirSync, renameSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { mountBind, mountFs } from '../../../src/plan/mounts/mount-op.js';
import type { Op } from '../../../src/plan/plan-ops.js';
import { needing } from '../../integration/bed/needs.js';
import { andRun, errorOf, type Ground, intoRoot, onGround, type Performing, perform } from './perform.js';

const ESTALE = 116;
const test = needing('mount-table', 'root', 'programs');
const mounting = needing('mount-table and mounts by hooks', 'root', 'programs', 'mount', 'prlimit');
const limiting = needing('mount-table with few descriptors', 'root', 'programs', 'prlimit');

const fs = (target: string, fstype = 'tmpfs', options: string[] = []): Op =>
  mountFs({ at: '', target, fstype, source: fstype, options, attrs: 0 });
const bind = (source: string, target: string, recursive = true): Op => mountBind({ at: '', target, source, recursive });
const mask = (path: string): Op => ({ op: 'mask', at: '', path });
const readOnly = (path: string): Op => ({ op: 'readonlyPath', at: '', path });
const mkdir = (path: string): Op => ({ op: 'mkdir', at: '', path, mode: 0o755 });
const link = (path: string, content: string): Op => ({ op: 'symlink', at: '', content, path, required: false });
const pause: Op = { op: 'await', at: '', what: 'the test' };
const verify = (last: boolean): Op => ({ op: 'verifyMounts', at: '', last });
const device = (path: string): Op => ({
  ...{ op: 'device', at: '', path, type: 'c', major: 1, minor: 3, mode: 0o666, uid: 0, gid: 0, bind: false },
});
/** A script between the mounts and the switch of root, in the mount namespace of the container. */
const hook = (script: string): Op => ({
  ...{ op: 'hook', at: '', point: 'createContainer', index: 0, path: '/bin/sh', args: ['sh', '-c', script] },
  ...{ env: [`PATH=${process.env.PATH}`], beforePid: '{', afterPid: '}', inside: false },
});

/** Exchanges a directory of the root file system with an empty one. */
const swap = ({ rootfs }: Ground, name: string): void => {
  renameSync(join(rootfs, name), join(rootfs, '.moved'));
  mkdirSync(join(rootfs, name));
};
/** Undoes `swap`. */
const unswap = ({ rootfs }: Ground, name: string): void => {
  rmdirSync(join(rootfs, name));
  renameSync(join(rootfs, '.moved'), join(rootfs, name));
};

const list = 'cat /proc/self/mountinfo';
/** The mount points that `list` printed, except the root, in the order of mounting. */
const mountsIn = (stdout: string): string[] =>
  stdout
    .split('\n')
    .filter((line) => line.includes(' - '))
    .map((line) => line.split(' ')[4] as string)
    .filter((target) => target !== '/');

const ways: Record<string, Performing> = {
  'with openat2 and statx': {},
  'without openat2': { filter: ['openat2=38'] },
  'without statx': { filter: ['statx=38'] },
  'with few descriptors': { descriptors: 24 },
  'without mount_setattr': { filter: ['mount_setattr=38'] },
  // fsconfig remains for `reconfigure`, which has no fallback.
  'without the mount API': {
    filter: ['open_tree', 'move_mount', 'fsopen', 'fsmount', 'mount_setattr'].map((call) => `${call}=1`),
  },
};

for (const [way, o] of Object.entries(ways)) {
  const suite = o.descriptors ? limiting : test;
  const each = (name: string, body: (ground: Ground) => Promise<void>, to = suite) =>
    to(`${way}: ${name}`, onGround(body));
  /** Performs a plan and calls `awaited` at each pause; returns the script's output, or throws. */
  const run = async (ground: Ground, ops: Op[], script: string, awaited?: () => void): Promise<string> => {
    const outcome = await perform([...intoRoot(ground.rootfs), ...ops, ...andRun(script)], {
      ...o,
      ...(awaited && { awaited }),
    });
    if (outcome.reports.at(-1)?.[0] !== 'exec') throw new Error(JSON.stringify(outcome));
    return outcome.stdout;
  };
  /** The index in `ops` of the operation that is reported for a moved mount. */
  const refused = async (ground: Ground, ops: Op[], awaited?: () => void): Promise<number> => {
    const before = intoRoot(ground.rootfs);
    const error = errorOf(await perform([...before, ...ops, ...andRun('true')], { ...o, ...(awaited && { awaited }) }));
    assert.is(error.syscall, 'verifyMount', JSON.stringify(error));
    return error.index - before.length;
  };

  each('masks, read-only paths, attributes, devices, links and mounts reach a mount that was moved', async (ground) => {
    for (const dir of ['proc', 'dev']) mkdirSync(join(ground.rootfs, dir), { recursive: true });
    let turn = 0;
    const ops = [
      fs('/proc', 'proc'),
      fs('/dev'),
      pause, // proc is moved
      readOnly('/proc/sys'),
      mask('/proc/version'),
      mask('/proc/bus'),
      mask('/proc/none'),
      pause, // it is back, and dev is moved
      mkdir('/dev/a/b'),
      fs('/dev/shm'),
      fs('/dev/a/b/c'),
      { ...fs('/dev/old'), flags: 1 << 15 } as Op, // MS_SILENT: by mount(2)
      bind('/dev/null', '/dev/bound'),
      device('/dev/made'),
      link('/dev/link', 'made'),
      { op: 'mountAttrs', at: '', target: '/dev/shm', setAttrs: 1, clearAttrs: 0, recursive: false } as Op,
      { op: 'reconfigure', at: '', target: '/dev', options: ['size=1m'] } as Op,
      { op: 'propagate', at: '', target: '/dev/a/b/c', propagation: [1 << 20] } as Op,
      pause, // and back
      verify(false),
    ];
    const out = await run(
      ground,
      [device('/dev/null'), ...ops.slice(0, 2), device('/dev/null'), ...ops.slice(2)],
      `${list}; ls /dev; readlink /dev/link; grep -c size=1024k /proc/self/mountinfo`,
      () => {
        if (turn === 0) swap(ground, 'proc');
        else unswap(ground, turn === 1 ? 'proc' : 'dev');
        if (turn === 1) swap(ground, 'dev');
        turn++;
      },
    );
    assert.is(turn, 3);
    const lines = out.split('\n');
    assert.equal(mountsIn(out).sort(), [
      ...[
        '/dev',
        '/dev/a/b/c',
        '/dev/bound',
        '/dev/old',
        '/dev/shm',
        '/proc',
        '/proc/bus',
        '/proc/sys',
        '/proc/version',
      ],
    ]);
    assert.equal(lines.slice(-10), ['a', 'bound', 'link', 'made', 'null', 'old', 'shm', 'made', '2', '']);
  });

  each(
    'a mount that was moved away is refused with its operation, before the switch of root and at the end',
    async (ground) => {
      mkdirSync(join(ground.rootfs, 'proc'), { recursive: true });
      mkdirSync(join(ground.rootfs, 'data/volume'), { recursive: true });
      const ops = [fs('/dev'), fs('/proc', 'proc'), fs('/data/volume'), pause];
      for (const [dir, index] of [
        ['proc', 1],
        ['data', 2],
      ] as const) {
        const forth = () => swap(ground, dir);
        assert.is(await refused(ground, [...ops, verify(false)], forth), index);
        unswap(ground, dir);
        assert.is(await refused(ground, ops, forth), index);
        unswap(ground, dir);
      }
      // Its directory is removed, and the kernel unmounts it.
      assert.is(
        await refused(ground, ops, () => {
          renameSync(join(ground.rootfs, 'proc'), join(ground.rootfs, '.moved'));
          rmdirSync(join(ground.rootfs, '.moved'));
          mkdirSync(join(ground.rootfs, 'proc'));
        }),
        1,
      );
    },
  );

  each('a path does not lead into a mount of the plan that was moved there', async (ground) => {
    for (const dir of ['proc', 'data']) mkdirSync(join(ground.rootfs, dir), { recursive: true });
    const ops = [fs('/proc', 'proc'), pause, fs('/data/sys')];
    const index = await refused(ground, ops, () => {
      renameSync(join(ground.rootfs, 'data'), join(ground.rootfs, '.data'));
      renameSync(join(ground.rootfs, 'proc'), join(ground.rootfs, 'data'));
      mkdirSync(join(ground.rootfs, 'proc'));
    });
    assert.is(index, 0);
  });

  each('paths below a destination with symlinks or ".." are found by both names', async (ground) => {
    for (const dir of ['run', 'var']) mkdirSync(join(ground.rootfs, dir), { recursive: true });
    symlinkSync('/run', join(ground.rootfs, 'var/run'));
    const ops = [
      fs('/proc', 'proc'),
      fs('/var/run'),
      mkdir('/run/a'),
      fs('/var/../run/a'),
      mkdir('/var/run/a/secret'),
      mkdir('/run/a/public'),
      fs('/var/run/lock'),
      pause, // the link leads elsewhere, and run is moved
      mask('/run/a/secret'),
      mask('/var/run/a/public'),
      pause,
      verify(false),
    ];
    let turn = 0;
    const out = await run(ground, ops, list, () => {
      if (turn++ === 0) swap(ground, 'run');
      else unswap(ground, 'run');
    });
    assert.equal(mountsIn(out).sort(), ['/proc', '/run', '/run/a', '/run/a/public', '/run/a/secret', '/run/lock']);
  });

  each('mounts on the same target, above each other and over the root are found', async (ground) => {
    for (const dir of ['a/b', 'etc/x']) mkdirSync(join(ground.rootfs, dir), { recursive: true });
    mkdirSync(join(ground.outside, 'secret'));
    const ops = [
      fs('/proc', 'proc'),
      fs('/a/b'),
      fs('/a/b'),
      fs('/etc/x'),
      bind(ground.outside, '/etc'),
      mask('/etc/secret'),
      mkdir('/a/b/dir'),
      mask('/a/b/dir'),
      fs('/etc'),
      mask('/etc/secret'), // not in this one
      verify(false),
    ];
    const out = await run(ground, ops, `${list}; ls /etc`);
    assert.equal(mountsIn(out), ['/proc', '/a/b', '/a/b', '/etc/x', '/etc', '/etc/secret', '/a/b/dir', '/etc']);
    const over = [
      ...[fs('/proc', 'proc'), fs('/a/b'), bind(ground.rootfs, '/', false)],
      ...[fs('/proc', 'proc'), device('/dev/null'), mask('/proc/version')],
    ];
    assert.match(await run(ground, over, `${list}; wc -c </proc/version`), /\n0\n$/);
  });

  each(
    'a read-only path includes the mounts below it, and masked paths there stay masked in the clone',
    async (ground) => {
      const volume = join(ground.outside, 'volume');
      for (const dir of ['sub/secret', 'sub/deep', 'left']) mkdirSync(join(volume, dir), { recursive: true });
      writeFileSync(join(volume, 'sub/secret/file'), '');
      mkdirSync(join(ground.outside, 'inner/secret/file'), { recursive: true });
      const ops = [
        fs('/proc', 'proc'),
        bind(volume, '/data'),
        bind(join(ground.outside, 'inner'), '/data/sub'),
        fs('/data/sub/deep'),
        // A clone leaves it out.
        fs('/data/left'),
        { op: 'propagate', at: '', target: '/data/left', propagation: [1 << 17] } as Op,
        readOnly('/data'),
        mask('/data/sub/secret'),
      ];
      mkdirSync(join(ground.outside, 'inner/deep'));
      const out = await run(
        ground,
        ops,
        `ls /data/sub/secret | wc -l; ( : >/data/sub/deep/x ) 2>/dev/null || echo refused; ${list}`,
      );
      assert.match(out, /^0\nrefused\n/);
      assert.is(mountsIn(out).filter((target) => target === '/data/sub/secret').length, 1);
      // The same, but the mount below is not where the clone should have it.
      const index = await refused(ground, [...ops.slice(0, 4), pause, readOnly('/data')], () => {
        renameSync(join(volume, 'sub'), join(volume, 'moved'));
        mkdirSync(join(volume, 'sub'));
      });
      assert.is(index, 2);
    },
  );

  each(
    'mounts by a hook on, below and above a mount are found, and a mount that it unmounts is refused',
    async (ground) => {
      for (const dir of ['proc', 'dev', 'data/volume', 'tmp']) mkdirSync(join(ground.rootfs, dir), { recursive: true });
      const { rootfs } = ground;
      const show: Op = { op: 'showRoot', at: '', path: rootfs };
      const ops = [fs('/proc', 'proc'), fs('/dev'), fs('/dev/shm'), fs('/data/volume'), device('/dev/null')];
      const script = [
        `mount -t tmpfs hooked ${rootfs}/dev/shm`,
        `mkdir ${rootfs}/dev/shm/secret`,
        `mount -t tmpfs hooked ${rootfs}/proc/bus`,
        `mkdir ${rootfs}/proc/bus/secret`,
        `mount -t tmpfs hooked ${rootfs}/data`,
        `mkdir ${rootfs}/data/secret`,
      ].join(' && ');
      const masks = [mask('/dev/shm/secret'), mask('/proc/bus/secret'), mask('/data/secret'), mask('/proc/version')];
      const out = await run(ground, [...ops, show, hook(script), verify(false), ...masks], list);
      assert.equal(mountsIn(out).sort(), [
        ...['/data', '/data/secret', '/data/volume', '/dev', '/dev/shm', '/dev/shm', '/dev/shm/secret', '/proc'],
        ...['/proc/bus', '/proc/bus/secret', '/proc/version'],
      ]);
      assert.is(await refused(ground, [...ops, show, hook(`umount -l ${rootfs}/dev/shm`), verify(false)]), 2);
      // Another file system on its target is not the same mount.
      const again = `umount -l ${rootfs}/data/volume && mount -t tmpfs hooked ${rootfs}/data/volume`;
      assert.is(await refused(ground, [...ops, show, hook(again), verify(false)]), 3);
    },
    mounting,
  );

  each("hooks get the root at its path only while the path leads to the root's own directory", async (ground) => {
    const { rootfs } = ground;
    const ops: Op[] = [...intoRoot(rootfs), pause, { op: 'showRoot', at: '', path: rootfs }, hook(`ls ${rootfs}/bin`)];
    const moved = `${rootfs}.moved`;
    for (const change of [() => mkdirSync(rootfs), () => symlinkSync('/usr', rootfs)]) {
      const awaited = () => {
        renameSync(rootfs, moved);
        change();
      };
      const error = errorOf(await perform(ops, { ...o, awaited }));
      assert.equal([error.index, error.errno], [ops.length - 2, ESTALE]);
      rmSync(rootfs, { recursive: true });
      renameSync(moved, rootfs);
    }
    await run(ground, ops.slice(intoRoot(rootfs).length), 'true', () => {});
  });

  each('many nested mounts are found', async (ground) => {
    mkdirSync(join(ground.rootfs, 'many'));
    const ops = [fs('/proc', 'proc'), fs('/many')];
    for (let i = 0; i < 60; i++) ops.push(fs(`/many/${i}`), fs(`/many/${i}/in`), mkdir(`/many/${i}/in/secret`));
    for (let i = 0; i < 60; i++) ops.push(mask(`/many/${i}/in/secret`));
    assert.is(await run(ground, [...ops, verify(false)], 'grep -c /secret /proc/self/mountinfo'), '60\n');
    const moved = [...ops.slice(0, 2), pause, ...ops.slice(2), verify(false)];
    assert.is(await refused(ground, moved, () => swap(ground, 'many')), 1);
  });
}

test.run();
mounting.run();
limiting.run();
