/** `bundleImage` of the library: bundles of images on disk, their options, and an abort. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import type * as Library from '../../../src/library/index.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import type { Config } from '../bed/config.js';
import { Layout } from '../image/image-writer.js';
import { type Entry, tar } from '../image/tar-writer.js';
import { failure } from './failure.js';

const test = needing('bundles of images by the library', 'root');
const library = (await import(resolve('dist/index.js'))) as typeof Library;
const { bundleImage, Runtime } = library;

/** An image of the test's root file system, with a user. */
function imageOf(bed: Bed): string {
  const files = execFileSync('tar', ['-C', bed.rootfs, '-c', '.'], { maxBuffer: 64 << 20 });
  const image = join(bed.dir, 'image');
  const names: Entry[] = [{ name: 'etc/passwd', data: 'root:x:0:0::/:/bin/sh\nwww:x:33:34::/:/bin/sh\n' }];
  new Layout(image).image([gzipSync(files, { level: 1 }), names], { Cmd: ['/bin/echo', 'of the image'] });
  return image;
}

test(
  'an image becomes a bundle with the options of bundle(), and runs',
  onBed(async (bed) => {
    const image = imageOf(bed);
    const runtime = new Runtime({ root: bed.root });
    const plain = join(bed.dir, 'plain');
    await bundleImage(image, plain);
    const first = await (await runtime.run(bed.id, plain)).output();
    assert.equal([first.stdout, first.exitCode], ['of the image\n', 0]);
    const other = join(bed.dir, 'other');
    const args = ['/bin/sh', '-c', 'id -u; id -g; hostname'];
    await bundleImage(image, other, { user: 'www', args, hostname: 'web', memory: '64m', platform: 'linux/amd64' });
    const second = await (await runtime.run(bed.id, other)).output();
    assert.is(second.stdout, '33\n34\nweb\n');
    const config = JSON.parse(readFileSync(join(other, 'config.json'), 'utf8')) as Config;
    assert.is(config.linux.resources?.memory?.limit, 64 << 20);
  }),
);

test(
  'wrong options are refused by name before anything is made',
  onBed(async (bed) => {
    const image = imageOf(bed);
    const dir = join(bed.dir, 'refused');
    for (const [options, message] of [
      [{ rootfs: '/srv' }, /unknown option rootfs/],
      [{ plattform: 'linux/amd64' }, /unknown option plattform; did you mean platform\?/],
      [{ hostnam: 'web' }, /unknown option hostnam; did you mean hostname\?/],
      [{ platform: 'linux' }, /platform "linux" is not OS\/ARCHITECTURE/],
      [{ maxSize: '64g' }, /maxSize must be a number of bytes above 0/],
      [{ maxSize: 0 }, /maxSize must be/],
      [{ args: 'echo hi' }, /args must be a list of strings/],
      [{ args: [''] }, /the command is empty/],
      [{ signal: 'now' }, /signal must be an AbortSignal/],
    ] as const) {
      const error = await failure(bundleImage(image, dir, options as object));
      assert.is(error.code, 'ERR_USAGE', error.message);
      assert.match(error.message, message);
      assert.not.ok(existsSync(dir));
    }
    assert.is((await failure(bundleImage(image, dir, { ref: 'none' }))).code, 'ERR_IMAGE');
    assert.is((await failure(bundleImage(image, dir, { maxSize: 100 }))).code, 'ERR_IMAGE_LIMIT');
    assert.is((await failure(bundleImage(join(bed.dir, 'none'), dir))).code, 'ERR_IMAGE');
    assert.not.ok(existsSync(dir));
  }),
);

test(
  'an abort ends the unpacking and removes what was made, and other work goes on meanwhile',
  onBed(async (bed) => {
    const image = join(bed.dir, 'large');
    const entries: Entry[] = Array.from({ length: 100_000 }, (_, i) => ({ name: `d${i % 50}/f${i}`, data: 'x' }));
    new Layout(image).image([gzipSync(tar(...entries), { level: 1 })]);
    const dir = join(bed.dir, 'aborted');
    const abort = new AbortController();
    const error = failure(bundleImage(image, dir, { signal: abort.signal }));
    await eventually('files are written', () => existsSync(join(dir, '.runt-partial/rootfs/d49')));
    abort.abort('not wanted');
    const { code, cause } = await error;
    assert.equal([code, cause], ['ERR_ABORTED', 'not wanted']);
    assert.not.ok(existsSync(dir));
    assert.is((await failure(bundleImage(image, dir, { signal: abort.signal }))).code, 'ERR_ABORTED');
    assert.not.ok(existsSync(dir));
  }),
);

test.run();
