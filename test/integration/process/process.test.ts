/** The process: arguments, environment, working directory, PATH lookup, stdio, descriptors, signals. */
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { eventually, needing, onBed } from '../bed/bed.js';
import { withUserNamespace } from '../bed/config.js';

const test = needing('process', 'root');

test(
  'arguments and environment are passed byte for byte',
  onBed((bed) => {
    bed.config.process.args = [
      '/bin/sh',
      '-c',
      'for a; do echo "[$a]"; done; env | grep ^X',
      'sh',
      '',
      'a b',
      'q\'"',
      'ünï',
      '$HOME',
    ];
    bed.config.process.env.push('XA=1=2', 'XB=', 'XC= spaces ', 'XD=ü');
    const r = bed.run();
    assert.is(r.stdout, '[]\n[a b]\n[q\'"]\n[ünï]\n[$HOME]\nXA=1=2\nXB=\nXC= spaces \nXD=ü\n');
  }),
);

test(
  "the runtime's environment is not passed to the process",
  onBed((bed) => {
    bed.config.process.args = ['/bin/cat', '/proc/1/environ'];
    const r = bed.run([], { env: { PATH: process.env.PATH ?? '', SECRET: 'x', LD_PRELOAD: '' } });
    assert.equal(
      r.stdout.split('\0').filter((v) => !/^(PATH|TERM|HOME)=/.test(v)),
      [''],
    );
  }),
);

test(
  "stdin, stdout and stderr are the caller's",
  onBed((bed) => {
    const r = bed.sh('cat; echo err >&2', [], { input: 'given\n' });
    assert.equal(r, { code: 0, signal: null, stdout: 'given\n', stderr: 'err\n' });
  }),
);

test(
  'no other descriptor is open',
  onBed((bed) => {
    bed.config.process.args = ['/bin/ls', '/proc/self/fd'];
    // ls has its own descriptor of the directory.
    assert.is(bed.run().stdout, '0\n1\n2\n3\n');
  }),
);

test(
  'cwd is the working directory',
  onBed((bed) => {
    bed.config.process.cwd = '/etc';
    assert.is(bed.out('pwd; readlink /proc/1/cwd'), '/etc\n/etc\n');
  }),
);

test(
  "root can use a cwd closed to the process's user, in run and exec, but not one closed to root",
  onBed((bed) => {
    mkdirSync(join(bed.rootfs, 'closed'), { mode: 0o700 });
    bed.config.process.user = { uid: 42, gid: 42 };
    bed.config.process.cwd = '/closed';
    assert.is(bed.out('pwd; ls 2>/dev/null || echo no'), '/closed\nno\n');
    bed.started(['/bin/sleep', '1000']);
    assert.is(bed.runt(['exec', '--user', '43', bed.id, 'pwd']).stdout, '/closed\n');
    bed.delete('--force');
    withUserNamespace(bed.config);
    bed.config.process.user = { uid: 0, gid: 0 };
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /enter the working directory \/closed: EACCES/);
  }),
);

test(
  "CAP_DAC_OVERRIDE lets a user execute another user's program",
  onBed((bed) => {
    copyFileSync(join(bed.rootfs, 'bin', 'busybox'), join(bed.rootfs, 'bin', 'busybox.mine'));
    chmodSync(join(bed.rootfs, 'bin', 'busybox.mine'), 0o700);
    bed.config.process.user = { uid: 42, gid: 42 };
    bed.config.process.args = ['/bin/busybox.mine', 'echo', 'done'];
    assert.match(bed.run().stderr, /permission denied/);
    const sets = ['bounding', 'effective', 'permitted', 'inheritable', 'ambient'];
    bed.config.process.capabilities = Object.fromEntries(sets.map((set) => [set, ['CAP_DAC_OVERRIDE']]));
    const r = bed.run();
    assert.is(r.stdout, 'done\n', r.stderr);
  }),
);

test(
  'the last of several variables with one name is used, and an empty HOME counts as unset',
  onBed((bed) => {
    bed.config.process.args = ['/bin/env'];
    bed.config.process.env = ['A=1', 'HOME=/first', 'PATH=/bin', 'A=', 'HOME='];
    assert.is(bed.run().stdout, 'PATH=/bin\nA=\nHOME=/root\n');
  }),
);

test(
  "a program without a slash is found in the container's PATH",
  onBed((bed) => {
    mkdirSync(join(bed.rootfs, 'opt'));
    writeFileSync(join(bed.rootfs, 'opt', 'mine'), '#!/bin/sh\necho mine $0\n');
    chmodSync(join(bed.rootfs, 'opt', 'mine'), 0o755);
    bed.config.process.env = ['PATH=/nowhere:/opt:/bin'];
    bed.config.process.args = ['mine'];
    const r = bed.run();
    assert.is(r.stdout, 'mine /opt/mine\n', r.stderr);
  }),
);

test(
  'no signal is blocked or ignored',
  onBed((bed) => {
    bed.config.process.args = ['/bin/grep', '-E', '^Sig(Blk|Ign)', '/proc/self/status'];
    assert.equal(
      bed
        .run()
        .stdout.trim()
        .split('\n')
        .map((line) => line.split(/\s+/)[1]),
      ['0000000000000000', '0000000000000000'],
    );
  }),
);

test(
  'the error names a missing program, and nothing is left',
  onBed((bed) => {
    bed.config.process.args = ['not-there'];
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /not-there/);
    assert.match(r.stderr, /executable file not found in/);
  }),
);

test(
  'a program without execute permission is refused',
  onBed((bed) => {
    bed.config.process.args = ['/etc/passwd'];
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /permission denied/i);
  }),
);

test(
  'the container has a session keyring of its own, shared with exec, but not with --no-new-keyring',
  onBed(async (bed) => {
    bed.config.linux.maskedPaths = bed.config.linux.maskedPaths.filter((path) => path !== '/proc/keys');
    // Root sees keyrings of others too.
    const ring = (text: string) => new RegExp(`^([0-9a-f]+) .* keyring +_ses\\.${bed.id}: empty$`, 'm').exec(text)?.[1];
    const look = ['/bin/cat', '/proc/keys'];
    // The kernel removes keyrings with a delay, so these runs are first.
    bed.config.process.args = look;
    const without = bed.run(['--no-new-keyring']).stdout;
    assert.match(without, / keyring /);
    assert.is(ring(without), undefined);
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.create(['--no-new-keyring']);
    bed.start();
    assert.is(ring(bed.runt(['exec', bed.id, ...look]).stdout), undefined);
    bed.delete('--force');
    bed.started(['/bin/sh', '-c', 'cat /proc/keys; echo said; exec sleep 1000']);
    const own = await eventually('the list', () => bed.stdout().includes('said') && ring(bed.stdout()));
    assert.is(ring(bed.runt(['exec', bed.id, ...look]).stdout), own, 'the same');
    bed.delete('--force');
  }),
);

test.run();
