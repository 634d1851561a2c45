/** The npm package as published: its first examples, with their types, in a directory without anything else. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as assert from 'uvu/assert';
import { COMMAND_LIMIT } from '../../deadline.js';
import { eventually, needing, onBed } from '../bed/bed.js';
import { top } from '../bed/place.js';
import { listening } from '../bed/task-client.js';

const test = needing('npm package', 'root', 'npm');
const exec = promisify(execFile);

test(
  'the first examples of the npm package and of its client pass tsc --strict and run',
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
        files.filter((f) => /^dist\/(runt$|share|release|librunt\.so)/.test(f)),
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

      // The client needs nothing else: neither koffi nor gRPC's packages.
      const page = readFileSync(join(top, 'docs/grpc.md'), 'utf8');
      writeFileSync(join(dir, 'client.mts'), /```ts\n([\s\S]*?)```/.exec(page)![1]!);
      const client = await exec(process.execPath, [tsc, ...flags, 'client.mts'], { cwd: dir }).catch((e) => e);
      assert.is(client.stdout, '');
      const socket = join(dir, 'api.sock');
      const cli = join(modules, 'runt-oci/dist/cli.js');
      const serveArgs = [cli, '--root', bed.root, 'serve', '--listen', `unix://${socket}`];
      const server = spawn(process.execPath, serveArgs, { env, stdio: 'ignore' });
      try {
        await listening(socket);
        for (const name of ['koffi', '@koromix']) rmSync(join(modules, name));
        const sent = await exec(process.execPath, ['client.mjs', `unix://${socket}`, bed.rootfs], { cwd: dir, env });
        assert.is(sent.stdout, 'hello\nstatus 3\n42\nDEADLINE_EXCEEDED \n');
        await eventually('the removal', () => bed.runt(['list', '-q']).stdout === '');
      } finally {
        const over = new Promise((settle) => server.once('exit', settle));
        server.kill();
        await over;
      }
    } finally {
      rmSync(dir, { recursive: true });
    }
  }),
);

test.run();
