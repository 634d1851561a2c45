/** Bundles of images: the right image of several, its config, and containers that run. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
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
import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { type Bed, needing, ok, onBed } from '../bed/bed.js';
import { asUser } from '../bed/callers.js';
import type { Config } from '../bed/config.js';
import { runtPath } from '../bed/place.js';
import { type Descriptor, indexType, Layout, sha256 } from './image-writer.js';
import { bundled, bundleOf, type Made } from './made-bundle.js';
import { type Entry, tar } from './tar-writer.js';

const test = needing('bundles of images', 'root');
const ordinary = needing('images of an ordinary user', 'root', 'mount', 'unshare', 'open-checkout');
const mapping = needing('images in a user namespace', 'root', 'newuidmap', 'mount', 'unshare', 'open-checkout');

const passwd = 'root:x:0:0::/:/bin/sh\nwww:x:33:34::/:/bin/sh\nbad:x:4294967295:0::/:\n';
const group = 'root:x:0:root\nwww:x:34:\nmore:x:77:a,www\nstaff:x:50:\nbad:x:-1:\n';

/** The files of the test's root file system, as a layer. */
function files(bed: Bed): Buffer {
  const archive = execFileSync('tar', ['-C', bed.rootfs, '-c', '.'], { maxBuffer: 64 << 20 });
  return gzipSync(archive, { level: 1 });
}

const names: readonly Entry[] = [
  { name: 'etc/passwd', data: passwd },
  { name: 'etc/group', data: group },
];

const configOf = (made: Made): Config => JSON.parse(readFileSync(join(made.dir, 'config.json'), 'utf8')) as Config;

test(
  "an image's settings become those of the container, which runs",
  onBed((bed) => {
    const made = bundled(
      bed,
      [files(bed), [...names, { name: 'data/seed', data: 's' }, { name: 'data', type: '5', uid: 33, mode: 0o750 }]],
      {
        Entrypoint: ['/bin/sh', '-c'],
        Cmd: ['id -u; id -g; id -G; echo "$A|$B"; pwd; ls /data; stat -c %u:%a /data; touch /bin/made && echo written'],
        Env: ['A=1', 'B=of the image', 'PATH=/bin'],
        User: 'www',
        WorkingDir: '/usr/new',
        Volumes: { '/data': {} },
        StopSignal: 'SIGQUIT',
        ExposedPorts: { '80/tcp': {}, '53/udp': {} },
        Labels: { maintainer: 'somebody' },
      },
      '--env',
      'B=own',
    );
    ok(made);
    const { annotations } = configOf(made) as Config & { annotations: Record<string, string> };
    assert.is(annotations['org.opencontainers.image.stopSignal'], 'SIGQUIT');
    assert.is(annotations['org.opencontainers.image.exposedPorts'], '80/tcp,53/udp');
    assert.is(annotations['org.opencontainers.image.os'], 'linux');
    assert.is(annotations.maintainer, 'somebody');
    const r = bed.runt(['run', '-b', made.dir, bed.id]);
    assert.is(r.stdout, '33\n34\n34 77\n1|own\n/usr/new\nseed\n33:750\n');
    assert.is(r.code, 1, 'another user cannot write to /bin');
    assert.is(bed.runt(['validate', '--strict', made.dir]).code, 0);
  }),
);

test(
  'the command, the entry point, the user and other options of the caller take precedence',
  onBed((bed) => {
    const layers = [files(bed), names];
    const config = {
      Entrypoint: ['/bin/echo', 'entry'],
      Cmd: ['cmd'],
      User: 'www',
      Volumes: { '/data/': {}, '/tmp': {} },
    };
    const run = (...args: string[]) => {
      const made = bundled(bed, layers, config, ...args);
      ok(made);
      return [ok(bed.runt(['run', '-b', made.dir, bed.id])).stdout, made] as const;
    };
    assert.is(run()[0], 'entry cmd\n');
    assert.is(run('--', '--own', 'args')[0], 'entry --own args\n');
    assert.is(run('--entrypoint', '/bin/echo')[0], '\n');
    assert.is(run('--entrypoint', '', '--', 'echo', 'all')[0], 'all\n');
    mkdirSync(join(bed.dir, 'own'));
    writeFileSync(join(bed.dir, 'own', 'there'), '');
    const options = ['--user', 'root:staff', '-v', 'own:/data', '--workdir', '/tmp', '--read-only'];
    const [out, made] = run(
      ...options,
      '--entrypoint',
      '/bin/sh',
      '--',
      '-c',
      'ls /data; id -g; pwd; touch /x 2>/dev/null || echo refused',
    );
    assert.is(out, 'there\n50\n/tmp\nrefused\n');
    const { mounts } = configOf(made);
    assert.is(mounts.filter(({ destination }) => /^\/data/.test(destination)).length, 1, 'one mount covers the volume');
    const fresh = bundled(
      bed,
      layers,
      config,
      '--ephemeral=16m',
      '--user',
      '0',
      '--entrypoint',
      '/bin/touch',
      '--',
      '/bin/made',
    );
    ok(fresh);
    ok(bed.runt(['run', '-b', fresh.dir, bed.id]));
    assert.not.ok(existsSync(join(fresh.rootfs, 'bin/made')));
  }),
);

test(
  'settings that an image may not have are refused by pointer, and unsafe labels are left out',
  onBed((bed) => {
    const layers = [[...names]];
    for (const [config, message] of [
      [{ Cmd: [] }, /the image names no command/],
      [{ Env: ['HOME'] }, /"HOME" is not NAME=VALUE/],
      [{ Env: ['=x'] }, /"=x" is not NAME=VALUE/],
      [{ Env: 'A=1' }, /\/config\/Env is not a list/],
      [{ Env: ['A=\0'] }, /\/config\/Env\/0 has a NUL/],
      [{ WorkingDir: 'tmp' }, /the working directory "tmp" is not absolute/],
      [{ Volumes: { '/..': {} } }, /the volume "\/\.\." is not an absolute path/],
      [{ Volumes: { '/': {} } }, /the volume "\/" is not an absolute path/],
      [{ User: 'nobody-there' }, /names a user that the image's \/etc\/passwd does not have/],
      [{ User: 'bad' }, /the id "4294967295", which is not a number from 0/],
      [{ User: 'www:bad' }, /the id "-1", which is not a number from 0/],
      [{ User: '4294967295' }, /which is not a number from 0 to 4294967294/],
      [{ User: '1:2:3' }, /is not USER\[:GROUP\]/],
      [{ User: ':' }, /is not USER\[:GROUP\]/],
    ] as const) {
      const made = bundled(bed, layers, config);
      assert.is(made.code, 1, JSON.stringify(config));
      assert.match(made.stderr, message);
      assert.not.ok(existsSync(made.dir));
    }
    const made = bundled(bed, layers, {
      Labels: { 'run.oci.hooks.stdout': '/etc/x', 'org.systemd.property.Slice': "'x'", good: '1' },
    });
    assert.match(made.stderr, /the label run\.oci\.hooks\.stdout of the image was left out/);
    const { annotations } = configOf(made) as Config & { annotations: Record<string, string> };
    assert.equal(
      Object.keys(annotations).filter((name) => !name.startsWith('org.opencontainers.')),
      ['good'],
    );
  }),
);

test(
  'passwd is read in the root, whatever it links to, and never from a FIFO',
  onBed((bed) => {
    writeFileSync(join(bed.dir, 'passwd'), 'www:x:0:0::/:\n');
    const outside = bundled(bed, [[{ name: 'etc/passwd', type: '2', link: join(bed.dir, 'passwd') }]], { User: 'www' });
    assert.match(outside.stderr, /does not have/);
    const fifo = bundled(bed, [[{ name: 'etc/passwd', type: '6' }]], { User: 'www' });
    assert.match(fifo.stderr, /it is not a regular file/);
    const own = bundled(
      bed,
      [
        [
          { name: 'etc/passwd', type: '2', link: '/real' },
          { name: 'real', data: passwd },
        ],
      ],
      { User: 'www' },
    );
    ok(own);
    assert.equal((configOf(own).process as { user: unknown }).user, { uid: 33, gid: 34 });
  }),
);

/** Images for platforms, each with a file of its name. */
function platforms(layout: Layout, all: readonly string[]): Descriptor[] {
  return all.map((text) => {
    const [os = '', architecture = '', variant] = text.split('/');
    const archive = tar({ name: text.replaceAll('/', '-') });
    const platform = { os, architecture, ...(variant && { variant }) };
    const manifest = layout.manifest([layout.layer(gzipSync(archive))], [sha256(archive)], {}, platform);
    return { ...manifest, platform };
  });
}

test(
  "the image for this machine's platform, or for that of --platform, is chosen from nested indexes",
  onBed((bed) => {
    const image = join(bed.dir, 'many');
    const layout = new Layout(image);
    const own = { x64: 'linux/amd64', arm64: 'linux/arm64' }[process.arch as 'x64' | 'arm64'];
    const all = platforms(layout, [
      'unknown/unknown',
      'windows/amd64',
      'linux/arm/v6',
      'linux/arm/v7',
      'linux/amd64/v3',
      'linux/arm64/v8',
      'linux/amd64',
      'linux/s390x',
    ]);
    const inner = layout.json(indexType, { schemaVersion: 2, manifests: all });
    layout.index([
      {
        ...layout.json(indexType, { schemaVersion: 2, manifests: [inner] }),
        annotations: { 'org.opencontainers.image.ref.name': 'latest' },
      },
    ]);
    const chosen = (...args: string[]) => readdirSync(ok({ ...bundleOf(bed, image, ...args) }).rootfs)[0];
    assert.match(chosen() ?? '', new RegExp(`^${own!.replace('/', '-')}`));
    assert.is(chosen('--platform', 'linux/arm'), 'linux-arm-v7');
    assert.is(chosen('--platform', 'linux/arm/v6'), 'linux-arm-v6');
    assert.is(chosen('--platform', 'linux/amd64/v3'), 'linux-amd64-v3');
    const none = bundleOf(bed, image, '--platform', 'linux/mips');
    assert.match(none.stderr, /has no image for linux\/mips[\s\S]*choose one with --platform: .*linux\/s390x/);
    assert.match(bundleOf(bed, image, '--platform', 'linux').stderr, /is not OS\/ARCHITECTURE/);
    layout.index(platforms(layout, ['linux/s390x']).map(({ platform: _, ...rest }) => rest));
    assert.match(
      bundleOf(bed, image).stderr,
      /the image is for linux\/s390x, not for linux\/\w+[\s\S]*add --platform linux\/s390x/,
    );
  }),
);

test(
  '--ref chooses one of several images, and without it they are listed',
  onBed((bed) => {
    const image = join(bed.dir, 'refs');
    const layout = new Layout(image);
    const named = ['a', 'b'].map((name) => {
      const archive = tar({ name });
      const manifest = layout.manifest(
        [layout.layer(archive, 'application/vnd.oci.image.layer.v1.tar')],
        [sha256(archive)],
      );
      return {
        ...manifest,
        annotations: { 'org.opencontainers.image.ref.name': name, 'io.containerd.image.name': `docker.io/x:${name}` },
      };
    });
    layout.index(named);
    assert.match(bundleOf(bed, image).stderr, /has several images[\s\S]*choose one with --ref: a, docker\.io\/x:a, b/);
    assert.equal(readdirSync(ok({ ...bundleOf(bed, image, '--ref', 'b') }).rootfs), ['b']);
    assert.equal(readdirSync(ok({ ...bundleOf(bed, image, '--ref', 'docker.io/x:a') }).rootfs), ['a']);
    assert.match(bundleOf(bed, image, '--ref', 'c').stderr, /has no image named "c"/);
  }),
);

test(
  'indexes that nest without end, and documents that are no image, are refused',
  onBed((bed) => {
    const image = join(bed.dir, 'odd');
    const layout = new Layout(image);
    let inner = layout.image([[{ name: 'a' }]]);
    for (let i = 0; i < 12; i++) inner = layout.json(indexType, { schemaVersion: 2, manifests: [inner] });
    layout.index([inner]);
    assert.match(bundleOf(bed, image).stderr, /has more than 8 indexes inside of one another/);
    const refuse = (write: () => void, message: RegExp) => {
      write();
      const made = bundleOf(bed, image);
      assert.is(made.code, 1);
      assert.match(made.stderr, message);
      assert.not.ok(existsSync(made.dir));
    };
    const index = (text: string) => () => writeFileSync(join(image, 'index.json'), text);
    refuse(index('{'), /index\.json:1:2 is not JSON/);
    refuse(index('[]'), /the document is not an object/);
    refuse(index('{"manifests":{}}'), /\/manifests is not a list/);
    refuse(index('{"manifests":[]}'), /has no image/);
    refuse(index('['.repeat(100_000)), /is not JSON|nested/);
    refuse(index(' '.repeat(5 << 20)), /has 5242880 bytes; runt takes at most 4194304/);
    refuse(index('{"manifests":[{"digest":"sha512:00","size":1}]}'), /is not a SHA-256 digest/);
    refuse(index('{"manifests":[{"digest":"../../x","size":1}]}'), /is not a digest/);
    refuse(index(`{"manifests":[{"digest":"sha256:${'0'.repeat(64)}","size":1e300}]}`), /size is not a size/);
    refuse(index(`{"manifests":[{"digest":"sha256:${'0'.repeat(64)}","size":1}]}`), /0{64} is missing/);
    refuse(
      () =>
        layout.index([layout.json('x', { config: layout.json('application/vnd.cncf.helm.config', {}), layers: [] })]),
      /not the manifest of an image/,
    );
    refuse(
      () =>
        layout.index([layout.manifest([layout.layer(tar(), 'application/vnd.oci.image.layer.v1.tar+encrypted')], [])]),
      /which runt cannot unpack/,
    );
    refuse(
      () => layout.index([layout.manifest([layout.layer(tar())], [])]),
      /has 1 layers, and its config has digests of 0/,
    );
    refuse(
      () => writeFileSync(join(image, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}'),
      /has the version "2\.0\.0"/,
    );
  }),
);

test(
  'a blob that is a FIFO or a symlink out of the image is refused at once',
  onBed((bed) => {
    const image = join(bed.dir, 'fifo');
    const layout = new Layout(image);
    const archive = tar({ name: 'a' });
    const layer = layout.layer(archive);
    layout.index([layout.manifest([layer], [sha256(archive)])]);
    const path = layout.path(layer.digest);
    execFileSync('sh', ['-c', 'rm "$0" && mkfifo "$0"', path]);
    assert.match(bundleOf(bed, image).stderr, /is not a regular file/);
    writeFileSync(join(bed.dir, 'blob'), archive);
    execFileSync('ln', ['-sf', join(bed.dir, 'blob'), path]);
    assert.match(bundleOf(bed, image).stderr, /leads out of the image, by/);
  }),
);

test(
  'archives of a layout and of docker save are images too, compressed or not',
  onBed((bed) => {
    const image = join(bed.dir, 'to-pack');
    const layer = tar({ name: 'a', data: 'in an archive' });
    const layout = new Layout(image);
    layout.index([layout.manifest([layout.layer(gzipSync(layer))], [sha256(layer)])]);
    const archive = join(bed.dir, 'image.tar');
    execFileSync('tar', ['-C', image, '-cf', archive, '.']);
    const text = (made: Made) => readFileSync(join(ok({ ...made }).rootfs, 'a'), 'utf8');
    assert.is(text(bundleOf(bed, archive)), 'in an archive');
    execFileSync('gzip', ['-k', archive]);
    assert.is(text(bundleOf(bed, `${archive}.gz`)), 'in an archive');

    const config = JSON.stringify({
      os: 'linux',
      architecture: { x64: 'amd64' }[process.arch as string] ?? process.arch,
      config: { Cmd: ['/a'] },
      rootfs: { type: 'layers', diff_ids: [sha256(layer), sha256(layer)] },
    });
    const hex = sha256(config).slice(7);
    const saved = (name: string, bytes: string) => ({
      Config: `${name}.json`,
      RepoTags: [bytes],
      Layers: ['one/layer.tar', 'two/layer.tar'],
    });
    const save = (manifests: object[], content = config) => {
      const path = join(bed.dir, 'saved.tar');
      writeFileSync(
        path,
        tar(
          { name: 'manifest.json', data: JSON.stringify(manifests) },
          { name: `${hex}.json`, data: content },
          { name: 'one/layer.tar', data: layer },
          { name: 'two/layer.tar', type: '2', link: '../one/layer.tar' },
        ),
      );
      return path;
    };
    assert.is(text(bundleOf(bed, save([saved(hex, 'app:1')]))), 'in an archive');
    assert.is(text(bundleOf(bed, save([saved(hex, 'app:1'), saved(hex, 'app:2')]), '--ref', 'app:2')), 'in an archive');
    assert.match(
      bundleOf(bed, save([saved(hex, 'app:1'), saved(hex, 'app:2')])).stderr,
      /has 2 images[\s\S]*--ref: app:1, app:2/,
    );
    assert.match(
      bundleOf(bed, save([saved(hex, 'app:1')], config.replace('/a', '/b'))).stderr,
      /and should have sha256/,
    );
    assert.match(
      bundleOf(bed, save([{ ...saved(hex, 'x'), Layers: ['../../state', 'one/layer.tar'] }])).stderr,
      /leads out of the image|is missing/,
    );
    const r = bundleOf(bed, archive, '--max-size', '100');
    assert.match(r.stderr, /unpacks to more than 100 bytes/);
    assert.not.ok(existsSync(r.dir));
  }),
);

/** A frame of raw blocks (RFC 8878, 3.1.1). */
function zstdFrame(data: Buffer): Buffer {
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0]);
  head.writeUInt32LE(data.length, 5);
  const parts: Uint8Array[] = [head];
  for (let at = 0; at < data.length; at += 65536) {
    const block = data.subarray(at, at + 65536);
    const header = Buffer.alloc(3);
    header.writeUIntLE((block.length << 3) | (at + block.length >= data.length ? 1 : 0), 0, 3);
    parts.push(header, block);
  }
  return Buffer.concat(parts);
}

test(
  'a layer in the format of zstd, of several frames, is unpacked',
  onBed((bed) => {
    const image = join(bed.dir, 'zstd');
    const layout = new Layout(image);
    const archive = tar({ name: 'a', data: 'x'.repeat(300_000) });
    const skipped = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
    const frames = Buffer.concat([
      zstdFrame(archive.subarray(0, 99_999)),
      skipped,
      zstdFrame(archive.subarray(99_999)),
      skipped,
    ]);
    const type = 'application/vnd.oci.image.layer.v1.tar+zstd';
    layout.index([layout.manifest([layout.layer(frames, type)], [sha256(archive)])]);
    assert.is(statSync(join(ok({ ...bundleOf(bed, image) }).rootfs, 'a')).size, 300_000);
    layout.index([layout.manifest([layout.layer(zstdFrame(archive).subarray(0, -5), type)], [sha256(archive)])]);
    assert.match(bundleOf(bed, image).stderr, /cannot be decompressed: the data is cut off/);
  }),
);

test(
  'a directory with files is not touched, and an empty one is taken',
  onBed((bed) => {
    const image = join(bed.dir, 'plain');
    new Layout(image).image([[{ name: 'a' }]]);
    const used = join(bed.dir, 'used');
    mkdirSync(used);
    assert.is(bed.runt(['bundle', image, used]).code, 0);
    assert.is(statSync(used).mode & 0o777, 0o755);
    const again = bed.runt(['bundle', image, used]);
    assert.match(again.stderr, /used is not empty/);
    assert.equal(readdirSync(used).sort(), ['config.json', 'rootfs']);
    const failing = join(bed.dir, 'failing');
    mkdirSync(failing);
    assert.is(bed.runt(['bundle', '--platform', 'linux/mips', image, failing]).code, 1);
    assert.equal(readdirSync(failing), [], 'a directory of the caller stays');
    assert.is(bed.runt(['bundle', '--cpus', 'many', image, join(bed.dir, 'x/y')]).code, 1);
    assert.not.ok(existsSync(join(bed.dir, 'x')), 'a wrong option makes no directory');
    for (const args of [
      ['bundle', image],
      ['bundle', '', used],
      ['bundle', image, ''],
      ['bundle', '--max-size', '0', image, used],
      ['bundle', image, join(bed.dir, 'n'), '--profile', 'docker'],
    ]) {
      assert.is(bed.runt(args).code, 1, args.join(' '));
    }
    copyFileSync(join(image, 'index.json'), join(bed.dir, 'not-an-image'));
    assert.match(
      bed.runt(['bundle', join(bed.dir, 'not-an-image'), join(bed.dir, 'n')]).stderr,
      /is not a whole tar archive/,
    );
    assert.match(
      bed.runt(['bundle', '/dev/null', join(bed.dir, 'n')]).stderr,
      /neither a directory nor a regular file/,
    );
    assert.match(bed.runt(['bundle', bed.root, join(bed.dir, 'n')]).stderr, /ENOENT/);
  }),
);

test(
  'with --uid-map the files belong to the ids of the user namespace, with and without a fresh layer',
  onBed((bed) => {
    for (const layer of [[], ['--ephemeral=16m']]) {
      const made = bundled(
        bed,
        [files(bed), [...names, { name: 'www', uid: 33, gid: 34 }]],
        {},
        '--uid-map',
        '0:100000:65536',
        ...layer,
        '--',
        'sh',
        '-c',
        'stat -c %u:%g /www; touch /bin/new && stat -c %u /bin/new',
      );
      ok(made);
      const { uid, gid } = statSync(join(made.rootfs, 'www'));
      assert.equal([uid, gid], [100033, 100034]);
      assert.is(ok(bed.runt(['run', '-b', made.dir, bed.id])).stdout, '33:34\n0\n');
    }
  }),
);

ordinary(
  'an ordinary user gets files of their own, a warning for owners and devices, and a container that runs',
  onBed((bed) => {
    const image = join(bed.dir, 'image');
    const layers = [
      files(bed),
      [
        ...names,
        { name: 'dev/own', type: '3', major: 1, minor: 3 },
        { name: 'shut', type: '5', mode: 0o555, uid: 7 },
        { name: 'shut/in' },
      ],
      [{ name: 'shut/later' }],
    ];
    new Layout(image).image(layers, { Cmd: ['/bin/sh', '-c', 'id -u; ls /shut'] });
    execFileSync('chmod', ['-R', 'a+rX', image]);
    const call = asUser(bed);
    const dir = join(bed.dir, 'mine');
    const r = call('bundle', image, dir);
    assert.is(r.code, 0, r.stderr);
    assert.match(r.stderr, /home\/user and 1 more: the owner is not mapped here/);
    assert.match(r.stderr, /dev\/own: the device was not made/);
    assert.is(statSync(join(dir, 'rootfs/shut')).uid, 1000);
    assert.is(statSync(join(dir, 'rootfs/shut')).mode & 0o777, 0o555);
    assert.is(ok(call('run', '-b', dir, bed.id)).stdout, '0\nin\nlater\n');
    // What it cannot finish, it removes, directories without write permission too.
    new Layout(image).image([...layers, [{ name: '../x' }]]);
    execFileSync('chmod', ['-R', 'a+rX', image]);
    assert.is(call('bundle', image, join(bed.dir, 'broken')).code, 1);
    assert.not.ok(existsSync(join(bed.dir, 'broken')));
    new Layout(image).image([[...names]], { User: 'www' });
    execFileSync('chmod', ['-R', 'a+rX', image]);
    assert.match(
      call('bundle', image, join(bed.dir, 'broken')).stderr,
      /"www" is 33:34, which the user namespace does not map/,
    );
  }),
);

mapping(
  'an ordinary user with subordinate ids gets the owners of the image',
  onBed((bed) => {
    const image = join(bed.dir, 'image');
    new Layout(image).image(
      [
        files(bed),
        [
          ...names,
          { name: 'www', uid: 33, gid: 34 },
          { name: 'sub', type: '5', uid: 40, mode: 0o700 },
          { name: 'sub/x' },
        ],
      ],
      { User: 'www', Cmd: ['stat', '-c', '%u:%g', '/www'] },
    );
    execFileSync('chmod', ['-R', 'a+rX', image]);
    const call = asUser(bed);
    const dir = join(bed.dir, 'mine');
    const maps = ['--uid-map', '0:1000:1', '--uid-map', '1:100000:65535'];
    ok(call('bundle', ...maps, image, dir));
    assert.is(statSync(join(dir, 'rootfs/www')).uid, 100032);
    assert.is(ok(call('run', '-b', dir, bed.id)).stdout, '33:34\n');
    new Layout(image).image([
      [{ name: 'sub', type: '5', uid: 40, mode: 0o700 }, { name: 'sub/x', uid: 41 }, { name: '../x' }],
    ]);
    execFileSync('chmod', ['-R', 'a+rX', image]);
    assert.is(call('bundle', ...maps, image, join(bed.dir, 'broken')).code, 1);
    assert.not.ok(existsSync(join(bed.dir, 'broken')));
  }),
);

test(
  'volumes where every container has a mount are left out, and the container runs',
  onBed((bed) => {
    const taken = ['/proc', '//proc/./', '/proc/self/attr', '/sys', '/sys/fs/cgroup', '/dev', '/dev/shm'];
    const Volumes = Object.fromEntries([...taken, '/dev/own', '/data', '/process'].map((path) => [path, {}]));
    const Cmd = ['/bin/sh', '-c', 'echo x >/dev/null && ls /proc/self/status && ls -d /data /process'];
    const made = bundled(bed, [files(bed)], { Cmd, Volumes });
    assert.is(made.code, 0);
    const lines = made.stderr.trim().split('\n').sort();
    const warning = (path: string) =>
      `runt: warning: bundle: the volume ${path} of the image was left out: every container has a mount there`;
    assert.equal(lines, taken.map(warning).sort());
    const tmpfs = configOf(made).mounts.filter(({ options }) => options?.includes('tmpcopyup'));
    assert.equal(
      tmpfs.map(({ destination }) => destination),
      ['/data', '/dev/own', '/process'],
    );
    assert.is(ok(bed.runt(['run', '-b', made.dir, bed.id])).stdout, '/proc/self/status\n/data\n/process\n');
  }),
);

test(
  'a setting of the image that cannot be used is found before its layers are unpacked',
  onBed((bed) => {
    const made = bundled(bed, [Buffer.from('not an archive')], { Cmd: [] });
    assert.is(made.code, 1);
    assert.match(made.stderr, /bundle: the image names no command\n[\s\S]*fix name one after DIR/);
  }),
);

test(
  'a layer without files may have no bytes, and one unpacks below a low limit of memory',
  onBed((bed) => {
    const made = bundled(bed, [Buffer.alloc(0), gzipSync(Buffer.alloc(0)), [{ name: 'a' }]]);
    ok(made);
    assert.equal(readdirSync(made.rootfs), ['a']);
    const image = join(bed.dir, 'image');
    new Layout(image).image([[{ name: 'a' }]]);
    const dir = join(bed.dir, 'limited');
    execFileSync('sh', ['-c', 'ulimit -v 500000; exec "$@"', 'sh', runtPath, 'bundle', image, dir]);
    assert.equal(readdirSync(join(dir, 'rootfs')), ['a']);
  }),
);

test(
  'what is wrong with the files of an image is said of them',
  onBed((bed) => {
    const image = join(bed.dir, 'odd');
    const layout = new Layout(image);
    const index = join(image, 'index.json');
    const problem = (): string => bundleOf(bed, image).stderr;
    layout.index([layout.json(indexType, { manifests: [] })]);
    assert.match(problem(), /odd has no image for [a-z0-9/]+\n$/);
    writeFileSync(join(image, 'oci-layout'), 'null');
    assert.match(problem(), /oci-layout has no version; runt knows 1\.0\.0/);
    rmSync(index);
    symlinkSync('index.json', index);
    assert.match(problem(), /index\.json leads through too many symlinks/);
    rmSync(index);
    symlinkSync('/dev/zero', index);
    assert.match(problem(), /index\.json leads out of the image, by/);
    rmSync(index);
    const config = layout.json('x', { rootfs: {}, config: { Cmd: ['x'] } });
    const saved = (...images: object[]): string => {
      writeFileSync(join(image, 'manifest.json'), JSON.stringify(images));
      return problem();
    };
    const Config = `blobs/${config.digest.replace(':', '/')}`;
    assert.match(saved(), /odd has no image\n/);
    assert.match(saved({ Config }, { Config }), /odd has 2 images\n[\s\S]*fix run "docker save NAME" for one image/);
    const twice = [
      { Config, RepoTags: ['a:1'] },
      { Config, RepoTags: ['a:1'] },
    ];
    assert.match(saved(...twice), /odd has 2 images\n[\s\S]*fix choose one with --ref: a:1\n/);
    assert.match(bundleOf(bed, image, '--ref', 'a:1').stderr, /odd has 2 images named "a:1"\n/);
    assert.match(saved({ Config: '../x' }), /odd\/\.\.\/x leads out of the image, by "\.\."/);
    assert.match(saved({ Config: 'none' }), /odd\/none is missing\n {2}fix fetch the image again/);
  }),
);

test.run();
ordinary.run();
mapping.run();
