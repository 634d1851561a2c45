/** runt in a container of runt: as root with every capability, and in a user namespace. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { capabilityNames } from '../../../src/sys/kernel-names.js';
import { type Bed, needing, onBed } from '../bed/bed.js';
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

test.run();
