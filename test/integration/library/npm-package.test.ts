/** The npm package as published: its first example, with its types, in a directory without anything else. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as assert from 'uvu/assert';
import { COMMAND_LIMIT } from '../../deadline.js';
import { needing, onBed } from '../bed/bed.js';
import { top } from '../bed/place.js';

const test = needing('npm package', 'root', 'npm');
const exec = promisify(execFile);

test(
  'the first example of the npm package passes tsc --strict and runs',
  onBed(async (bed) => {
    const dir = mkdtempSync(join(tmpdir(), 'runt-npm-'));
    try {
      execFileSync(process.execPath, [join(top, 'hack/release/release.mjs'), '--npm', dir], { stdio: 'ignore' });
      const [tarball = ''] = readdirSync(dir);
      assert.match(tarball, /^runt-oci-\d+\.\d+\.\d+\.tgz$/);
      const modules = join(dir, 'node_modules');
      mkdirSync(join(modules, 'runt-oci'), { recursive: true });
      execFileSync('tar', ['-xzf', join(dir, tarball), '-C', join(modules, 'runt-oci'), '--strip-components=1']);
      // The packages that npm would install: the dependency with its binary, and the optional peer.
      for (const name of ['koffi', '@koromix', '@types', 'undici-types']) {
        symlinkSync(join(top, 'node_modules', name), join(modules, name));
      }
      const files = readdirSync(join(modules, 'runt-oci'), { recursive: true }).map(String);
      assert.ok(files.includes(`dist/librunt-${process.arch}.so`));
      assert.equal(
        files.filter((f) => /^dist\/(runt|share|release|librunt\.so)/.test(f)),
        [],
      );

      const example = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(top, 'docs/library.md'), 'utf8'))![1]!;
      const code = example
        .replaceAll('/srv/hello/rootfs', bed.rootfs)
        .replaceAll('/srv/hello', join(dir, 'hello'))
        .replaceAll('new Runtime()', `new Runtime({ root: ${JSON.stringify(bed.root)} })`);
      writeFileSync(join(dir, 'first.mts'), code);
      const tsc = join(top, 'node_modules/typescript/bin/tsc');
      const flags = ['--strict', '--target', 'es2022', '--module', 'nodenext', '--types', 'node'];
      const checked = await exec(process.execPath, [tsc, ...flags, 'first.mts'], { cwd: dir }).catch((e) => e);
      assert.is(checked.stdout, '');
      const { RUNT_LIBRARY: _, ...env } = process.env;
      const ran = await exec(process.execPath, ['first.mjs'], { cwd: dir, env, timeout: COMMAND_LIMIT });
      assert.is(ran.stdout, 'hello world\n 0\n');
    } finally {
      rmSync(dir, { recursive: true });
    }
  }),
);

test.run();
