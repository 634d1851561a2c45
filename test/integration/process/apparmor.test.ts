/** AppArmor where the kernel enables it (hack/vm --lsm apparmor): profiles confine the process and execs. */
import { spawnSync } from 'node:child_process';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../bed/bed.js';

const test = needing('AppArmor', 'root', 'apparmor', 'apparmor_parser', 'runc');

/** A profile that allows everything but writing to files of one name. */
const profile = (name: string, denied: string) => `profile ${name} flags=(attach_disconnected,mediate_deleted) {
  file, capability, network, mount, umount, pivot_root, signal, ptrace, unix,
  deny /**/${denied} w,
}`;
const parser = (flag: string, text: string) => {
  const r = spawnSync('apparmor_parser', [flag], { input: text, encoding: 'utf8' });
  if (r.status !== 0) throw new Error(`apparmor_parser ${flag}: ${r.stderr}`);
};
const look = 'cat /proc/self/attr/current; echo x >/tmp/open; echo x >/tmp/shut; echo x >/tmp/closed; ls /tmp';

/** Runs a test's body on a bed, with both profiles loaded. */
const onProfiles = (body: (bed: Bed) => void) =>
  onBed((bed) => {
    parser('-r', profile('runt-one', 'shut'));
    parser('-r', profile('runt-two', 'closed'));
    try {
      body(bed);
    } finally {
      for (const name of ['runt-one', 'runt-two']) parser('-R', `profile ${name} {}`);
    }
  });

/** What a profile allows the process to do, without the shell's own text before "Permission denied". */
const lines = (bed: Bed, program?: string) => {
  bed.config.process.args = ['/bin/sh', '-c', look];
  bed.config.mounts = [...bed.config.mounts!, { destination: '/tmp', type: 'tmpfs', source: 'tmpfs' }];
  const r = bed.run([], program ? { program } : {});
  assert.is(r.code, 0, r.stderr);
  return { out: r.stdout.split('\n'), err: r.stderr };
};

test(
  'a profile confines the process, as with runc',
  onProfiles((bed) => {
    bed.config.process.apparmorProfile = 'runt-one';
    const ours = lines(bed);
    assert.equal(ours.out, ['runt-one (enforce)', 'closed', 'open', '']);
    assert.match(ours.err, /\/tmp\/shut: Permission denied/);
    assert.equal(lines(bed, 'runc'), ours);
  }),
);

test(
  'a profile confines the process with no_new_privs too, and as another user',
  onProfiles((bed) => {
    bed.config.process.apparmorProfile = 'runt-one';
    bed.config.process.noNewPrivileges = true;
    bed.config.process.user = { uid: 1000, gid: 1000 };
    const ours = lines(bed);
    assert.equal(ours.out, ['runt-one (enforce)', 'closed', 'open', '']);
    assert.equal(lines(bed, 'runc'), ours);
  }),
);

test(
  "exec uses the container's profile, or that of --apparmor",
  onProfiles((bed) => {
    bed.config.process.apparmorProfile = 'runt-one';
    bed.config.process.noNewPrivileges = false;
    bed.started();
    const current = (...flags: string[]) =>
      bed.runt(['exec', ...flags, bed.id, 'cat', '/proc/self/attr/current']).stdout.trim();
    assert.is(current(), 'runt-one (enforce)');
    assert.is(current('--apparmor', 'runt-two'), 'runt-two (enforce)');
    assert.is(current('--apparmor', 'unconfined'), 'unconfined');
    bed.delete('--force');
  }),
);

test(
  'the error of a profile that is not loaded has the text that engines match, for run and exec',
  onProfiles((bed) => {
    bed.config.process.apparmorProfile = 'unconfined';
    assert.is(bed.out('cat /proc/self/attr/apparmor/current'), 'unconfined\n');
    bed.config.process.apparmorProfile = 'runt-is-not-loaded';
    const r = bed.run();
    assert.is(r.code, 1);
    const said =
      /write "exec runt-is-not-loaded" to `\/proc\/self\/attr\/apparmor\/exec`: ENOENT[\s\S]*apparmor_parser/;
    assert.match(r.stderr, said);
    delete bed.config.process.apparmorProfile;
    bed.started();
    assert.match(bed.runt(['exec', '--apparmor', 'runt-is-not-loaded', bed.id, 'true']).stderr, said);
    assert.is(bed.runt(['exec', '--apparmor', 'unconfined', bed.id, 'true']).code, 0);
    bed.delete('--force');
  }),
);

test.run();
