/**
 * The bed itself. Every test relies on its clean-up check, so it must find everything that a container can leave
 * behind.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { leftovers } from '../../leaks/leftovers.js';
import { Bed, eventually, needing } from './bed.js';
import { top } from './place.js';

const test = needing('bed');
const compiling = needing('hack/rootfs', 'musl-gcc');
const mounting = needing('bed and mounts', 'root', 'mount', 'unshare');
const controlled = needing('bed and cgroups', 'root', 'cgroup-v1');
const compared = needing('bed and runc', 'root', 'cgroup-v1', 'runc');

test('a fresh bed leaves nothing', () => {
  const bed = new Bed();
  assert.ok(existsSync(join(bed.rootfs, 'bin', 'sh')));
  bed.end();
  assert.not.ok(existsSync(bed.dir));
});

compiling('concurrent runs of hack/rootfs each end with a complete root file system', async () => {
  const bed = new Bed();
  const base = join(bed.dir, 'base');
  const one = () =>
    new Promise<string>((settle) => {
      const script = '"$0" "$1" 2>&1 && "$1/true" && ls "$1/bin" | wc -l && head -n 1 "$1/etc/passwd" "$1/etc/group"';
      const child = spawn('sh', ['-c', script, join(top, 'hack', 'rootfs'), base], { stdio: ['ignore', 'pipe', 2] });
      let said = '';
      child.stdout!.on('data', (d) => {
        said += d;
      });
      child.on('close', (code) => settle(`${said}exit ${code}`));
    });
  const ended = await Promise.all(Array.from({ length: 8 }, one));
  assert.match(ended[0]!, /root:x:0:0(.|\n)*root:x:0:\n+exit 0$/);
  assert.equal(new Set(ended).size, 1, ended.join('\n'));
  bed.end();
});

test('the bed finds and removes a state directory that was left behind', () => {
  const bed = new Bed();
  mkdirSync(join(bed.root, bed.id), { recursive: true });
  assert.throws(() => bed.end(), /state .*bed-/);
  assert.not.ok(existsSync(bed.dir));
});

mounting('the bed finds and unmounts a mount that was left behind', () => {
  const bed = new Bed();
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(bed.rootfs, 'tmp')]);
  assert.throws(() => bed.end(), /mount .*rootfs\/tmp/);
  assert.not.ok(existsSync(bed.dir));
});

mounting('the bed finds and ends a process in a mount namespace of its own', async () => {
  const bed = new Bed();
  const child = spawn('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs x "$0" && exec sleep 100', bed.rootfs]);
  const ended = new Promise<string | null>((settle) => child.on('exit', (_, signal) => settle(signal)));
  await eventually('the mount', () => leftovers(bed.mark, 0).some((line) => line.includes(': sleep')));
  assert.throws(() => bed.end(false, 0), /process \d+: sleep/);
  assert.is(await ended, 'SIGKILL');
});

controlled('the bed finds and removes a cgroup that was left behind', () => {
  const bed = new Bed();
  const path = join('/sys/fs/cgroup/pids', bed.id);
  mkdirSync(path);
  assert.throws(() => bed.end(), /cgroup .*pids/);
  assert.not.ok(existsSync(path));
});

compared('the bed runs a container with runc from the same bundle', () => {
  const bed = new Bed();
  bed.config.process.args = ['/bin/sh', '-c', 'hostname; echo oops >&2; cat; exit 3'];
  bed.write();
  const r = bed.runt(['run', '--bundle', bed.bundle, bed.id], { program: 'runc', input: 'in' });
  assert.equal(r, { code: 3, signal: null, stdout: 'runt\nin', stderr: 'oops\n' });
  bed.end();
});

compared('the bed finds a container that was created and not deleted', () => {
  const bed = new Bed();
  bed.config.process.args = ['/bin/sleep', '100'];
  bed.write();
  assert.is(bed.runt(['create', '--bundle', bed.bundle, bed.id], { program: 'runc' }).code, 0);
  assert.throws(() => bed.end(false, 0), /process(.|\n)*cgroup(.|\n)*state/);
  assert.not.ok(existsSync(bed.dir));
});

test.run();
compiling.run();
mounting.run();
controlled.run();
compared.run();
