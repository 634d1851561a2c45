/** Containers without a mount namespace in the config: runt mounts in a namespace of its own, which ends with it. */
import { existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { NamespaceType } from '../../../src/spec/config-types.js';
import { type Bed, needing, onBed } from '../bed/bed.js';

const test = needing('no mount namespace', 'root', 'linux-6.15');

/** Sets only these namespaces, and removes what is refused in the host's namespaces. */
function share(bed: Bed, ...types: NamespaceType[]): void {
  bed.config.linux.namespaces = types.map((type) => ({ type }));
  delete bed.config.hostname;
  bed.config.root.readonly = false;
}

const mountsOf = (pid: number | 'self'): string => readFileSync(`/proc/${pid}/mountinfo`, 'utf8');

test(
  "the process has the host's namespaces and its own root, and the host sees none of its mounts",
  onBed((bed) => {
    share(bed);
    const before = mountsOf('self');
    const pid = bed.started();
    for (const file of ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'user']) {
      assert.is(readlinkSync(`/proc/${pid}/ns/${file}`), readlinkSync(`/proc/self/ns/${file}`));
    }
    assert.is(mountsOf('self'), before);
    assert.is(mountsOf(pid), '');
    assert.not.ok(existsSync(join(bed.rootfs, 'proc/self')));
    assert.ok(existsSync(`/proc/${pid}/root/proc/self`));
    bed.delete('--force');
    assert.is(mountsOf('self'), before);
  }),
);

test(
  'mounts, devices, masked paths, read-only paths and a read-only root work as usual',
  onBed((bed) => {
    share(bed, 'pid', 'network');
    bed.config.root.readonly = true;
    mkdirSync(join(bed.dir, 'data'));
    writeFileSync(join(bed.dir, 'data', 'file'), 'of the host');
    bed.config.mounts.push({
      destination: '/data',
      type: 'bind',
      source: join(bed.dir, 'data'),
      options: ['rbind', 'ro', 'rprivate'],
    });
    bed.config.linux.maskedPaths = ['/proc/version', '/data'];
    bed.config.linux.readonlyPaths = ['/proc/sys'];
    const script = [
      'echo $$; ls /..; ls /data; wc -c < /proc/version; cat /dev/zero | head -c 3 | wc -c',
      '(echo x > /proc/sys/kernel/domainname) 2>/dev/null || echo sys',
      'mkdir /x 2>/dev/null || echo root; mkdir /dev/shm/x && echo shm; mkdir /sys/fs/cgroup/x 2>/dev/null || echo cgroup',
    ];
    assert.is(bed.out(script.join('; ')), `1\n${bed.out('ls /')}0\n3\nsys\nroot\nshm\ncgroup\n`);
    bed.config.linux.maskedPaths = [];
    assert.is(bed.out('cat /data/file; mkdir /data/x 2>/dev/null || echo " kept"'), 'of the host kept\n');
  }),
);

test(
  '".." above the root stays in the root, also for a process that may chroot',
  onBed((bed) => {
    share(bed, 'pid');
    for (const set of ['bounding', 'effective', 'permitted'] as const) {
      bed.config.process.capabilities[set] = ['CAP_SYS_CHROOT', 'CAP_DAC_READ_SEARCH'];
    }
    const own = bed.out('ls /');
    assert.is(bed.out('cd /tmp; cd ../../../../..; pwd; ls; chroot ../../.. /bin/ls ../../..'), `/\n${own}${own}`);
  }),
);

test(
  "exec enters the container's root, not the host's",
  onBed((bed) => {
    share(bed, 'pid');
    bed.started();
    writeFileSync(join(bed.rootfs, 'mark'), 'inside');
    const r = bed.runt([
      'exec',
      bed.id,
      '/bin/sh',
      '-c',
      'cat /mark; cat /proc/1/comm; grep -c . /proc/self/mountinfo',
    ]);
    assert.equal([r.stdout, r.stderr], ['insidesleep\n0\n', '']);
    bed.delete('--force');
  }),
);

test(
  'a failed start with hooks leaves no mounts',
  onBed((bed) => {
    share(bed, 'pid');
    bed.config.hooks = { createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', `: > ${join(bed.dir, 'ran')}`] }] };
    const before = mountsOf('self');
    bed.config.process.args = ['/none'];
    assert.is(bed.run().code, 1);
    assert.ok(existsSync(join(bed.dir, 'ran')));
    assert.is(mountsOf('self'), before);
  }),
);

test.run();
