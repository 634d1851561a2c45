/** crun's annotations: a precompiled seccomp filter, the caller's groups, the output of hooks in files. */
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { seccompBpfData } from '../../../src/spec/annotation-names.js';
import { type Bed, needing, onBed } from '../bed/bed.js';
import { withUserNamespace } from '../bed/config.js';

const test = needing('annotations', 'root');
const grouped = needing('keep original groups', 'root', 'setpriv');

/** Instructions as struct sock_filter: code, jt, jf, k. */
function program(...instructions: [number, number, number, number][]): string {
  const bytes = Buffer.alloc(8 * instructions.length);
  for (const [i, [code, jt, jf, k]] of instructions.entries()) {
    bytes.writeUInt16LE(code, 8 * i);
    bytes.set([jt, jf], 8 * i + 2);
    bytes.writeUInt32LE(k >>> 0, 8 * i + 4);
  }
  return bytes.toString('base64');
}
const mkdirat = process.arch === 'arm64' ? 34 : 258;
const mkdir = process.arch === 'arm64' ? 34 : 83;
/** A filter that makes mkdir fail with errno 42 and allows everything else. */
const noMkdir = program(
  [0x20, 0, 0, 0],
  [0x15, 1, 0, mkdir],
  [0x15, 0, 1, mkdirat],
  [0x06, 0, 0, 0x0005_0000 | 42],
  [0x06, 0, 0, 0x7fff_0000],
);

for (const noNewPrivileges of [true, false]) {
  test(
    `seccomp_bpf_data replaces the profile, ${noNewPrivileges ? 'with' : 'without'} noNewPrivileges, for exec too`,
    onBed((bed) => {
      bed.config.process.noNewPrivileges = noNewPrivileges;
      bed.config.annotations = { [seccompBpfData]: noMkdir };
      bed.config.linux.seccomp = { defaultAction: 'SCMP_ACT_KILL_PROCESS' };
      bed.started();
      const r = bed.runt(['exec', bed.id, 'sh', '-c', 'mkdir /dev/shm/x; grep ^Seccomp /proc/self/status']);
      assert.match(r.stderr, /mkdir.*(No message of desired type|ENOMSG|error 42)/i);
      assert.match(r.stdout, /Seccomp:\t2\nSeccomp_filters:\t1\n/);
      assert.match(readFileSync(`/proc/${bed.state().pid}/status`, 'utf8'), /Seccomp:\t2\nSeccomp_filters:\t1\n/);
      bed.delete('--force');
    }),
  );
}

test(
  'invalid seccomp_bpf_data is refused with its JSON pointer',
  onBed((bed) => {
    for (const [data, said] of [
      ['no base64!', /found no base64/],
      ['', /found 0 bytes/],
      ['AAAA', /found 3 bytes/],
    ] as const) {
      bed.config.annotations = { [seccompBpfData]: data };
      const r = bed.run();
      assert.is(r.code, 1);
      assert.match(r.stderr, said);
      assert.match(r.stderr, /\/annotations\/run\.oci\.seccomp_bpf_data/);
    }
    // Of a valid size, but refused by the kernel's verifier.
    bed.config.annotations = { [seccompBpfData]: program([0xffff, 0, 0, 0]) };
    assert.match(bed.run().stderr, /load the seccomp filter: EINVAL/);
  }),
);

/** A caller with two supplementary groups. */
const caller = (bed: Bed): string => {
  const path = join(bed.dir, 'caller');
  writeFileSync(path, '#!/bin/sh\nexec setpriv --groups 4242,4243 "$RUNT" "$@"\n');
  chmodSync(path, 0o755);
  return path;
};

grouped(
  "keep_original_groups keeps the caller's groups for run and exec, and ignores the config's",
  onBed(async (bed) => {
    const { runtPath } = await import('../bed/place.js');
    const o = { program: caller(bed), env: { PATH: process.env.PATH ?? '', RUNT: runtPath } };
    bed.config.process.user.additionalGids = [7];
    bed.config.process.args = ['/bin/grep', '^Groups', '/proc/self/status'];
    assert.match(bed.run([], o).stdout, /^Groups:\t7 \n/, 'without it the config counts');
    bed.config.annotations = { 'run.oci.keep_original_groups': '1' };
    assert.match(bed.run([], o).stdout, /^Groups:\t4242 4243 \n/);
    bed.config.process.user = { uid: 1000, gid: 1000 };
    assert.match(bed.run([], o).stdout, /^Groups:\t4242 4243 \n/, 'for another user too');
    bed.started();
    const exec = bed.runt(['exec', bed.id, 'grep', '^Groups', '/proc/self/status'], o);
    assert.match(exec.stdout, /^Groups:\t4242 4243 \n/);
    bed.delete('--force');
    withUserNamespace(bed.config);
    bed.started();
    assert.match(readFileSync(`/proc/${bed.state().pid}/status`, 'utf8'), /^Groups:\t[0-9 ]*$/m);
    bed.delete('--force');
    bed.config.process.args = ['/bin/grep', '^Groups', '/proc/self/status'];
    // The groups are not mapped inside.
    assert.match(bed.run([], o).stdout, /^Groups:\t65534 65534 \n/);
  }),
);

test(
  'the output of all six kinds of hooks is appended to the files, which only their owner can read',
  onBed((bed) => {
    const [out, err] = [join(bed.dir, 'hooks.out'), join(bed.dir, 'hooks.err')];
    bed.config.annotations = { 'run.oci.hooks.stdout': out, 'run.oci.hooks.stderr': err };
    const hook = (name: string) => [{ path: '/bin/sh', args: ['sh', '-c', `echo ${name}; echo ${name} failed >&2`] }];
    const names = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const;
    bed.config.hooks = Object.fromEntries(names.map((name) => [name, hook(name)]));
    writeFileSync(out, 'before\n', { mode: 0o600 });
    assert.is(bed.run().code, 0);
    assert.is(readFileSync(out, 'utf8'), `before\n${names.map((n) => `${n}\n`).join('')}`);
    assert.is(readFileSync(err, 'utf8'), names.map((n) => `${n} failed\n`).join(''));
    assert.is(statSync(err).mode & 0o777, 0o600);
    bed.create();
    bed.start();
    bed.until('stopped');
    bed.delete();
    assert.is(readFileSync(out, 'utf8').split('\n').length, 2 + 2 * names.length);
    // One of the two alone; the other stream is part of the error of a hook that fails.
    bed.config.annotations = { 'run.oci.hooks.stdout': out };
    bed.config.hooks = {
      createContainer: [{ path: '/bin/sh', args: ['sh', '-c', 'echo to-file; echo why >&2; exit 3'] }],
    };
    assert.match(bed.run().stderr, /createContainer hook #0.*exit status 3.*stderr: why/);
    assert.match(readFileSync(out, 'utf8'), /to-file\n$/);
  }),
);

test(
  'a file that cannot be opened, or a relative path, is refused with its JSON pointer',
  onBed((bed) => {
    for (const path of [join(bed.dir, 'no', 'file'), 'relative']) {
      for (const point of ['createRuntime', 'createContainer'] as const) {
        bed.config.hooks = { [point]: [{ path: '/bin/true' }] };
        bed.config.annotations = { 'run.oci.hooks.stderr': path };
        const r = bed.run();
        assert.is(r.code, 1, `${point} ${path}`);
        assert.match(r.stderr, /\/annotations\/run\.oci\.hooks\.stderr/);
      }
    }
  }),
);

test.run();
grouped.run();
