/**
 * Crafted mount destinations and criu's names of external mounts: a destination must not choose what criu takes for the
 * host's, nor what it binds at a restore. With a criu that shows its request, and with the real one.
 */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Request } from '../../src/container/criu/criu-messages.js';
import { type Bed, type CommandOptions, needing, onBed } from '../integration/bed/bed.js';
import { Side } from '../integration/bed/criu-side.js';
import { programs, runtPath, weakCommand } from '../integration/bed/place.js';

const test = needing("criu's names", 'root', 'programs', 'cgroups');
const real = needing("the real criu's names", 'root', 'programs', 'cgroups', 'criu', 'linux-5.13');

/** Destinations in the grammar of criu's option `--external mnt[KEY]:VAL`, or near it. */
const crafted = ['/a:/etc', '/a,b', '/mnt[x', '/m2f65746', '/a b', '/-v4', '/auto:ms', '/a\\x5d', '/ä', '/{}:ms'];
const broken = ['/a]:m2f', '/x[1]', '/]', '/a]/b'];

const nameOf = (path: string) => `m${Buffer.from(path).toString('hex')}`;

/** runt with a criu that writes its request to a file. */
const request = (bed: Bed, command: string, ...args: string[]) => requestOf({}, bed, command, ...args);

function requestOf(o: CommandOptions, bed: Bed, command: string, ...args: string[]) {
  const out = join(bed.dir, 'request');
  const r = bed.runt(['--criu', join(programs, 'fake-criu'), command, ...args, bed.id], {
    ...o,
    env: { PATH: process.env.PATH ?? '', ...o.env, FAKE_OUT: out },
  });
  const mounts = (): [string, string][] =>
    (Request.decode(readFileSync(out)).opts?.ext_mnt ?? [])
      .map(({ key, val }): [string, string] => [key ?? '', val ?? ''])
      .filter((pair) => !pair.some((text) => text.startsWith('/sys/fs/cgroup/')));
  return { ...r, mounts };
}

/** Makes a bind mount at a destination, of a source of its own. */
function bind(bed: Bed, destination: string): string {
  const source = join(bed.dir, `source-${bed.config.mounts.length}`);
  mkdirSync(source, { recursive: true });
  writeFileSync(join(source, 'own'), destination);
  bed.config.mounts.push({ destination, type: 'bind', source, options: ['bind'] });
  return source;
}

test(
  'CVE-2026-115520, CVE-2026-119101, CVE-2026-119614: each destination has a name of hex digits, with its own source',
  onBed((bed) => {
    bed.config.root.readonly = false;
    const sources = new Map(crafted.map((path) => [path, bind(bed, path)]));
    bed.started();
    const images = join(bed.dir, 'images');
    const dump = request(bed, 'checkpoint', '--image-path', images);
    assert.is(dump.code, 0, dump.stderr);
    assert.equal(dump.mounts().sort(), crafted.map((path): [string, string] => [path, nameOf(path)]).sort());
    bed.write();
    const restore = request(bed, 'restore', '-d', '--image-path', images, '--bundle', bed.bundle);
    assert.is(restore.code, 0, restore.stderr);
    const expected = crafted.map((path): [string, string] => [nameOf(path), sources.get(path)!]);
    assert.equal(restore.mounts().sort(), expected.sort());
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  'CVE-2026-115520, CVE-2026-119101: a destination with the end of a key is refused, and the container continues',
  onBed((bed) => {
    bed.config.root.readonly = false;
    for (const path of broken) {
      const { mounts } = bed.config;
      bed.config.mounts = [...mounts];
      bind(bed, path);
      bed.started();
      const dump = request(bed, 'checkpoint', '--image-path', join(bed.dir, 'images'));
      assert.is(dump.code, 1, path);
      assert.match(dump.stderr, 'criu does not support a mount on a path with "]"');
      assert.match(dump.stderr, `/mounts/${mounts.length}/destination`);
      assert.is(bed.state().status, 'running');
      assert.is(bed.delete('--force').code, 0);
      bed.config.mounts = mounts;
    }
  }),
);

test(
  'CVE-2026-115520, CVE-2026-119101: the attack works on a runt that names mounts by their destinations',
  onBed((bed) => {
    bed.config.root.readonly = false;
    bind(bed, '/a]:m2f');
    bed.started();
    const dump = requestOf(weakCommand('names'), bed, 'checkpoint', '--image-path', join(bed.dir, 'images'));
    assert.is(dump.code, 0, dump.stderr);
    const [[key, name] = ['', '']] = dump.mounts();
    // criu's `--external mnt[KEY]:VAL`: the key ends at the first bracket, and the destination chooses the rest.
    const [, read, chosen] = /^mnt\[([^\]]*)\]:(.*)$/.exec(`mnt[${key}]:${name}`) ?? [];
    assert.equal([read, chosen], ['/a', 'm2f]:m/a]:m2f']);
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  'CVE-2026-119614: behind a symlink of the image, the key is the mount point, and no other mount has the name',
  onBed((bed) => {
    bed.config.root.readonly = false;
    mkdirSync(join(bed.rootfs, 'target'));
    symlinkSync('target', join(bed.rootfs, 'link'));
    symlinkSync('/proc', join(bed.rootfs, 'to-proc'));
    bind(bed, '/link');
    bed.config.mounts.push({ destination: '/to-proc/fs', type: 'bind', source: bed.dir, options: ['bind'] });
    bed.started();
    const dump = request(bed, 'checkpoint', '--image-path', join(bed.dir, 'images'));
    assert.is(dump.code, 0, dump.stderr);
    const names = dump.mounts();
    assert.equal(
      names.filter(([key]) => key === '/target'),
      [['/target', nameOf('/link')]],
    );
    assert.not.ok(names.some(([key]) => ['/proc', '/dev', '/', '/link'].includes(key)));
    assert.is(new Set(names.map(([, name]) => name)).size, names.length);
  }),
);

real(
  'CVE-2026-115520, CVE-2026-119101, CVE-2026-119614, with criu: crafted destinations keep their own sources',
  onBed((bed) => {
    const side = new Side(bed, runtPath);
    bed.config.root.readonly = false;
    // No mount is a slave of the host's: this test is about names alone.
    bed.config.linux.namespaces.push({ type: 'cgroup' });
    bed.config.linux.rootfsPropagation = 'private';
    for (const path of crafted) bind(bed, path);
    side.started(['/kept', 'memory', '1']);
    side.goesOn();
    side.checkpoint();
    side.restore();
    side.goesOn();
    for (const path of crafted) assert.is(side.exec('cat', `${path}/own`).stdout, path);
    side.ends();
  }),
);

test.run();
real.run();
