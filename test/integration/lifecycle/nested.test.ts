/** runt in a container of runt: as root with every capability, in a user namespace, and with what Docker gives. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { capabilityNames } from '../../../src/sys/kernel-names.js';
import { type Bed, needing, ok, onBed } from '../bed/bed.js';
import { withUserNamespace } from '../bed/config.js';
import { runtPath } from '../bed/place.js';

const test = needing('runt in runt', 'root', 'cgroups');

/** A container of a container goes through its whole life; the inner one has no network of its own. */
const script = (id: string) => `
  mkdir -p /b/rootfs/bin /run
  cp -a /bin/sh /bin/cat /bin/sleep /bin/id /b/rootfs/bin/
  cd /b
  runt spec -- sh -c 'echo inside; id -u; exit 7'
  runt run ${id}-1 || echo "status $?"
  rm config.json
  runt spec -- sleep 1000
  runt create ${id}-2
  runt start ${id}-2
  runt exec ${id}-2 sh -c 'echo joined; cat /proc/1/comm'
  runt kill --wait ${id}-2 KILL
  runt delete ${id}-2
  runt list -q`;

/** The output of a container in whose root file system runt makes containers. */
function nested(bed: Bed): string {
  const { config } = bed;
  const own = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]}`);
  const all = capabilityNames().filter((_, i) => (own >> BigInt(i)) & 1n);
  config.process.capabilities = { bounding: all, effective: all, permitted: all };
  config.process.noNewPrivileges = false;
  config.root.readonly = false;
  config.linux.maskedPaths = [];
  config.linux.readonlyPaths = [];
  config.linux.namespaces.push({ type: 'cgroup' });
  for (const mount of config.mounts) if (mount.type === 'cgroup') mount.options = ['nosuid', 'noexec', 'nodev', 'rw'];
  writeFileSync(join(bed.rootfs, 'bin', 'runt'), '');
  config.mounts.push({ destination: '/bin/runt', type: 'bind', source: runtPath, options: ['bind', 'ro'] });
  const r = bed.sh(`exec 2>&1; set -e; ${script(bed.id)}`);
  assert.is(r.code, 0, r.stdout + r.stderr);
  return r.stdout;
}

const expected = 'inside\n0\nstatus 7\njoined\nsleep\n';

test(
  'a privileged container makes containers',
  onBed((bed) => assert.is(nested(bed), expected)),
);

test(
  'so does one in a user namespace, with the ids that it has',
  onBed((bed) => {
    withUserNamespace(bed.config);
    mkdirSync(join(bed.rootfs, 'b'));
    execFileSync('chown', ['-R', '100000:100000', bed.rootfs]);
    assert.is(nested(bed), expected);
  }),
);

/** Runs a script in a container with Docker's capabilities, seccomp profile and masks, and more capabilities. */
function inDocker(bed: Bed, inner: string, ...capabilities: readonly string[]): string {
  writeFileSync(join(bed.rootfs, 'bin', 'runt'), '');
  const more = capabilities.flatMap((name) => ['--cap-add', name]);
  const volume = ['--volume', `${runtPath}:/bin/runt:ro`];
  const prepare = `set -e; exec 2>&1; rm -rf /b; mkdir -p /b/rootfs/bin /run; cp -a /bin/sh /bin/cat /b/rootfs/bin/; cd /b
    runt spec -- sh -c 'echo inside; exit 7'; set +e`;
  const flags = ['--force', '--rootfs', bed.rootfs, '--profile', 'docker', '--read-only=false', ...more, ...volume];
  ok(bed.runt(['spec', '--bundle', bed.bundle, ...flags, '--', '/bin/sh', '-c', `${prepare}\n${inner}`]));
  const r = bed.runt(['run', '--bundle', bed.bundle, bed.id]);
  assert.is(r.code, 0, r.stdout + r.stderr);
  return r.stdout;
}

test(
  'under the profile of Docker it says what it lacks, and leaves nothing',
  onBed((bed) => {
    const run = 'runt run inner; echo "status $?"; runt list -q; ! ls -A /run/runt/* 2>/dev/null';
    const plain = inDocker(bed, run);
    assert.match(plain, /start runt-init in new namespaces: EPERM/);
    assert.match(plain, /fix give runt CAP_SYS_ADMIN/);
    assert.ok(plain.endsWith('status 1\n'), plain);
    const admin = inDocker(bed, run, 'SYS_ADMIN');
    assert.match(admin, /fix mount the cgroups writable/);
    assert.ok(admin.endsWith('status 1\n'), admin);
    const keyring = inDocker(bed, `runt --cgroup-manager disabled ${run.slice(5)}`, 'SYS_ADMIN', 'NET_ADMIN');
    assert.match(keyring, /fix use --no-new-keyring/);
    assert.ok(keyring.endsWith('status 1\n'), keyring);
  }),
);

test(
  'under that profile with CAP_SYS_ADMIN and CAP_NET_ADMIN, without cgroups and keyring, it makes containers',
  onBed((bed) => {
    const life = `runt --cgroup-manager disabled run --no-new-keyring inner; echo "status $?"
      runt --cgroup-manager disabled create --supervise --no-new-keyring other && runt start other && runt wait other
      runt delete other; runt list -q`;
    assert.is(inDocker(bed, life, 'SYS_ADMIN', 'NET_ADMIN'), 'inside\nstatus 7\ninside\n7\n');
  }),
);

test.run();
