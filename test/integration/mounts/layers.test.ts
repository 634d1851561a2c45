/** Layers that containers write: an upper directory has one container, and a fresh layer ends with its container. */
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../bed/bed.js';
import { asUser, me } from '../bed/callers.js';
import { withUserNamespace } from '../bed/config.js';

const test = needing('layers', 'root');
const mapped = needing('layers in a user namespace', 'root', 'linux-5.11');

const second = (bed: Bed): string => `${bed.id}-second`;

/** Makes the overlay on / of the config, with `directory` as its upper and work directories. */
function withOverlay(bed: Bed, directory = join(bed.dir, 'writes'), work = 'work'): string {
  for (const name of ['upper', work]) mkdirSync(join(directory, name), { recursive: true });
  const options = [`lowerdir=${bed.rootfs}`, `upperdir=${directory}/upper`, `workdir=${directory}/${work}`];
  bed.config.mounts = bed.config.mounts.filter(({ type }) => type !== 'overlay');
  bed.config.mounts.unshift({ destination: '/', type: 'overlay', source: 'overlay', options });
  bed.config.root.readonly = false;
  return directory;
}

/** Runs a second container of the same config. */
function runSecond(bed: Bed, ...globals: string[]) {
  bed.config.process.args = ['/bin/true'];
  bed.write();
  return bed.runt([...globals, 'run', '--bundle', bed.bundle, second(bed)]);
}

const refusal = (r: { code: number | null; stderr: string }, bed: Bed, why = `container ${bed.id} uses it`) => {
  assert.is(r.code, 1, r.stderr);
  assert.ok(r.stderr.includes(why), r.stderr);
  assert.ok(r.stderr.includes('/mounts/0/options/1'), r.stderr);
};

test(
  'an upper directory in use is refused by pointer, by whatever path, and nothing is left of the second container',
  onBed((bed) => {
    const directory = withOverlay(bed);
    bed.started();
    refusal(runSecond(bed), bed);
    withOverlay(bed, directory, 'other-work');
    refusal(runSecond(bed), bed);
    symlinkSync(directory, join(bed.dir, 'link'));
    withOverlay(bed, join(bed.dir, 'link'));
    refusal(runSecond(bed), bed);
    const root = join(bed.dir, 'other-root');
    refusal(runSecond(bed, '--root', root), bed);
    assert.equal(existsSync(root) ? readdirSync(root) : [], []);
    assert.not.match(bed.runt(['list', '-q']).stdout, second(bed));
    bed.delete('--force');
    assert.is(runSecond(bed).code, 0);
  }),
);

test(
  'an upper directory is free once its container has stopped, was killed or was deleted, and after a reboot',
  onBed((bed) => {
    const directory = withOverlay(bed);
    const pid = bed.started();
    refusal(runSecond(bed), bed);
    process.kill(pid, 'SIGKILL');
    bed.until('stopped');
    assert.is(runSecond(bed).code, 0);
    bed.delete();

    bed.started();
    const record = readdirSync(directory).find((name) => name.startsWith('.runt-upper-'))!;
    const path = join(directory, record);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace(/"boot":"[^"]*"/, '"boot":"another"'));
    assert.is(runSecond(bed).code, 0, 'a record of another boot');
    writeFileSync(path, text);
    refusal(runSecond(bed), bed);
    writeFileSync(path, '');
    assert.is(runSecond(bed).code, 0, 'an empty record, as a power failure leaves it');
    writeFileSync(path, text.replace(/"created":"[^"]*"/, '"created":"2020-01-01T00:00:00Z"'));
    assert.is(runSecond(bed).code, 0, 'a record of an earlier container of that id');
    writeFileSync(path, '{"boot":');
    refusal(runSecond(bed), bed, `remove ${path}`);
    bed.delete('--force');
  }),
);

test(
  'a copy of the directories is free, and two overlays of one config may not share them',
  onBed((bed) => {
    const directory = withOverlay(bed);
    bed.started();
    cpSync(directory, join(bed.dir, 'copy'), { recursive: true });
    withOverlay(bed, join(bed.dir, 'copy'));
    assert.is(runSecond(bed).code, 0);
    bed.delete('--force');
    withOverlay(bed);
    bed.config.mounts.push({ ...bed.config.mounts[0]!, destination: '/mnt' });
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /another mount of this config uses it/);
  }),
);

test(
  'eight containers of one bundle at once: one runs, and seven are refused',
  onBed(async (bed) => {
    withOverlay(bed);
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const all = Array.from({ length: 8 }, (_, i) => bed.spawn(['run', '-d', '--bundle', bed.bundle, `${bed.id}-${i}`]));
    const results = await Promise.all(all.map(({ exit }) => exit));
    assert.is(results.filter(({ code }) => code === 0).length, 1, results.map((r) => r.stderr).join('\n'));
    for (const { code, stderr } of results) if (code !== 0) assert.match(stderr, /uses it/);
    for (let i = 0; i < 8; i++) bed.runt(['delete', '--force', `${bed.id}-${i}`]);
  }),
);

test(
  'an ordinary user is refused a directory in use too',
  onBed((bed) => {
    const runt = asUser(bed);
    const directory = join(bed.dir, 'mine');
    for (const name of ['', 'upper', 'work']) {
      mkdirSync(join(directory, name));
      chownSync(join(directory, name), me, me);
    }
    const bundle = join(bed.dir, 'of-user');
    mkdirSync(bundle);
    chownSync(bundle, me, me);
    const spec = ['spec', '--rootless', '--bundle', bundle, '--rootfs', bed.rootfs, '--overlay', directory];
    assert.is(runt(...spec, '--', 'sleep', '1000').code, 0);
    const first = runt('run', '-d', '--bundle', bundle, bed.id);
    assert.is(first.code, 0, first.stderr);
    refusal(runt('run', '-d', '--bundle', bundle, second(bed)), bed);
    assert.is(runt('delete', '--force', bed.id).code, 0);
    const again = runt('run', '-d', '--bundle', bundle, second(bed));
    assert.is(again.code, 0, again.stderr);
    assert.is(runt('delete', '--force', second(bed)).code, 0);
  }),
);

const layerDir = (bed: Bed): string => join(bed.dir, 'layers');

/** Writes the config of `spec --ephemeral`. */
function ephemeral(bed: Bed, ...flags: string[]): void {
  const layers = flags.some((f) => f.startsWith('--ephemeral=')) ? [] : ['--ephemeral', '--layer-dir', layerDir(bed)];
  const args = ['spec', '--bundle', bed.bundle, '--file', 'fresh.json', '--rootfs', bed.rootfs, ...layers, ...flags];
  const r = bed.runt([...args, '--', '/bin/sleep', '1000']);
  assert.is(r.code, 0, r.stderr);
  bed.config = JSON.parse(readFileSync(join(bed.bundle, 'fresh.json'), 'utf8'));
  bed.write();
}

const layersOf = (bed: Bed): string[] =>
  existsSync(layerDir(bed)) ? readdirSync(layerDir(bed)).filter((name) => !name.startsWith('.')) : [];

for (const [name, flags] of [
  ['as root', []],
  ['in a user namespace', ['--uid-map', '0:100000:65536']],
] as const) {
  mapped(
    `each container has a fresh layer on disk, removed with it (${name})`,
    onBed((bed) => {
      chmodSync(bed.dir, 0o755);
      ephemeral(bed, ...flags);
      for (let i = 0; i < 2; i++) {
        assert.is(bed.out('test ! -e /made && mkdir /made && echo x >/bin/new && stat -c %a /'), '755\n');
        assert.equal(layersOf(bed), [], 'the run has ended');
      }
      bed.started();
      const [layer, ...more] = layersOf(bed);
      assert.equal(more, []);
      assert.is(statSync(join(layerDir(bed), layer!)).mode & 0o007, 0, 'other users cannot search it');
      assert.is(bed.runt(['exec', bed.id, '/bin/sh', '-c', 'echo hello >/note']).code, 0);
      assert.is(readFileSync(join(layerDir(bed), layer!, 'upper', 'note'), 'utf8'), 'hello\n');
      const other = bed.runt(['run', '--bundle', bed.bundle, '-d', second(bed)]);
      assert.is(other.code, 0, other.stderr);
      assert.is(layersOf(bed).length, 2);
      assert.is(bed.runt(['exec', second(bed), '/bin/ls', '/note']).code !== 0, true);
      assert.is(bed.runt(['delete', '--force', second(bed)]).code, 0);
      assert.is(bed.delete('--force').code, 0);
      assert.equal(layersOf(bed), []);
      assert.not.ok(existsSync(join(bed.rootfs, 'made')));
    }),
  );
}

mapped(
  'a strict umask of the caller closes no layer to the container',
  onBed((bed) => {
    chmodSync(bed.dir, 0o755);
    const before = process.umask(0o077);
    try {
      for (const flags of [[], ['--uid-map', '0:100000:65536']]) {
        rmSync(join(bed.bundle, 'fresh.json'), { force: true });
        ephemeral(bed, ...flags);
        assert.is(bed.out('stat -c %a /'), '755\n');
      }
      const spec = ['spec', '--bundle', join(bed.dir, 'strict'), '--rootfs', bed.rootfs];
      const layer = ['--overlay', join(bed.dir, 'strict-layer'), '--user', '7', '--', '/bin/ls', '/'];
      assert.is(bed.runt([...spec, ...layer]).code, 0);
      const r = bed.runt(['run', '--bundle', join(bed.dir, 'strict'), bed.id]);
      assert.is(r.code, 0, r.stderr);
    } finally {
      process.umask(before);
    }
  }),
);

test(
  'a layer is removed after a failed create, with a tree of any depth, and after a killed process',
  onBed((bed) => {
    ephemeral(bed);
    bed.config.process.args = ['/no/such/program'];
    assert.is(bed.run().code, 1);
    assert.equal(layersOf(bed), []);
    const deep = 'i=0; while [ $i -lt 900 ]; do mkdir d && cd d || exit 9; i=$((i+1)); done; cd / && echo done';
    assert.is(bed.out(deep), 'done\n');
    assert.equal(layersOf(bed), []);
    const pid = bed.started();
    process.kill(pid, 'SIGKILL');
    bed.until('stopped');
    assert.is(layersOf(bed).length, 1);
    assert.is(bed.delete().code, 0);
    assert.equal(layersOf(bed), []);
  }),
);

test(
  'layers from before a reboot are removed by the next container; those of this boot stay',
  onBed((bed) => {
    ephemeral(bed);
    bed.started();
    const [layer] = layersOf(bed);
    const old = join(layerDir(bed), 'old');
    cpSync(join(layerDir(bed), layer!), old, { recursive: true });
    const record = JSON.parse(readFileSync(join(old, 'in-use.json'), 'utf8'));
    writeFileSync(join(old, 'in-use.json'), JSON.stringify({ ...record, boot: 'another' }), { mode: 0o600 });
    mkdirSync(join(layerDir(bed), 'foreign'));
    const other = ['run', '--bundle', bed.bundle, '-d', second(bed)];
    assert.is(bed.runt(other).code, 0);
    assert.ok(existsSync(old), 'looked for once in each boot');
    writeFileSync(join(layerDir(bed), '.swept.json'), 'another', { mode: 0o600 });
    assert.is(bed.runt(['delete', '--force', second(bed)]).code, 0);
    assert.is(bed.runt(other).code, 0);
    assert.not.ok(existsSync(old));
    assert.ok(existsSync(join(layerDir(bed), layer!)));
    assert.ok(existsSync(join(layerDir(bed), 'foreign')), 'what has no record is not ours');
    for (const id of [second(bed), bed.id]) assert.is(bed.runt(['delete', '--force', id]).code, 0);
  }),
);

test(
  'a directory of layers that others may write is refused',
  onBed((bed) => {
    ephemeral(bed);
    mkdirSync(layerDir(bed));
    chmodSync(layerDir(bed), 0o777);
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /every user may write to it/);
    assert.equal(layersOf(bed), []);
  }),
);

for (const [name, flags] of [
  ['as root', []],
  ['in a user namespace', ['--uid-map', '0:100000:65536']],
] as const) {
  mapped(
    `a fresh layer on a tmpfs has its size, and nothing is on disk (${name})`,
    onBed((bed) => {
      chmodSync(bed.dir, 0o755);
      ephemeral(bed, '--ephemeral=4m', ...flags);
      const script = 'dd if=/dev/zero of=/big bs=1M count=8 2>/dev/null || echo full; ls /; stat -c %a /';
      const said = bed.out(script).split('\n');
      assert.is(said[0], 'full');
      assert.not.ok(said.includes('upper') || said.includes('work'), said.join(' '));
      assert.is(said.at(-2), '755');
      assert.not.ok(existsSync(join(bed.rootfs, 'big')));
      assert.is(bed.out('grep -c " / / " /proc/self/mountinfo'), '1\n');
    }),
  );
}

mapped(
  "spec --uid-map maps an image of the host's root for an overlay, and no image that the namespace owns",
  onBed((bed) => {
    chmodSync(bed.dir, 0o755);
    const map = ['--uid-map', '0:100000:65536'];
    const script =
      'stat -c %u:%g /bin /new; rm -r /sbin && mkdir /sbin/ && cp /bin/sh /tmp/sh && mv /usr /usr2; ls -d /usr2';
    const overlaid = ['spec', '--bundle', bed.bundle, '--file', 'a.json', '--rootfs', bed.rootfs, ...map];
    mkdirSync(join(bed.rootfs, 'usr'), { recursive: true });
    mkdirSync(join(bed.rootfs, 'sbin/below'), { recursive: true });
    assert.is(bed.runt([...overlaid, '--overlay', join(bed.dir, 'w'), '--', '/bin/sh', '-c', 'true']).code, 0);
    bed.config = JSON.parse(readFileSync(join(bed.bundle, 'a.json'), 'utf8'));
    assert.ok(bed.config.mounts[0]!.options!.includes('idmap'));
    assert.is(bed.out(`mkdir /new; ${script}`), '0:0\n0:0\n/usr2\n');
    assert.is(statSync(join(bed.dir, 'w', 'upper', 'new')).uid, 100000);
    assert.ok(existsSync(join(bed.rootfs, 'usr')));

    chownSync(bed.rootfs, 100000, 100000);
    overlaid[4] = 'b.json';
    assert.is(bed.runt([...overlaid, '--overlay', join(bed.dir, 'x'), '--', 'true']).code, 0);
    assert.not.match(readFileSync(join(bed.bundle, 'b.json'), 'utf8'), /idmap/);
    chownSync(bed.rootfs, 0, 0);
  }),
);

mapped(
  'idmap maps the lower layers of an overlay on /, several of them, with mappings of the mount or the container',
  onBed((bed) => {
    chmodSync(bed.dir, 0o755);
    for (const name of ['one', 'upper', 'work']) mkdirSync(join(bed.dir, name));
    writeFileSync(join(bed.dir, 'one', 'file'), 'above\n');
    writeFileSync(join(bed.rootfs, 'file'), 'below\n');
    const options = [`lowerdir=${bed.dir}/one:${bed.rootfs}`, `upperdir=${bed.dir}/upper`, `workdir=${bed.dir}/work`];
    const overlay = {
      destination: '/',
      type: 'overlay',
      source: 'overlay',
      options: [...options, 'idmap', 'userxattr'],
    };
    const mounts = [...bed.config.mounts];
    bed.config.root.readonly = false;
    withUserNamespace(bed.config);
    for (const name of ['upper', 'work']) chownSync(join(bed.dir, name), 100000, 100000);
    bed.config.mounts = [overlay, ...mounts];
    assert.is(bed.out('cat /file; stat -c %u /file /bin; ls / | grep lower; true'), 'above\n0\n0\n');
    bed.config.mounts = [{ ...overlay, destination: '/mnt' }, ...mounts];
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /must be \/ for an id-mapped overlay/);
    assert.match(r.stderr, /mounts\/0\/destination/);
  }),
);

mapped(
  'a volume on / can be id-mapped',
  onBed((bed) => {
    chmodSync(bed.dir, 0o755);
    const map = ['--uid-map', '0:100000:65536', '--volume', `${bed.rootfs}:/:idmap`];
    const spec = ['spec', '--bundle', bed.bundle, '--file', 'a.json', '--rootfs', bed.rootfs, ...map];
    assert.is(bed.runt([...spec, '--read-only=false', '--', '/bin/sh', '-c', 'true']).code, 0);
    bed.config = JSON.parse(readFileSync(join(bed.bundle, 'a.json'), 'utf8'));
    assert.is(bed.out('mkdir /made; stat -c %u /made /bin'), '0\n0\n');
    assert.is(statSync(join(bed.rootfs, 'made')).uid, 0);
  }),
);

test(
  'an ordinary user has a fresh layer on a tmpfs, and one on disk is refused with the reason',
  onBed((bed) => {
    const runt = asUser(bed);
    const bundle = join(bed.dir, 'of-user');
    mkdirSync(bundle);
    chownSync(bundle, me, me);
    const spec = ['spec', '--rootless', '--bundle', bundle, '--rootfs', bed.rootfs];
    assert.match(runt(...spec, '--ephemeral', '--', 'true').stderr, /needs a size/);
    assert.is(runt(...spec, '--ephemeral=8m', '--', 'sh', '-c', 'echo x >/note && cat /note').code, 0);
    const r = runt('run', '--bundle', bundle, bed.id);
    assert.is(r.code, 0, r.stderr);
    assert.is(r.stdout, 'x\n');
    assert.not.ok(existsSync(join(bed.rootfs, 'note')));
  }),
);

test(
  'checkpoint refuses a fresh layer by pointer',
  onBed((bed) => {
    ephemeral(bed);
    bed.started();
    const r = bed.runt(['checkpoint', '--image-path', join(bed.dir, 'images'), bed.id]);
    assert.is(r.code, 1);
    assert.match(r.stderr, /fresh layer/);
    bed.delete('--force');
  }),
);

for (const t of [test, mapped]) t.run();
