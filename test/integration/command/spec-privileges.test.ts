/** What a container of `spec --profile` may do: its capabilities, filter and limits, seen from inside. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';
import { ranBySpec as ran } from '../bed/spec-bundle.js';

const test = needing('privileges of spec', 'root');

const status = (...names: string[]) => [
  '--',
  'sh',
  '-c',
  `grep -E '^(${names.join('|')}):' /proc/self/status | tr -s '\\t' ' '`,
];

test(
  'the profiles give the capabilities, no_new_privs and the filter of their engines',
  onBed((bed) => {
    const lines = (profile: string) =>
      ran(bed, '--profile', profile, ...status('CapEff', 'CapBnd', 'NoNewPrivs', 'Seccomp'));
    const shown = (mask: string, noNewPrivs: number) =>
      `CapEff: ${mask}\nCapBnd: ${mask}\nNoNewPrivs: ${noNewPrivs}\nSeccomp: 2\n`;
    assert.is(lines('docker'), shown('00000000a80425fb', 0));
    assert.is(lines('podman'), shown('00000000800405fb', 0));
    assert.is(lines('unprivileged'), shown('0000000000000000', 1));
    assert.is(lines('builder'), shown('00000000a82435fb', 0));
  }),
);

test(
  'capabilities are added and dropped, for other users too, and no_new_privs is set',
  onBed((bed) => {
    const caps = (...options: string[]) => ran(bed, ...options, ...status('CapEff', 'NoNewPrivs'));
    assert.is(caps('--cap-drop', 'ALL', '--cap-add', 'net_raw'), 'CapEff: 0000000000002000\nNoNewPrivs: 1\n');
    assert.is(
      caps('--cap-add', 'CAP_CHOWN', '--user', '7', '--no-new-privs=false'),
      'CapEff: 0000000000000001\nNoNewPrivs: 0\n',
    );
    assert.match(caps('--cap-add', 'ALL', '--cap-drop', 'CHOWN'), /^CapEff: [0-9a-f]{15}e$/m);
  }),
);

test(
  'a seccomp profile is the default one, that of a file, or none',
  onBed((bed) => {
    const script = ['--', 'sh', '-c', 'mkdir /tmp/a && echo made; unshare -u true && echo unshared; true'];
    const tmp = ['--cap-add', 'SYS_ADMIN', '--read-only=false'];
    const both = 'made\nunshared\n';
    assert.is(ran(bed, ...tmp, ...script), both);
    assert.is(
      ran(bed, ...tmp, '--seccomp', 'default', '--', 'sh', '-c', 'unshare -u true && echo unshared'),
      'unshared\n',
    );
    const refused = 'unshare -u true 2>/dev/null || echo refused';
    assert.is(ran(bed, '--seccomp', 'default', '--', 'sh', '-c', refused), 'refused\n');
    writeFileSync(
      join(bed.dir, 'profile.json'),
      JSON.stringify({
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', excludes: { caps: ['CAP_SYS_TIME'] } }],
      }),
    );
    const file = [
      '--read-only=false',
      '--seccomp',
      'profile.json',
      '--',
      'sh',
      '-c',
      'mkdir /tmp/b 2>/dev/null || echo refused',
    ];
    assert.is(ran(bed, ...file), 'refused\n');
  }),
);

test(
  'limits are those of the profile and of --ulimit',
  onBed((bed) => {
    const limits = ['--', 'sh', '-c', 'ulimit -Sn; ulimit -Hn; ulimit -c'];
    // A caller without CAP_SYS_RESOURCE cannot raise its own hard limit.
    const [soft, hard, core] = ran(bed, '--profile', 'docker', '--ulimit', 'core=-1', ...limits).split('\n');
    assert.equal([soft, core], ['1024', 'unlimited']);
    assert.ok(Number(hard) >= 1024 && Number(hard) <= 524288);
    assert.is(ran(bed, '--ulimit', 'nofile=100:200', '--ulimit', 'core=0', ...limits), '100\n200\n0\n');
  }),
);

test(
  'the profile docker masks what Docker masks, and lets a server of another user listen on port 80',
  onBed((bed) => {
    mkdirSync(join(bed.dir, 'www'));
    writeFileSync(join(bed.dir, 'www', 'index.html'), 'hello\n');
    const script =
      'httpd -p 127.0.0.1:80 -h /home && wget -qO- http://127.0.0.1/; wc -c </proc/interrupts; echo 1 2>/dev/null >/proc/sys/kernel/panic || echo read-only';
    const up = ['--profile', 'docker', '--user', '7:7', '--volume', 'www:/home', '--', 'sh', '-c', script];
    assert.is(ran(bed, ...up), 'hello\n0\nread-only\n');
  }),
);

test(
  'a profile works in a user namespace too',
  onBed((bed) => {
    const maps = ['--uid-map', '0:100000:65536'];
    for (const profile of ['docker', 'podman', 'unprivileged']) {
      assert.is(ran(bed, ...maps, '--profile', profile, '--', 'id', '-u'), '0\n');
    }
    const nested = 'unshare -pfm sh -c "mount -t proc proc /proc && cat /proc/self/stat | cut -d\\" \\" -f1"';
    assert.match(ran(bed, ...maps, '--profile', 'builder', '--', 'sh', '-c', nested), /^\d\n$/);
  }),
);

test.run();
