/**
 * A sysfs mount in a user namespace that does not own the network namespace: the host's /sys, recursively read-only.
 */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, readlinkSync, statSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { type Bed, eventually, needing, onBed, type Result } from '../bed/bed.js';
import { asUser, runAsRootOfANamespace } from '../bed/callers.js';
import { withUserNamespace } from '../bed/config.js';

const test = needing('the sysfs of the host', 'root', 'unshare');

const without = (bed: Bed, type: string): void => {
  bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== type);
};

/** Prints mounts at and below /sys that are writable or receive the host's mount events, devices, and masked paths. */
const look = `
  awk '$5 == "/sys" || $5 ~ "^/sys/" { split($6, o, ","); if (o[1] != "ro") print "rw", $5 }' /proc/self/mountinfo
  awk '$5 ~ "^/sys(/|$)" && $5 !~ "^/sys/fs/cgroup" && $7 != "-" { print $7, $5 }' /proc/self/mountinfo
  ls /sys/class/net >/dev/null && echo net
  ls /sys/kernel | wc -l
  mkdir /sys/fs/cgroup/made 2>/dev/null && echo made`;

const warned = /warning: \/mounts\/[0-9]+\/type should be a recursive bind of \/sys.*, found "sysfs"/;

/** Asserts that the container sees the host's /sys, cannot write there, and that paths below it are masked. */
function shows(bed: Bed, run: () => Result, warning: RegExp): void {
  bed.config.linux.maskedPaths = ['/sys/kernel', ...bed.config.linux.maskedPaths];
  bed.config.process.args = ['/bin/sh', '-c', look];
  bed.write();
  const r = run();
  assert.match(r.stdout, /^net\n0\n$/, r.stderr);
  assert.match(r.stderr, warning);
  assert.is(r.stderr.split('warning').length, 2, r.stderr);
}

for (const cgroup of ['with a cgroup mount', 'without a cgroup mount'] as const) {
  const prepared = (bed: Bed) => {
    bed.config.linux.resources = {};
    if (cgroup === 'without a cgroup mount') bed.config.mounts = bed.config.mounts.filter((m) => m.type !== 'cgroup');
  };

  test(
    `root with a new user namespace and the host's network gets the host's /sys, ${cgroup}`,
    onBed((bed) => {
      prepared(bed);
      withUserNamespace(bed.config);
      without(bed, 'network');
      for (const options of [['nosuid', 'noexec', 'nodev', 'ro'], ['rw', 'noatime'], []]) {
        bed.config.mounts.find((m) => m.type === 'sysfs')!.options = options;
        shows(bed, () => bed.run(), warned);
      }
    }),
  );

  test(
    `root of a user namespace gets the host's /sys, ${cgroup}`,
    onBed(async (bed) => {
      prepared(bed);
      without(bed, 'network');
      bed.config.linux.namespaces.push({ type: 'user' });
      bed.config.linux.uidMappings = [{ containerID: 0, hostID: 1, size: 1000 }];
      bed.config.linux.gidMappings = bed.config.linux.uidMappings;
      bed.config.linux.maskedPaths = ['/sys/kernel'];
      bed.config.process.args = ['/bin/sh', '-c', look];
      for (const mounts of ['own', 'outer'] as const) {
        const r = await runAsRootOfANamespace(bed, mounts);
        assert.match(r.stdout, /^net\n0\n$/, r.stderr);
        assert.match(r.stderr, warned);
      }
    }),
  );
}

test(
  "an ordinary user gets the host's /sys",
  onBed((bed) => {
    const call = asUser(bed);
    without(bed, 'network');
    const sys = bed.config.mounts.findIndex((m) => m.destination === '/sys');
    bed.config.mounts[sys] = { destination: '/sys', type: 'sysfs', source: 'sysfs' };
    shows(bed, () => call('run', '--bundle', bed.bundle, bed.id), warned);
  }),
);

test(
  "with a joined network namespace of the host's, the container gets the host's /sys",
  onBed((bed) => {
    withUserNamespace(bed.config);
    without(bed, 'network');
    bed.config.linux.namespaces.push({ type: 'network', path: '/proc/self/ns/net' });
    shows(bed, () => bed.run(), warned);
    const r = bed.runt(['explain', bed.bundle]);
    assert.match(r.stdout, /mount +\/sys +sysfs.*, or else the \/sys of the host, read-only throughout, slot [0-9]+ /);
    const v = bed.runt(['validate', bed.bundle]);
    assert.is(v.code, 0);
    assert.match(v.stderr, /warning: \/mounts\/[0-9]+\/type should be a recursive bind of \/sys/);
  }),
);

test(
  "with a joined user namespace, its own network has a new sysfs, and the host's network a warning",
  onBed(async (bed) => {
    const holder = spawn('unshare', ['-Un', 'sleep', '60'], { stdio: 'ignore' });
    try {
      const { pid } = holder;
      await eventually(
        'the namespaces',
        () => readlinkSync(`/proc/${pid}/ns/net`) !== readlinkSync('/proc/self/ns/net'),
      );
      for (const map of ['gid_map', 'uid_map']) execFileSync('sh', ['-c', `echo 0 100000 65536 > /proc/${pid}/${map}`]);
      without(bed, 'network');
      bed.config.linux.namespaces.push({ type: 'user', path: `/proc/${pid}/ns/user` });
      bed.config.process.args = ['/bin/sh', '-c', 'ls /sys/class/net | wc -l'];
      const host = bed.run();
      assert.match(host.stderr, /^runt: warning: \/mounts\/[0-9]+: the \/sys of the host is bound on \/sys, read-only/);
      assert.is.not(Number(host.stdout), 0);
      bed.config.linux.namespaces.push({ type: 'network', path: `/proc/${pid}/ns/net` });
      const own = bed.run();
      assert.equal([own.code, own.stdout, own.stderr], [0, '1\n', '']);
    } finally {
      holder.kill('SIGKILL');
    }
  }),
);

test(
  'a symlink at /sys of the image is not followed',
  onBed((bed) => {
    withUserNamespace(bed.config);
    without(bed, 'network');
    execFileSync('sh', [
      '-c',
      `rmdir ${bed.rootfs}/sys; mkdir ${bed.rootfs}/elsewhere; ln -s elsewhere ${bed.rootfs}/sys`,
    ]);
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /\/sys/);
    assert.ok(statSync('/sys').isDirectory() && readFileSync('/proc/self/mountinfo', 'utf8').includes(' /sys '));
  }),
);

test.run();
