/** The cgroup operations of a plan on this machine's kernel: made, written, joined, read back, removed. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { readCgroupFacts } from '../../../src/cgroup/cgroup-facts.js';
import { cgroupDirectories, cgroupPaths } from '../../../src/cgroup/cgroup-paths.js';
import { pidsIn } from '../../../src/cgroup/cgroup-processes.js';
import { removeCgroups } from '../../../src/cgroup/cgroup-removal.js';
import { filterProgram } from '../../../src/cgroup/devices/device-filter.js';
import { applyCgroupOp, type CgroupOp } from '../../../src/container/launch/handlers/cgroup-handler.js';
import { cgroupOps } from '../../../src/plan/cgroup/cgroup-compile.js';
import type { Resources } from '../../../src/spec/config-types.js';
import { native } from '../../../src/sys/host.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { filterRule } from '../../cgroup/devices/filter-rule.js';
import { elapse } from '../../deadline.js';
import { needing } from '../bed/needs.js';

const test = needing('cgroup operations', 'root', 'cgroup-v1');
const anywhere = needing('cgroup operations, v1 or v2', 'root', 'cgroups');
useNodeHost([]);
const name = `runt-test-${process.pid}`;
const root = { rootless: false };

/** Makes the cgroups for `resources`, passes them to `use`, and always removes them. */
async function inCgroups(
  resources: Resources,
  use: (path: (controller: string) => string, all: string[], join: (pid: number) => void) => void | Promise<void>,
  inner = name,
): Promise<void> {
  const facts = readCgroupFacts();
  const paths = cgroupPaths(facts, inner, 'unused', root);
  const all = cgroupDirectories(paths);
  const ops = cgroupOps(facts, paths, resources, { rootless: false, devices: [] });
  const apply = (op: unknown) => assert.equal(applyCgroupOp(op as CgroupOp, []), undefined, JSON.stringify(op));
  try {
    for (const op of ops.before) apply(op);
    const path = (controller: string) =>
      (facts.v1.length === 0
        ? paths.unified?.path
        : paths.v1.find((p) => p.hierarchy.controllers.includes(controller))?.path) ?? `no ${controller}`;
    await use(path, all, (pid) => {
      for (const file of [...ops.tasks, ...(ops.cloneCgroup ? [`${ops.cloneCgroup}/cgroup.procs`] : [])])
        writeFileSync(file, String(pid));
    });
  } finally {
    await removeCgroups(all);
  }
  for (const directory of all) assert.not.ok(existsSync(directory), directory);
}

const text = (...path: string[]): string => readFileSync(join(...path), 'utf8').trim();

test('every v1 hierarchy gets a cgroup with the configured values, which a process can join and which is removed', async () => {
  const resources: Resources = {
    memory: { limit: 64 << 20, swap: 96 << 20, reservation: 32 << 20, swappiness: 10 },
    cpu: { shares: 512, period: 50000, quota: 25000, cpus: '0' },
    pids: { limit: 17 },
    devices: [{ allow: false, access: 'rwm' }],
  };
  await inCgroups(resources, async (path, all, enter) => {
    assert.is(text(path('memory'), 'memory.limit_in_bytes'), String(64 << 20));
    assert.is(text(path('memory'), 'memory.memsw.limit_in_bytes'), String(96 << 20));
    assert.is(text(path('memory'), 'memory.soft_limit_in_bytes'), String(32 << 20));
    assert.is(text(path('memory'), 'memory.swappiness'), '10');
    assert.is(text(path('cpu'), 'cpu.shares'), '512');
    assert.is(text(path('cpu'), 'cpu.cfs_period_us'), '50000');
    assert.is(text(path('cpu'), 'cpu.cfs_quota_us'), '25000');
    assert.is(text(path('cpuset'), 'cpuset.cpus'), '0');
    assert.is(text(path('cpuset'), 'cpuset.mems'), text(path('cpuset'), '..', 'cpuset.mems'));
    assert.is(text(path('pids'), 'pids.max'), '17');
    const devices = text(path('devices'), 'devices.list').split('\n').sort();
    assert.equal(
      devices,
      [
        'b *:* m',
        'c *:* m',
        'c 10:200 rwm',
        'c 136:* rwm',
        'c 1:3 rwm',
        'c 1:5 rwm',
        'c 1:7 rwm',
        'c 1:8 rwm',
        'c 1:9 rwm',
        'c 5:0 rwm',
        'c 5:2 rwm',
      ].sort(),
    );

    const child = spawn('sleep', ['100'], { stdio: 'ignore' });
    const gone = new Promise((done) => child.on('exit', done));
    try {
      enter(child.pid!);
      for (const directory of all) assert.equal(pidsIn(directory, false), [child.pid!], directory);
      const busy = await removeCgroups(all, 50).catch((e: { code: string; hint: string }) => e);
      assert.is(busy?.code, 'ERR_CGROUP_BUSY');
      assert.match(busy?.hint ?? '', `kill process ${child.pid} `);
    } finally {
      child.kill('SIGKILL');
      await gone;
    }
  });
});

test('a process can join a cpuset cgroup several levels below one with empty masks', async () => {
  const facts = readCgroupFacts();
  const top = cgroupPaths(facts, `${name}-deep`, 'unused', root);
  await inCgroups(
    {},
    async (path, _, enter) => {
      assert.not.equal(text(path('cpuset'), 'cpuset.mems'), '');
      const child = spawn('sleep', ['100'], { stdio: 'ignore' });
      const gone = new Promise((done) => child.on('exit', done));
      enter(child.pid!);
      child.kill('SIGKILL');
      await gone;
    },
    `${name}-deep/a/b`,
  );
  await removeCgroups(cgroupDirectories(top));
  for (const directory of cgroupDirectories(top)) assert.not.ok(existsSync(directory), directory);
});

anywhere('removal includes the cgroups below, and pidsIn finds the processes there', async () => {
  await inCgroups({}, async (path) => {
    const inner = join(path('pids'), 'inner', 'most');
    mkdirSync(inner, { recursive: true });
    const child = spawn('sleep', ['100'], { stdio: 'ignore' });
    const gone = new Promise((done) => child.on('exit', done));
    writeFileSync(join(inner, 'cgroup.procs'), String(child.pid));
    assert.equal(pidsIn(path('pids'), false), []);
    assert.equal(pidsIn(path('pids'), true), [child.pid!]);
    child.kill('SIGKILL');
    await gone;
  });
});

anywhere('removal waits until the last process has ended', async () => {
  const facts = readCgroupFacts();
  const all = cgroupDirectories(cgroupPaths(facts, `${name}-wait`, 'unused', root));
  for (const directory of all) mkdirSync(directory);
  const pids = all.find((d) => facts.v1.length === 0 || d.includes('/pids/'))!;
  const child = spawn('sh', ['-c', 'echo $$ >"$0/cgroup.procs"; echo; exec sleep 1000', pids], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((done) => child.stdout.once('data', done));
  let done = false;
  const removal = removeCgroups(all).then(() => {
    done = true;
  });
  // The removal must still be waiting.
  await elapse(100);
  assert.not.ok(done, 'it did not wait');
  child.kill('SIGKILL');
  await removal;
  for (const directory of all) assert.not.ok(existsSync(directory), directory);
});

anywhere('directories outside a cgroup file system are neither read nor removed', async () => {
  const plain = mkdtempSync(join(tmpdir(), 'runt-plain-'));
  try {
    writeFileSync(join(plain, 'cgroup.procs'), '1\n');
    mkdirSync(join(plain, 'empty'));
    assert.equal(pidsIn(plain, true), []);
    await removeCgroups([join(plain, 'empty'), plain, join(plain, 'missing')]);
    assert.ok(existsSync(join(plain, 'empty')));
  } finally {
    rmSync(plain, { recursive: true });
  }
});

/** The errno's text of opening (or, with a type, making) device 240:MINOR inside the cgroup. */
function tryDevice(cgroup: string, script: string, node: string): string {
  const program = `echo $$ >"${cgroup}/cgroup.procs" || exit 9; ${script.replaceAll('NODE', node)}`;
  try {
    execFileSync('sh', ['-c', program], { stdio: ['ignore', 'pipe', 'pipe'] });
    return 'done';
  } catch (error) {
    return (
      /Operation not permitted|No such device or address/.exec(String((error as { stderr: Buffer }).stderr))?.[0] ??
      String(error)
    );
  }
}

anywhere('on v2 the device filter allows exactly the listed devices', () => {
  const { unified } = readCgroupFacts();
  if (!unified) {
    process.stdout.write('# skip device filter: cgroup-v2: no cgroup2 mount\n');
    return;
  }
  const cgroup = join(unified.mountPoint, `${name}-filter`);
  const directory = mkdtempSync(join(tmpdir(), 'runt-nodes-'));
  const node = (n: number) => join(directory, `c240-${n}`);
  const [refused, passed] = ['Operation not permitted', 'No such device or address'];
  const open = (n: number, how: string) => tryDevice(cgroup, `: ${how}"NODE"`, node(n));
  const filter = (allow: boolean, lines: string[], probe: () => void) => {
    mkdirSync(cgroup);
    try {
      assert.is(native.attachDeviceFilter(cgroup, filterProgram({ allow, exceptions: lines.map(filterRule) })), 0);
      probe();
    } finally {
      rmdirSync(cgroup);
    }
  };
  try {
    for (const n of [1, 2, 3]) execFileSync('mknod', [node(n), 'c', '240', String(n)]);
    filter(false, ['c 240:1 rwm', 'c 240:2 r', 'c 1:3 rwm', 'c *:* m'], () => {
      assert.is(open(1, '<'), passed, 'allowed for reading');
      assert.is(open(1, '<>'), passed, 'allowed for both');
      assert.is(open(2, '<'), passed, 'allowed for reading alone');
      assert.is(open(2, '>'), refused, 'writing where reading is allowed');
      assert.is(open(2, '<>'), refused, 'both where reading is allowed');
      assert.is(open(3, '<'), refused, 'not in the list');
      assert.is(tryDevice(cgroup, ': >/dev/null </dev/null', ''), 'done');
      assert.is(tryDevice(cgroup, ': </dev/zero', ''), refused);
      assert.is(tryDevice(cgroup, 'mknod "NODE" c 240 9', node(9)), 'done', 'any character device may be made');
      assert.is(tryDevice(cgroup, 'mknod "NODE" b 240 8', node(8)), refused, 'no block device may');
    });
    filter(true, ['c 240:1 w', 'b *:* rwm', 'c 240:3 rwm'], () => {
      assert.is(open(1, '<'), passed);
      assert.is(open(1, '>'), refused);
      assert.is(open(1, '<>'), refused, 'any denied access denies');
      assert.is(open(2, '<>'), passed);
      assert.is(open(3, '<'), refused);
      assert.is(tryDevice(cgroup, 'mknod "NODE" b 7 7', node(7)), refused);
    });
    filter(true, ['c *:3 r', 'c 240:* w'], () => {
      assert.is(open(1, '<'), passed);
      assert.is(open(3, '<'), refused, 'minor 3 of any major');
      assert.is(open(2, '>'), refused, 'any minor of major 240');
    });
    filter(false, ['c 4294967295:4294967295 rwm'], () => assert.is(open(1, '<'), refused));
  } finally {
    rmSync(directory, { recursive: true });
  }
});

anywhere(
  'on v2 a signal that arrives while the kernel verifies the device filter does not make the load fail',
  async () => {
    const { unified } = readCgroupFacts();
    if (!unified) {
      process.stdout.write('# skip device filter: cgroup-v2: no cgroup2 mount\n');
      return;
    }
    const cgroup = join(unified.mountPoint, `${name}-signals`);
    mkdirSync(cgroup);
    const ignore = () => {};
    process.on('SIGUSR2', ignore);
    // One signal for each child that the shell forks.
    const sender = spawn('/bin/sh', ['-c', `while kill -USR2 ${process.pid}; do (:); done`], { stdio: 'ignore' });
    sender.unref();
    try {
      const exceptions = Array.from({ length: 300 }, (_, n) => filterRule(`c 240:${n} rwm`));
      const program = filterProgram({ allow: false, exceptions });
      for (const end = Date.now() + 2000; Date.now() < end; ) assert.is(native.attachDeviceFilter(cgroup, program), 0);
    } finally {
      sender.kill('SIGKILL');
      process.off('SIGUSR2', ignore);
      rmdirSync(cgroup);
    }
  },
);

test.run();
anywhere.run();
