/**
 * Cgroup v2 alone, on any kernel: in a private mount namespace a cgroup2 file system covers /sys/fs/cgroup. The second
 * half of this file runs there, as another process, and reports its results as JSON.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { type CgroupFacts, readCgroupFacts } from '../../../src/cgroup/cgroup-facts.js';
import { cgroupDirectories, cgroupPaths } from '../../../src/cgroup/cgroup-paths.js';
import { pidsIn } from '../../../src/cgroup/cgroup-processes.js';
import { removeCgroups } from '../../../src/cgroup/cgroup-removal.js';
import { applyCgroupOp, type CgroupOp } from '../../../src/container/launch/handlers/cgroup-handler.js';
import { cgroupOps } from '../../../src/plan/cgroup/cgroup-compile.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { needing } from '../bed/needs.js';

interface Seen {
  facts: CgroupFacts;
  ops: { op: string }[];
  failed: unknown[];
  /** The cgroup of the process after joining, from /proc/self/cgroup. */
  own: string;
  pids: number[];
  pid: number;
  /** What the device filter allowed. */
  zero: boolean;
  other: boolean;
  left: string[];
}

/** Runs `script`, then the second half, in a mount namespace of its own. */
function inV2(script: string): Seen {
  const self = process.argv[1]!;
  const out = execFileSync(
    'unshare',
    ['-m', '--propagation', 'private', 'sh', '-ec', `${script}\nexec "$0" "$1"`, process.execPath, self],
    { env: { ...process.env, RUNT_TEST_V2: '1' }, encoding: 'utf8' },
  );
  return JSON.parse(out) as Seen;
}

const name = `runt-test-v2-${process.env.RUNT_TEST_V2 ? process.ppid : process.pid}`;

/** The second half. */
async function insideV2(): Promise<Seen> {
  const facts = readCgroupFacts();
  const paths = cgroupPaths(facts, '/box/inner', 'unused', { rootless: false });
  const all = cgroupDirectories(paths);
  // RUNT_TEST_NODE has a device number without a driver: opening it fails with ENXIO if the filter allows it, else with
  // EPERM.
  const { before, cloneCgroup } = cgroupOps(
    facts,
    paths,
    { devices: [{ allow: false, access: 'rwm' }], unified: { 'cgroup.max.depth': '3' } },
    { rootless: false, devices: [] },
  );
  const made: string[] = [];
  const failed = before.map((op) => applyCgroupOp(op as CgroupOp, made)).filter(Boolean);
  const open = (path: string): boolean => {
    try {
      readFileSync(path, { flag: 'r' });
      return true;
    } catch (error) {
      return (error as { code: string }).code !== 'EPERM';
    }
  };
  const home = `/sys/fs/cgroup${facts.unified!.own}/cgroup.procs`;
  writeFileSync(`${cloneCgroup}/cgroup.procs`, String(process.pid));
  const own = readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .find((l) => l.startsWith('0::'))!;
  const seen = {
    pids: pidsIn(cloneCgroup, false),
    zero: open('/dev/null'),
    other: open(process.env.RUNT_TEST_NODE!),
  };
  writeFileSync(home, String(process.pid));
  await removeCgroups(made);
  const left = all.filter((d) => existsSync(d));
  return { facts, ops: before, failed, own, pid: process.pid, left, ...seen };
}

if (process.env.RUNT_TEST_V2) {
  useNodeHost([]);
  process.stdout.write(JSON.stringify(await insideV2()));
} else {
  const test = needing('cgroup v2 alone', 'root', 'mount', 'unshare');
  const node = `/tmp/${name}-node`;
  process.env.RUNT_TEST_NODE = node;

  test.before(() => {
    execFileSync('mknod', [node, 'c', '240', '1']);
  });
  test.after(() => {
    execFileSync('rm', ['-f', node]);
  });

  test('cgroup operations work in a subtree of the hierarchy, as in a container without a cgroup namespace', () => {
    // The covering mount is not the root of the hierarchy, so that the machine's own tree is neither changed nor
    // joined.
    const seen = inV2(`
      mount -t cgroup2 none /mnt
      mkdir /mnt/${name}
      echo $$ >/mnt/${name}/cgroup.procs
      mount --bind /mnt/${name} /sys/fs/cgroup
      umount /mnt`);
    try {
      assert.is(seen.facts.layout, 'v2');
      assert.equal(seen.facts.v1, []);
      const { mountPoint, own } = seen.facts.unified!;
      assert.equal({ mountPoint, own }, { mountPoint: '/sys/fs/cgroup', own: '/' });
      assert.equal(seen.failed, []);
      assert.equal(
        seen.ops.map((op) => op.op),
        ['cgroupCreate', 'cgroupControllers', 'cgroupWrite', 'cgroupDevices'],
      );
      assert.is(seen.own, `0::/${name}/box/inner`);
      assert.equal(seen.pids, [seen.pid]);
      assert.ok(seen.zero, '/dev/null');
      assert.not.ok(seen.other, 'a device that is not in the list');
      assert.equal(seen.left, []);
    } finally {
      const parent = leftIn(name);
      if (parent) rmdirSync(parent);
    }
  });

  test.run();
}

/** The test's own cgroup in the machine's own mount, if it is left there. */
function leftIn(cgroup: string): string | undefined {
  return ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].map((d) => `${d}/${cgroup}`).find((d) => existsSync(d));
}
