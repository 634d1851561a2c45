/**
 * SELinux where it enforces the policy of hack/vm-guest/selinux.cil (hack/vm --lsm selinux): labels of process, exec
 * and mounts.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';

const test = needing('SELinux', 'root', 'selinux', 'runc');

const label = 'system_u:system_r:container_t:s0:c1,c2';
const files = 'system_u:object_r:container_file_t:s0:c1,c2';
const chcon = (type: string, ...paths: string[]) => execFileSync('chcon', ['-h', type, ...paths]);

test(
  'the label confines the process, as with runc, and files of other types cannot be opened',
  onBed((bed) => {
    bed.config.process.selinuxLabel = label;
    for (const name of ['open', 'shut']) writeFileSync(join(bed.rootfs, name), '');
    chcon('system_u:object_r:container_file_t:s0', join(bed.rootfs, 'open'));
    chcon('system_u:object_r:host_file_t:s0', join(bed.rootfs, 'shut'));
    bed.config.root = { path: 'rootfs', readonly: false };
    bed.config.process.args = [
      '/bin/sh',
      '-c',
      'cat /proc/self/attr/current; echo; echo x >/open; echo x >/shut; cat /open',
    ];
    const ours = bed.run();
    assert.equal(ours.stdout.replaceAll('\0', '').split('\n'), [label, 'x', '']);
    assert.match(ours.stderr, /\/shut: Permission denied/);
    const theirs = bed.run([], { program: 'runc' });
    assert.equal(theirs, ours);
    delete bed.config.process.selinuxLabel;
    assert.is(bed.run().stderr, '', 'without a label nothing is shut');
  }),
);

test(
  'the label confines the process with no_new_privs too, and keys get the label',
  onBed((bed) => {
    bed.config.process.selinuxLabel = label;
    bed.config.process.noNewPrivileges = true;
    bed.config.process.user = { uid: 1000, gid: 1000 };
    const both = 'cat /proc/self/attr/current; echo; cat /proc/keys';
    assert.ok(bed.out(both).replaceAll('\0', '').startsWith(`${label}\n`));
  }),
);

test(
  "exec uses the container's label, or that of --process-label",
  onBed((bed) => {
    bed.config.process.selinuxLabel = label;
    bed.started();
    const current = (...flags: string[]) =>
      bed.runt(['exec', ...flags, bed.id, 'cat', '/proc/self/attr/current']).stdout.replaceAll('\0', '');
    assert.is(current(), label);
    const other = 'system_u:system_r:container_t:s0:c3';
    assert.is(current('--process-label', other), other);
    bed.delete('--force');
  }),
);

test(
  'mounts have the label of linux.mountLabel, the same mounts as with runc',
  onBed((bed) => {
    bed.config.linux.mountLabel = files;
    bed.config.process.args = ['cat', '/proc/self/mountinfo'];
    const labelled = (program?: string) => {
      const r = bed.run([], program ? { program } : {});
      assert.is(r.code, 0, r.stderr);
      const lines = r.stdout
        .trim()
        .split('\n')
        .map((line) => line.split(' '));
      return lines
        .filter((line) => line.join(' ').includes(files))
        .map((line) => `${line[4]} ${line[line.indexOf('-') + 1]}`);
    };
    const ours = labelled();
    assert.ok(ours.includes('/dev tmpfs'), ours.join());
    assert.ok(ours.includes('/dev/shm tmpfs'), ours.join());
    assert.equal(ours, labelled('runc'));
  }),
);

test(
  'the error names a label that the policy does not know, for run, exec and mounts',
  onBed((bed) => {
    bed.config.process.selinuxLabel = 'system_u:system_r:nobody_knows_t:s0';
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(
      r.stderr,
      /nobody_knows_t[\s\S]*EINVAL[\s\S]*\/process\/selinuxLabel[\s\S]*the policy has no such label/,
    );
    delete bed.config.process.selinuxLabel;
    bed.config.linux.mountLabel = 'system_u:object_r:nobody_knows_t:s0';
    const m = bed.run();
    assert.is(m.code, 1);
    assert.match(m.stderr, /nobody_knows_t[\s\S]*EINVAL/);
    delete bed.config.linux.mountLabel;
    bed.started();
    const e = bed.runt(['exec', '--process-label', 'system_u:system_r:nobody_knows_t:s0', bed.id, 'true']);
    assert.is(e.code, 255);
    assert.match(e.stderr, /nobody_knows_t/);
    bed.delete('--force');
  }),
);

test.run();
