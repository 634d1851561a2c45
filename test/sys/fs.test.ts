/** The façade for files, on the Node.js host with the real library. */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RuntError } from '../../src/sys/error.js';
import * as fs from '../../src/sys/fs.js';
import { native } from '../../src/sys/host.js';
import { useNodeHost } from '../../src/sys/node-host.js';
import { replaceFile } from '../../src/sys/replace-file.js';

useNodeHost([]);
const test = suite('fs', { dir: '' });
test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), 'runt-fs-'));
});
test.after.each((context) => rmSync(context.dir, { recursive: true }));

test('a file of 16 MiB is read whole, and a longer one is refused', ({ dir }) => {
  const path = join(dir, 'large');
  writeFileSync(path, '');
  truncateSync(path, 16 << 20);
  assert.is(fs.readBytes(path).length, 16 << 20);
  truncateSync(path, (16 << 20) + 1);
  assert.throws(() => fs.readBytes(path), /read .*large: EOVERFLOW/);
});

test('readText reads texts of every size, also beyond the first buffer', ({ dir }) => {
  for (const size of [0, 1, 4079, 4080, 4081, 16320, 16321, 300_000]) {
    const text = 'ü'.repeat(size / 2) + 'x'.repeat(size % 2);
    writeFileSync(join(dir, 'a'), text);
    assert.is(fs.readText(join(dir, 'a')), text);
    assert.is(fs.readBytes(join(dir, 'a')).length, Buffer.byteLength(text));
  }
});

test('readAtMost reads a file of every size up to its limit, into a buffer that is at most twice as long', ({
  dir,
}) => {
  const path = join(dir, 'a');
  for (const size of [0, 1, 1023, 1024, 1025, 2047, 2048, 5000, 300_000]) {
    writeFileSync(path, Buffer.alloc(size, 'x'));
    const read = fs.readAtMost(path, 1024, 300_000) as Uint8Array;
    assert.is(Buffer.from(read).toString(), 'x'.repeat(size));
    assert.ok(read.buffer.byteLength <= Math.max(2048, size + 1), `${size}: ${read.buffer.byteLength}`);
  }
  assert.is(fs.readAtMost(path, 1024, 299_999), -75);
  assert.ok((fs.readAtMost('/proc/self/smaps', 16, 1 << 20) as Uint8Array).length > 16);
});

test('a missing file is undefined, or an error that names it', ({ dir }) => {
  const path = join(dir, 'none');
  assert.is(fs.tryReadText(path), undefined);
  assert.is(fs.tryReadText(join(path, 'below')), undefined);
  assert.is(fs.tryListDir(path), undefined);
  assert.is(fs.tryStat(path), undefined);
  assert.is(fs.exists(path), false);
  for (const call of [() => fs.readText(path), () => fs.listDir(path), () => fs.stat(path), () => fs.readLink(path)]) {
    assert.throws(
      call,
      (e: RuntError) => e instanceof RuntError && e.code === 'ERR_IO' && e.path === path && e.errno === 2,
    );
  }
});

test('another failure does not count as a missing file', ({ dir }) => {
  assert.throws(() => fs.tryReadText(dir), /EISDIR/);
  writeFileSync(join(dir, 'a'), '');
  assert.throws(() => fs.tryListDir('/proc/self/mem'.repeat(400)), /ENAMETOOLONG/);
});

test('listDir lists a directory', ({ dir }) => {
  assert.equal(fs.listDir(dir), []);
  for (const name of ['a', 'b', 'ü']) mkdirSync(join(dir, name));
  assert.equal(fs.listDir(dir).sort(), ['a', 'b', 'ü']);
});

test('stat returns the same values as that of Node.js', ({ dir }) => {
  writeFileSync(join(dir, 'a'), 'hello');
  symlinkSync('a', join(dir, 'link'));
  const wanted = statSync(join(dir, 'link'), { bigint: true });
  const found = fs.stat(join(dir, 'link'));
  assert.equal(found, {
    mode: Number(wanted.mode),
    uid: Number(wanted.uid),
    gid: Number(wanted.gid),
    size: 5,
    ino: wanted.ino,
    dev: wanted.dev,
    rdev: wanted.rdev,
  });
  assert.is(fs.stat(join(dir, 'link'), -100, 0x100).mode & 0o170000, 0o120000);
  assert.is(fs.readLink(join(dir, 'link')), 'a');
});

test('write, replace and makeDir write, replace and make files', ({ dir }) => {
  const path = join(dir, 'f');
  assert.throws(() => fs.writeFile(path, 'x'), /ENOENT/);
  fs.writeFile(path, 'one', 0x40);
  replaceFile(path, 'two');
  assert.is(readFileSync(path, 'utf8'), 'two');
  assert.is(statSync(path).mode & 0o777, 0o600);
  assert.is(fs.makeDir(join(dir, 'd')), true);
  assert.is(fs.makeDir(join(dir, 'd')), false);
  assert.throws(() => fs.makeDir(join(dir, 'x/y')), /ENOENT/);
});

test('mountinfo is read in one call, and its paths may be any bytes', ({ dir }) => {
  const path = join(dir, 'long');
  writeFileSync(path, Buffer.concat([Buffer.alloc(300_000, 'x'), Buffer.from([0xff])]));
  const { readFile } = native;
  let reads = 0;
  Object.assign(native, {
    readFile: (...args: Parameters<typeof readFile>) => {
      reads++;
      return readFile(...args);
    },
  });
  try {
    assert.is(fs.readText(path, -100, fs.LONG_FILE), `${'x'.repeat(300_000)}\udcff`);
    assert.is(reads, 1);
  } finally {
    Object.assign(native, { readFile });
  }
});

test.run();
