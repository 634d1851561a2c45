/** A bundle that is ended while it is made: nothing is left, at once or after the next run. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { runtPath } from '../bed/place.js';
import { Layout } from './image-writer.js';
import { type Entry, tar } from './tar-writer.js';

const test = needing('interrupted bundles', 'root');
const mounting = needing('bundles on a full file system', 'root', 'mount', 'unshare');

/** Takes longer to unpack than a test takes to end it. */
function largeImage(bed: Bed): string {
  const dir = join(bed.dir, 'large');
  const entries: Entry[] = Array.from({ length: 100_000 }, (_, i) => ({ name: `d${i % 50}/f${i}`, data: 'x' }));
  new Layout(dir).image([gzipSync(tar(...entries), { level: 1 })]);
  return dir;
}

/** A process that unpacks, by its parent. */
function unpackers(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === String(parent);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Whether a process has ended; its parent may not have reaped it. */
function hasEnded(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return true;
  }
}

/** Starts to make a bundle, and waits until files are written. */
async function started(image: string, dir: string) {
  const child = spawn(runtPath, ['bundle', image, dir], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const end = new Promise<[number | null, string | null]>((settle) =>
    child.on('close', (code, signal) => settle([code, signal])),
  );
  await eventually('files are written', () => existsSync(join(dir, '.runt-partial/rootfs/d49')));
  return { child, end, stderr: () => stderr };
}

test(
  'Ctrl-C and TERM remove what is half done, and the program that unpacks',
  onBed(async (bed) => {
    const image = largeImage(bed);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const dir = join(bed.dir, signal);
      const { child, end, stderr } = await started(image, dir);
      const [unpacker] = unpackers(child.pid!);
      assert.type(unpacker, 'number');
      child.kill(signal);
      assert.equal(await end, [signal === 'SIGINT' ? 130 : 143, null]);
      assert.match(stderr(), new RegExp(`bundle: ended by ${signal}`));
      assert.not.ok(existsSync(dir));
      assert.not.ok(existsSync(`/proc/${unpacker}`));
    }
  }),
);

test(
  'KILL ends the program that unpacks too, and the next run removes what is left',
  onBed(async (bed) => {
    const image = largeImage(bed);
    const dir = join(bed.dir, 'killed');
    const { child, end } = await started(image, dir);
    const [unpacker] = unpackers(child.pid!);
    child.kill('SIGKILL');
    await end;
    await eventually('the unpacker ends', () => hasEnded(unpacker!));
    assert.equal(readdirSync(dir), ['.runt-partial']);
    assert.is(statSync(join(dir, '.runt-partial')).mode & 0o777, 0o700);
    const small = join(bed.dir, 'small');
    new Layout(small).image([[{ name: 'only' }]]);
    const r = bed.runt(['bundle', small, dir]);
    assert.equal([r.code, r.stderr], [0, '']);
    assert.equal(readdirSync(dir).sort(), ['config.json', 'rootfs']);
    assert.equal(readdirSync(join(dir, 'rootfs')), ['only']);
  }),
);

test(
  'directories that were made for it go with it, and those that were there stay',
  onBed(async (bed) => {
    const image = largeImage(bed);
    mkdirSync(join(bed.dir, 'there'));
    const { child, end } = await started(image, join(bed.dir, 'there/a/b/c'));
    child.kill('SIGTERM');
    await end;
    assert.equal(readdirSync(join(bed.dir, 'there')), []);
    const long = bed.runt(['bundle', image, join(bed.dir, 'there', 'a/'.repeat(2100))]);
    assert.is(long.code, 1);
    assert.match(long.stderr, /ENAMETOOLONG/);
    assert.equal(readdirSync(join(bed.dir, 'there')), []);
  }),
);

mounting(
  'nothing is left on a file system that is full at any step, and the hint says so',
  onBed((bed) => {
    const image = join(bed.dir, 'image');
    new Layout(image).image([[{ name: 'd/f', data: 'x' }]]);
    const full = join(bed.dir, 'full');
    mkdirSync(full);
    const script = 'mount -t tmpfs -o nr_inodes=$3 full $2 && $0 bundle $1 $2/new/dir; echo status $?; ls -A $2';
    // The root directory is the first inode.
    for (let inodes = 2; ; inodes++) {
      const args = ['-m', 'sh', '-c', script, runtPath, image, full, String(inodes)];
      const { stdout, stderr } = spawnSync('unshare', args, { encoding: 'utf8' });
      if (stdout === 'status 0\nnew\n') {
        assert.ok(inodes > 6, 'each step before failed');
        break;
      }
      assert.is(stdout, 'status 1\n', `${inodes} inodes`);
      assert.match(stderr, /ENOSPC .*\n {2}fix make room on the file system of DIR\n/);
    }
  }),
);

test(
  'a second run in one directory is refused while the first one works',
  onBed(async (bed) => {
    const dir = join(bed.dir, 'busy');
    const image = largeImage(bed);
    const { child, end } = await started(image, dir);
    const r = bed.runt(['bundle', image, dir]);
    assert.is(r.code, 1);
    assert.match(r.stderr, /busy: another runt writes a bundle there/);
    child.kill('SIGTERM');
    await end;
    assert.not.ok(existsSync(dir));
  }),
);

test(
  'what a run left between its last steps is recognised, and files of others are not removed',
  onBed((bed) => {
    const image = join(bed.dir, 'image');
    new Layout(image).image([[{ name: 'a' }]]);
    const left = (name: string, ...files: string[]) => {
      const dir = join(bed.dir, name);
      mkdirSync(join(dir, '.runt-partial'), { recursive: true });
      for (const path of files) {
        mkdirSync(join(dir, path, '..'), { recursive: true });
        writeFileSync(join(dir, path), 'x');
      }
      return dir;
    };
    // Before the config is in its place: all of it is half done.
    for (const [name, ...files] of [
      ['one'],
      ['two', 'rootfs/x'],
      ['three', 'rootfs/x', '.runt-partial/config.json'],
      ['four', '.runt-partial/image/blobs/x'],
    ] as const) {
      const dir = left(name, ...files);
      assert.is(bed.runt(['bundle', image, dir]).code, 0, name);
      assert.equal(readdirSync(dir).sort(), ['config.json', 'rootfs']);
      assert.equal(readdirSync(join(dir, 'rootfs')), ['a']);
    }
    // After it: the bundle is whole.
    const whole = left('whole', 'rootfs/x', 'config.json');
    assert.match(bed.runt(['bundle', image, whole]).stderr, /whole is not empty/);
    assert.equal(readdirSync(whole).sort(), ['config.json', 'rootfs']);
    const foreign = left('foreign', 'mine');
    assert.match(bed.runt(['bundle', image, foreign]).stderr, /foreign is not empty/);
    assert.equal(readdirSync(foreign).sort(), ['.runt-partial', 'mine']);
  }),
);

test.run();
mounting.run();
