/** Layers that an attacker wrote: nothing outside of the root file system is read, written or left behind. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createGzip, gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { type Bed, needing, ok, onBed } from '../bed/bed.js';
import { Layout, sha256 } from './image-writer.js';
import { bundled, bundleOf } from './made-bundle.js';
import { type Entry, tar } from './tar-writer.js';

const test = needing('hostile layers', 'root');
const withPython = needing('hostile layers with extended attributes', 'root', 'python3');
const withAcls = needing('hostile layers with ACLs', 'root', 'acls');

const dir = (name: string): Entry => ({ name, type: '5' });
const file = (name: string, data = 'x'): Entry => ({ name, data });
const symlink = (name: string, link: string): Entry => ({ name, type: '2', link });
const hardlink = (name: string, link: string): Entry => ({ name, type: '1', link });

/** Files of the host that must not change, and a symlink's target for the archives. */
class Outside {
  readonly dir: string;
  constructor(bed: Bed) {
    this.dir = join(bed.dir, 'outside');
    mkdirSync(this.dir);
    writeFileSync(join(this.dir, 'secret'), 'secret');
    writeFileSync(join(this.dir, '.wh.secret'), '');
  }
  check(): void {
    assert.equal(readdirSync(this.dir).sort(), ['.wh.secret', 'secret']);
    assert.is(readFileSync(join(this.dir, 'secret'), 'utf8'), 'secret');
    assert.is(statSync(join(this.dir, 'secret')).nlink, 1);
  }
}

/** An archive without its end. */
const start = (...entries: readonly Entry[]): Buffer => tar(...entries).subarray(0, -1024);
/** Compresses piece by piece: User Mode Linux ends a process that uses hundreds of MiB. */
const compressed = (pieces: Iterable<Buffer>): Promise<Buffer> => buffer(Readable.from(pieces).pipe(createGzip()));

/** The archive is refused with a message, and there is no bundle. */
function refused(bed: Bed, layers: readonly (readonly Entry[] | Buffer)[], message: RegExp, ...args: string[]): void {
  const r = bundled(bed, layers, {}, ...args);
  assert.is(r.code, 1, r.stderr);
  assert.match(r.stderr, message);
  assert.not.ok(existsSync(r.dir), 'nothing is left');
}

test(
  'a name with .. is refused, and its bundle is removed',
  onBed((bed) => {
    const outside = new Outside(bed);
    for (const name of ['../outside/new', 'a/../../outside/new', '..', 'a/..', '/../x', './../x']) {
      refused(bed, [[dir('a'), file(name)]], /has a name with "\.\."/);
    }
    refused(bed, [[dir('a'), hardlink('b', '../outside/secret')]], /has a name with "\.\."/);
    outside.check();
  }),
);

test(
  'an absolute name is below the root',
  onBed((bed) => {
    const name = `${bed.dir}/absolute`;
    const { rootfs, ...r } = bundled(bed, [[file(name), file('//etc//./passwd', 'p')]]);
    ok(r);
    assert.not.ok(existsSync(name));
    assert.is(readFileSync(join(rootfs, name), 'utf8'), 'x');
    assert.is(readFileSync(join(rootfs, 'etc/passwd'), 'utf8'), 'p');
  }),
);

test(
  'symlinks out of the root lead into it, in one layer and across layers',
  onBed((bed) => {
    const outside = new Outside(bed);
    const up = '../'.repeat(40);
    for (const target of [outside.dir, `${up}${outside.dir.slice(1)}`, '/proc/self/root', '/proc/self/cwd', up]) {
      for (const layers of [
        [[symlink('s', target)], [file('s/new'), file('s/secret', 'changed'), dir('s/d')]],
        [[symlink('s', target), file('s/new')]],
        [[symlink('s', target)], [file('s/.wh.secret', ''), file('s/.wh..wh..opq', '')]],
        [[symlink('s', target)], [hardlink('got', 's/secret')]],
        [[symlink('s', `${target}/secret`)], [file('s', 'changed')]],
        [[symlink('s', `${target}/secret`)], [{ name: 's', mode: 0o777, uid: 7, data: 'changed' }]],
      ]) {
        const r = bundled(bed, layers);
        if (r.code === 0) execFileSync('rm', ['-rf', r.dir]);
        else assert.not.ok(existsSync(r.dir));
        outside.check();
      }
    }
  }),
);

test(
  'a file below a symlink goes where chroot(2) would have it, as in an image with /lib -> usr/lib',
  onBed((bed) => {
    const { rootfs, ...r } = bundled(bed, [
      [dir('usr'), dir('usr/lib'), symlink('lib', 'usr/lib'), symlink('abs', '/usr')],
      [file('lib/a'), file('abs/lib/b'), file('abs/new/deep/c')],
    ]);
    ok(r);
    assert.equal(readdirSync(join(rootfs, 'usr/lib')).sort(), ['a', 'b']);
    assert.ok(existsSync(join(rootfs, 'usr/new/deep/c')));
    assert.is(readlinkSync(join(rootfs, 'lib')), 'usr/lib');
  }),
);

test(
  'a directory entry replaces a symlink, and does not change what that leads to',
  onBed((bed) => {
    const outside = new Outside(bed);
    const { rootfs, ...r } = bundled(bed, [
      [symlink('s', outside.dir), { ...dir('s'), mode: 0o700, uid: 7 }, file('s/a')],
    ]);
    ok(r);
    assert.ok(lstatSync(join(rootfs, 's')).isDirectory());
    assert.is(statSync(join(rootfs, 's')).uid, 7);
    outside.check();
  }),
);

test(
  'a hard link to a symlink is one to the symlink itself',
  onBed((bed) => {
    const outside = new Outside(bed);
    const { rootfs, ...r } = bundled(bed, [[symlink('s', join(outside.dir, 'secret')), hardlink('h', 's')]]);
    ok(r);
    assert.ok(lstatSync(join(rootfs, 'h')).isSymbolicLink());
    assert.is(lstatSync(join(rootfs, 'h')).ino, lstatSync(join(rootfs, 's')).ino);
    outside.check();
  }),
);

test(
  'a hard link to nothing, to a directory, to the root or through a device is refused',
  onBed((bed) => {
    refused(bed, [[hardlink('h', 'none')]], /is a hard link to "none", which is not a file of the image/);
    refused(bed, [[dir('d'), hardlink('h', 'd')]], /is a hard link to "d"/);
    refused(bed, [[hardlink('h', '/')]], /is a hard link to "\/"/);
    refused(bed, [[file('f'), hardlink('h', 'f/x')]], /is a hard link to "f\/x"/);
    refused(bed, [[hardlink('/', 'f')]], /has a type that layers do not have/);
  }),
);

test(
  'hard links share a file, and one to itself changes nothing',
  onBed((bed) => {
    const { rootfs, ...r } = bundled(bed, [
      [file('a', 'data'), hardlink('b', 'a'), hardlink('a', './a')],
      [hardlink('c', 'b')],
    ]);
    ok(r);
    const inode = statSync(join(rootfs, 'a')).ino;
    for (const name of ['b', 'c']) assert.is(statSync(join(rootfs, name)).ino, inode);
    assert.is(readFileSync(join(rootfs, 'a'), 'utf8'), 'data');
  }),
);

test(
  'a whiteout of nothing, of . or .., and a file below a whiteout are refused',
  onBed((bed) => {
    for (const name of ['.wh.', 'a/.wh.', '.wh..', '.wh...', 'a/.wh...', '.wh.a/b']) {
      refused(bed, [[dir('a'), file('a/keep')], [file(name, '')]], /is a whiteout that names nothing/);
    }
  }),
);

test(
  'a whiteout removes what is below, not the target of a symlink, and nothing of its own layer',
  onBed((bed) => {
    const { rootfs, ...r } = bundled(bed, [
      [
        dir('d'),
        file('d/a'),
        file('d/b'),
        dir('e'),
        file('e/f'),
        symlink('s', 'e'),
        file('gone'),
        dir('tree'),
        file('tree/x'),
      ],
      [file('.wh.s', ''), file('.wh.gone', ''), file('.wh.tree', ''), file('.wh.none', ''), file('none/.wh.x', '')],
      [file('d/new'), file('d/.wh.new', ''), file('d/.wh.a', ''), dir('back'), file('.wh.back', '')],
    ]);
    ok(r);
    assert.equal(readdirSync(rootfs).sort(), ['back', 'd', 'e']);
    assert.equal(readdirSync(join(rootfs, 'd')).sort(), ['b', 'new']);
    assert.equal(readdirSync(join(rootfs, 'e')), ['f']);
  }),
);

test(
  'an opaque directory has only what its own layer put there, before or after the mark',
  onBed((bed) => {
    const { rootfs, ...r } = bundled(bed, [
      [dir('d'), file('d/old'), dir('d/sub'), file('d/sub/old'), dir('d/gone'), file('d/gone/x')],
      [file('d/first'), file('d/sub/first'), file('d/.wh..wh..opq', ''), file('d/last')],
    ]);
    ok(r);
    assert.equal(readdirSync(join(rootfs, 'd')).sort(), ['first', 'last', 'sub']);
    assert.equal(readdirSync(join(rootfs, 'd/sub')), ['first']);
  }),
);

test(
  'the files of AUFS are left out',
  onBed((bed) => {
    const { rootfs, ...r } = bundled(bed, [
      [file('.wh..wh.aufs'), dir('.wh..wh.plnk'), file('.wh..wh.plnk/1'), file('a')],
    ]);
    ok(r);
    assert.equal(readdirSync(rootfs), ['a']);
  }),
);

test(
  'a later entry replaces an earlier one of any type',
  onBed((bed) => {
    const { rootfs, ...r } = bundled(bed, [
      [file('a', 'one'), dir('b'), file('b/x'), file('c'), symlink('e', 'a'), file('a', 'two')],
      [file('b', 'file'), dir('c'), file('c/y'), file('e', 'e'), { name: 'f', type: '6' }],
      [file('f', 'f')],
    ]);
    ok(r);
    const text = (name: string) => readFileSync(join(rootfs, name), 'utf8');
    assert.equal([text('a'), text('b'), text('c/y'), text('e'), text('f')], ['two', 'file', 'x', 'e', 'f']);
  }),
);

test(
  'setuid bits, owners, times and names that are not UTF-8 are kept',
  onBed((bed) => {
    const {
      rootfs,
      dir: made,
      ...r
    } = bundled(bed, [
      [
        { name: 'su', mode: 0o4755, uid: 3, gid: 4, mtime: 12345 },
        { name: 'd', type: '5', mode: 0o1777, mtime: 777 },
        file('d/inside'),
        { name: 'link', type: '2', link: 'nowhere', uid: 9, gid: 9, mtime: 99 },
        file('caf\xe9\xff'),
        { name: 'pax', pax: { path: 'äö/nested', mtime: '1700000000.5' } },
      ],
    ]);
    ok(r);
    const su = statSync(join(rootfs, 'su'));
    assert.equal([su.mode & 0o7777, su.uid, su.gid, su.mtimeMs], [0o4755, 3, 4, 12345000]);
    const d = statSync(join(rootfs, 'd'));
    assert.equal([d.mode & 0o7777, d.mtimeMs], [0o1777, 777000]);
    const link = lstatSync(join(rootfs, 'link'));
    assert.equal([link.uid, link.gid, link.mtimeMs], [9, 9, 99000]);
    const names = readdirSync(rootfs, { encoding: 'buffer' }).map((name) => name.toString('latin1'));
    assert.ok(names.includes('caf\xe9\xff'));
    assert.is(statSync(join(rootfs, 'äö/nested')).mtimeMs, 1700000000500);
    // Setuid programs of the image are not for the users of the host.
    assert.is(statSync(made).mode & 0o777, 0o700);
  }),
);

test(
  'devices and FIFOs are made, and the whiteout of overlayfs is refused',
  onBed((bed) => {
    const { rootfs, ...r } = bundled(bed, [
      [
        { name: 'null', type: '3', major: 1, minor: 3, mode: 0o666, uid: 5 },
        { name: 'loop', type: '4', major: 7, minor: 0 },
        { name: 'fifo', type: '6', mode: 0o620 },
      ],
    ]);
    ok(r);
    const one = statSync(join(rootfs, 'null'));
    assert.equal([one.isCharacterDevice(), one.rdev, one.mode & 0o777, one.uid], [true, 0x103, 0o666, 5]);
    assert.ok(statSync(join(rootfs, 'loop')).isBlockDevice());
    assert.is(statSync(join(rootfs, 'fifo')).mode & 0o777, 0o620);
    refused(bed, [[{ name: 'w', type: '3' }]], /is the device 0:0, overlayfs's whiteout/);
  }),
);

withPython(
  "overlayfs's attributes are left out with a warning, and others are set",
  onBed((bed) => {
    const xattr = (name: string) => ({ [`SCHILY.xattr.${name}`]: 'y' });
    const pax = { ...xattr('trusted.overlay.opaque'), ...xattr('user.overlay.redirect'), ...xattr('user.mine') };
    const capability =
      '\u0001\u0000\u0000\u0002\u0000\u0004\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000';
    const { rootfs, ...r } = bundled(bed, [
      [
        { ...dir('d'), pax },
        { ...file('ping'), uid: 1, pax: { 'SCHILY.xattr.security.capability': capability } },
      ],
    ]);
    assert.is(r.code, 0, r.stderr);
    assert.match(r.stderr, /^runt: warning: bundle: d and 1 more: the extended attribute \S+overlay\S+ was left out/);
    const dump = (name: string) =>
      execFileSync('python3', ['-c', `import os,sys;print(sorted(os.listxattr(sys.argv[1])))`, join(rootfs, name)], {
        encoding: 'utf8',
      });
    assert.is(dump('d').trim(), "['user.mine']");
    assert.is(dump('ping').trim(), "['security.capability']");
  }),
);

/** Entries of an access control list, by the attribute's name. */
function acl(path: string, kind: 'access' | 'default'): string[] {
  const program = `import os,struct,sys
v=os.getxattr(sys.argv[1],'system.posix_acl_'+sys.argv[2])
print(*['%x:%o:%d' % (t,p,i if t in (2,8) else -1) for t,p,i in struct.iter_unpack('<HHI',v[4:])])`;
  return execFileSync('python3', ['-c', program, path, kind], { encoding: 'utf8' }).trim().split(' ');
}

withAcls(
  'access control lists of tar are set',
  onBed((bed) => {
    const text = 'user::rw-,user:lisa:rwx:1000,user:7:r--,group::r--,group:staff:r-x:50,mask::rwx,other::---';
    const { rootfs, ...r } = bundled(bed, [
      [
        { ...file('f'), mode: 0o644, pax: { 'SCHILY.acl.access': text } },
        { ...dir('d'), pax: { 'SCHILY.acl.default': 'user::rwx,user:9:r-x,group::r-x,mask::r-x,other::---' } },
        file('d/plain'),
      ],
    ]);
    ok(r);
    assert.is(r.stderr, '');
    assert.equal(acl(join(rootfs, 'f'), 'access'), [
      '1:6:-1',
      '2:4:7',
      '2:7:1000',
      '4:4:-1',
      '8:5:50',
      '10:7:-1',
      '20:0:-1',
    ]);
    // The group's bits of the mode are the mask.
    assert.is(statSync(join(rootfs, 'f')).mode & 0o777, 0o670);
    assert.equal(acl(join(rootfs, 'd'), 'default'), ['1:7:-1', '2:5:9', '4:5:-1', '10:5:-1', '20:0:-1']);
  }),
);

test(
  'a file whose name begins like a compressed layer is unpacked from a plain archive',
  onBed((bed) => {
    for (const name of ['BZh91AY&SY', '\x04"M\x18']) {
      const { rootfs, dir: made, ...r } = bundled(bed, [Buffer.from(tar(file(name)))]);
      ok(r);
      assert.ok(existsSync(join(rootfs, name)), JSON.stringify(name));
      execFileSync('rm', ['-rf', made]);
    }
  }),
);

test(
  'an access control list that cannot be set is named in a warning',
  onBed((bed) => {
    const list = (text: string) => [{ ...file('f'), pax: { 'SCHILY.acl.access': text } }];
    const warned = (text: string, message: RegExp, ...args: string[]) => {
      const { dir: made, ...r } = bundled(bed, [list(text)], {}, ...args);
      assert.is(r.code, 0, r.stderr);
      assert.match(r.stderr, message);
      execFileSync('rm', ['-rf', made]);
    };
    warned(
      'user::rw-,user:lisa:r--,group::r--,mask::r--,other::r--',
      /f: the access control list was not set: it has no number for "lisa"/,
    );
    // Without a mask.
    warned(
      'user::rw-,user:7:r--,group::r--,other::r--',
      /the extended attribute system.posix_acl_access was not set: E/,
    );
    const mapped = ['--uid-map', '0:100000:1000'];
    warned(
      'user::rw-,user:5000:r--,group::r--,mask::r--,other::r--',
      /the extended attribute system.posix_acl_access was not set: E/,
      ...mapped,
    );
    const { dir: made, ...r } = bundled(bed, [[{ ...file('f'), pax: { 'SCHILY.acl.ace': 'owner@:rwxp::allow' } }]], {});
    assert.match(r.stderr, /f: the access control list was not set: it is not one of POSIX/);
    execFileSync('rm', ['-rf', made]);
  }),
);

test(
  'an id that is none is refused',
  onBed((bed) => {
    for (const uid of ['4294967295', '4294967296', '-1', '18446744073709551616']) {
      refused(
        bed,
        [[{ name: 'a', pax: { uid } }]],
        /has an owner outside of 0 to 4294967294|is not a whole tar archive/,
      );
    }
  }),
);

test(
  'a damaged, cut-off or unknown archive is refused',
  onBed((bed) => {
    const good = gzipSync(tar(file('a', 'x'.repeat(100_000))));
    refused(bed, [good.subarray(0, good.length - 20)], /cannot be decompressed: the data is cut off/);
    refused(bed, [Buffer.concat([good, Buffer.from('garbage')])], /cannot be decompressed/);
    refused(bed, [gzipSync(tar(file('a', 'x'.repeat(100_000))).subarray(0, 50_000))], /is not a whole tar archive/);
    refused(bed, [gzipSync(Buffer.from('not a tar'.repeat(1000)))], /is not a whole tar archive/);
    const others = { xz: '\xfd7zXZ\0', bzip2: 'BZh91AY&SY', lz4: '\x04"M\x18' };
    for (const [name, magic] of Object.entries(others)) {
      const blob = Buffer.from(magic.padEnd(512, 'x'), 'latin1');
      refused(bed, [blob], new RegExp(`it is compressed with ${name}, and not with gzip or zstd`));
    }
    refused(
      bed,
      [gzipSync(tar({ name: 'a', size: 8 ** 11 - 1, data: 'x' }))],
      /is not a whole tar archive|unpacks to more/,
    );
  }),
);

test(
  'several members of gzip are one archive',
  onBed((bed) => {
    const archive = tar(file('a', 'x'.repeat(5000)), file('b'));
    const parts = [archive.subarray(0, 700), archive.subarray(700, 701), archive.subarray(701)];
    const { rootfs, ...r } = bundled(bed, [Buffer.concat(parts.map((part) => gzipSync(part)))]);
    ok(r);
    assert.is(statSync(join(rootfs, 'a')).size, 5000);
  }),
);

test(
  'a blob that differs from its digest, its size or its diff ID is refused by name',
  onBed((bed) => {
    const image = join(bed.dir, 'digests');
    const layout = new Layout(image);
    const archive = tar(file('a', 'x'.repeat(10_000)));
    const layer = layout.layer(gzipSync(archive));
    layout.index([layout.manifest([layer], [sha256('another')])]);
    let r = bundleOf(bed, image);
    assert.match(
      r.stderr,
      new RegExp(`has the digest ${sha256(archive)} when it is decompressed.* says ${sha256('another')}`),
    );
    assert.not.ok(existsSync(r.dir));
    layout.index([layout.manifest([layer], [sha256(archive)])]);
    // A valid archive of the same length, and a damaged one.
    for (const change of [(b: Buffer) => b.fill(0xff, b.length - 6, b.length - 5), (b: Buffer) => b.fill(0, 30, 60)]) {
      writeFileSync(layout.path(layer.digest), change(gzipSync(archive)));
      r = bundleOf(bed, image);
      assert.match(
        r.stderr,
        new RegExp(`ERR_IMAGE_DIGEST|has the digest sha256:\\w+, and should have ${layer.digest}`),
      );
      assert.not.ok(existsSync(r.dir));
    }
    writeFileSync(layout.path(layer.digest), gzipSync(archive).subarray(1));
    assert.match(bundleOf(bed, image).stderr, /does not have the size of its descriptor/);
    const manifest = layout.manifest([layer], [sha256(archive)]);
    const text = readFileSync(layout.path(manifest.digest), 'utf8');
    writeFileSync(layout.path(manifest.digest), text.replace('"schemaVersion":2', '"schemaVersion":3'));
    layout.index([manifest]);
    assert.match(
      bundleOf(bed, image).stderr,
      new RegExp(`has the digest sha256:\\w+, and should have ${manifest.digest}`),
    );
  }),
);

test(
  'a compressed bomb, a sparse file and an endless stream end at --max-size',
  onBed(async (bed) => {
    const piece = Buffer.alloc(1 << 20);
    const bomb = await compressed([start(file('a')), ...Array.from({ length: 300 }, () => piece)]);
    assert.ok(bomb.length < 1 << 20);
    refused(bed, [bomb], /unpacks to more than 10485760 bytes/, '--max-size', '10m');
    const zeros = gzipSync(tar(file('big', 'x'.repeat(11 << 20))));
    refused(bed, [zeros], /unpacks to more than 10485760 bytes/, '--max-size', '10m');
    const sparse = {
      'GNU.sparse.major': '1',
      'GNU.sparse.minor': '0',
      'GNU.sparse.name': 's',
      'GNU.sparse.realsize': '1099511627776',
    };
    refused(
      bed,
      [[{ name: 's', pax: sparse, data: Buffer.alloc(512, '1\n1099511627775\n1\n').fill(0, 18) }]],
      /unpacks to more|is not a whole/,
      '--max-size',
      '1g',
    );
    // Each layer counts.
    const part = [file('a', 'x'.repeat(6 << 20))];
    refused(bed, [part, [file('b', 'y'.repeat(6 << 20))]], /unpacks to more than 10485760 bytes/, '--max-size', '10m');
  }),
);

test(
  'a name that is too deep or too long, and a huge extended header, are refused',
  onBed(async (bed) => {
    refused(bed, [[{ name: 'x', pax: { path: `${'d/'.repeat(256)}f` } }]], /is more than 255 directories deep/);
    refused(bed, [[{ name: 'x', pax: { path: 'n'.repeat(300) } }]], /ENAMETOOLONG/);
    refused(bed, [[{ name: 'x', pax: { path: `${'n'.repeat(200)}/`.repeat(30) } }]], /ENAMETOOLONG/);
    // One record of 64 MiB.
    const pieces = Array.from({ length: 64 }, () => Buffer.alloc(1 << 20, 'c'));
    pieces[0]!.write(`${64 << 20} comment=`);
    pieces.at(-1)!.write('\n', (1 << 20) - 1);
    const huge = [start({ name: 'x', type: 'x', size: 64 << 20 }), ...pieces, tar(file('a'))];
    refused(bed, [await compressed(huge)], /is not a whole tar archive|ENOMEM/, '--max-size', '1g');
  }),
);

test(
  'a tree that symlinks make deeper than one name may be is removed again',
  onBed((bed) => {
    const deep = Array.from({ length: 200 }, () => 'd').join('/');
    const layers: Entry[][] = [];
    let at = '';
    for (let i = 0; i < 20; i++) {
      layers.push([
        { name: 'x', type: '5', pax: { path: `${at}${deep}` } },
        { name: 'x', type: '2', link: 'x', pax: { path: `l${i}`, linkpath: `${at}${deep}` } },
      ]);
      at = `l${i}/`;
    }
    refused(bed, [...layers, [file('../x')]], /has a name with "\.\."/);
  }),
);

test(
  'a hundred thousand entries are unpacked',
  onBed(async (bed) => {
    function* pieces() {
      for (let d = 0; d < 100; d++) yield start(...Array.from({ length: 1000 }, (_, f) => file(`d${d}/f${f}`, '')));
      yield tar();
    }
    const { rootfs, ...r } = bundled(bed, [await compressed(pieces())]);
    ok(r);
    assert.is(readdirSync(join(rootfs, 'd7')).length, 1000);
  }),
);

test.run();
withPython.run();
withAcls.run();
