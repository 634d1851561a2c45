/** `--init`: the first process reaps orphans and forwards signals, and has no right that its program has not. */
import { closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, eventually, needing, ok, onBed } from '../bed/bed.js';
import { asUser } from '../bed/callers.js';
import { runtPath } from '../bed/place.js';
import { onTerminal } from '../bed/terminal.js';

const test = needing('--init', 'root');
const onTty = needing('--init on a terminal', 'root', 'programs');
const rootless = needing('--init, rootless', 'root', 'newuidmap', 'setpriv', 'mount', 'unshare');

/** Fields of /proc/PID/status of the container's first process, as a process inside sees it. */
const statusOf1 = (bed: Bed, ...fields: string[]): string =>
  ok(bed.sh(`grep -E '^(${fields.join('|')}):' /proc/1/status`, ['--init'])).stdout;

for (const [kind, flags, pause] of [
  ['that ends at once', [], ''],
  ['as a waiter', [], 'sleep 0.5; '],
  ['with a supervisor', ['--supervise'], ''],
] as const) {
  test(
    `the program of a run ${kind} is the second process, and its status or signal is the exit status`,
    onBed((bed) => {
      const r = bed.sh(`${pause}echo $$; exit 7`, ['--init', ...flags]);
      assert.equal([r.code, r.stdout, r.stderr], [7, '2\n', '']);
      const killed = bed.sh(`${pause}kill -9 $$`, ['--init', ...flags]);
      assert.equal([killed.code, killed.stderr], [137, '']);
    }),
  );
}

test(
  'orphans of the program and of execs are reaped, and none stays a zombie',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    ok(bed.run(['--init', '--detach', '--supervise']));
    for (let i = 0; i < 5; i++) ok(bed.runt(['exec', bed.id, '/bin/sh', '-c', 'sleep 0.1 & sleep 0.1 &']));
    const others = () => bed.runt(['exec', bed.id, '/bin/ps', '-o', 'pid,stat,comm']).stdout;
    await eventually('no process is left', () => !/sh$|Z/m.test(others()) && !/^ *[3-9] .*sleep/m.test(others()));
    ok(bed.delete('--force'));
  }),
);

test(
  'signals reach the program, with create and start too, and KILL ends all',
  onBed(async (bed) => {
    const loop = 'while :; do sleep 0.05; done';
    bed.config.process.args = ['/bin/sh', '-c', `trap "echo USR1" USR1; trap "exit 9" TERM; echo ready; ${loop}`];
    ok(bed.create(['--init', '--supervise']));
    assert.is(bed.state().status, 'created');
    ok(bed.start());
    await eventually('it runs', () => bed.stdout().includes('ready'));
    assert.is(bed.state().status, 'running');
    ok(bed.kill('USR1'));
    await eventually('USR1 arrives', () => bed.stdout().includes('USR1'));
    ok(bed.kill('TERM'));
    assert.is(bed.runt(['wait', bed.id]).stdout, '9\n');
    ok(bed.delete());
    bed.config.process.args = ['/bin/sleep', '1000'];
    ok(bed.run(['--init', '--detach', '--supervise']));
    ok(bed.kill('KILL'));
    assert.is(bed.runt(['wait', bed.id]).stdout, '137\n');
    ok(bed.delete());
  }),
);

test(
  'the first process has no descriptor, no capability but CAP_KILL, and the restrictions of the program',
  onBed((bed) => {
    const { process } = bed.config;
    const names = ['CAP_KILL', 'CAP_NET_RAW'];
    process.capabilities = { bounding: names, effective: names, permitted: names };
    process.noNewPrivileges = true;
    const restricted = 'CapInh:\t0000000000000000\nCapPrm:\t0000000000000020\nCapEff:\t0000000000000020\n';
    assert.is(
      statusOf1(bed, 'Cap...', 'NoNewPrivs'),
      `${restricted}CapBnd:\t0000000000002020\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n`,
    );
    assert.is(ok(bed.sh('ls /proc/1/fd', ['--init', '--preserve-fds', '0'])).stdout, '');
    assert.is(ok(bed.sh('readlink /proc/1/cwd; readlink /proc/1/root', ['--init'])).stdout, '/\n/\n');
    process.user = { uid: 1000, gid: 1000, additionalGids: [1001] };
    assert.is(
      statusOf1(bed, 'Uid', 'Gid', 'Groups', 'CapPrm', 'CapEff'),
      `Uid:${'\t1000'.repeat(4)}\nGid:${'\t1000'.repeat(4)}\nGroups:\t1001 \nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n`,
    );
  }),
);

for (const noNewPrivileges of [false, true]) {
  test(
    `the first process has the seccomp filter, with no_new_privs ${noNewPrivileges}`,
    onBed((bed) => {
      bed.config.process.noNewPrivileges = noNewPrivileges;
      bed.config.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['sethostname'], action: 'SCMP_ACT_ERRNO' }],
      };
      assert.match(statusOf1(bed, 'Seccomp', 'Seccomp_filters'), /^Seccomp:\t2\nSeccomp_filters:\t[1-9]\n$/);
    }),
  );

  test(
    `a filter that denies what the first process needs is an error, with no_new_privs ${noNewPrivileges}`,
    onBed((bed) => {
      bed.config.process.noNewPrivileges = noNewPrivileges;
      for (const name of ['rt_sigtimedwait', 'waitid', 'kill', 'capset', 'setpgid']) {
        bed.config.linux.seccomp = {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [{ names: [name], action: 'SCMP_ACT_ERRNO' }],
        };
        const r = bed.sh('true', ['--init']);
        assert.is(r.code, 1, name);
        // The early filter covers operations before too.
        if (name === 'capset' && !noNewPrivileges) assert.match(r.stderr, /set the capabilities: EPERM/);
        else {
          assert.match(r.stderr, /start the process that reaps orphans \(--init\): EPERM/);
          // After an early filter the hint is that of any operation.
          if (noNewPrivileges) assert.match(r.stderr, `fix allow ${name} in the seccomp profile, or leave --init out`);
          else assert.match(r.stderr, /fix .*seccomp/);
        }
      }
    }),
  );
}

test(
  'the memory of the first process, which the program may read, has nothing of the plan',
  onBed((bed) => {
    const secret = 'variable-of-a-hook';
    bed.config.hooks = { createContainer: [{ path: '/bin/true', env: [`TOKEN=${secret}`] }] };
    bed.config.process.args = ['/bin/sleep', '1000'];
    // A large plan is in pages of its own.
    for (const filler of ['', 'x'.repeat(100_000)]) {
      bed.config.process.env = ['PATH=/bin', `FILLER=${filler}`];
      ok(bed.run(['--init', '--detach']));
      const { pid } = bed.state();
      const memory = openSync(`/proc/${pid}/mem`, 'r');
      let read = '';
      for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').trim().split('\n')) {
        const [, from = '', to = ''] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
        if (from === '') continue;
        const bytes = Buffer.alloc(Number.parseInt(to, 16) - Number.parseInt(from, 16));
        readSync(memory, bytes, 0, bytes.length, Number.parseInt(from, 16));
        read += bytes.toString('latin1');
      }
      closeSync(memory);
      assert.match(read, 'runt-init');
      for (const text of [secret, bed.dir, '/sys/fs/cgroup/', 'xxxxxxxx'])
        assert.not.ok(read.includes(text), `${text} ${/[ -~]*\/sys\/fs\/cgroup[ -~]*/.exec(read)?.[0] ?? ''}`);
      ok(bed.delete('--force'));
    }
  }),
);

test(
  'a program that cannot be executed is an error as without --init, and nothing is left',
  onBed((bed) => {
    writeFileSync(join(bed.rootfs, 'text'), 'no program\n', { mode: 0o755 });
    writeFileSync(join(bed.rootfs, 'script'), '#!/no/interpreter\n', { mode: 0o755 });
    for (const program of ['/text', '/script', '/none']) {
      bed.config.process.args = [program];
      const [plain, init] = [bed.run(), bed.run(['--init'])];
      assert.equal([init.code, init.stderr], [plain.code, plain.stderr]);
      assert.is(init.code, 1);
    }
  }),
);

test(
  'sockets of a service manager belong to the program: LISTEN_PID is its pid',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'echo $$ $LISTEN_PID $LISTEN_FDS'];
    bed.write();
    const script = `exec 3</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"`;
    const wrapped = ['/bin/sh', '-c', script, 'sh'];
    const r = bed.runt(['run', '--init', '--bundle', bed.bundle, bed.id], { wrapped });
    assert.equal([r.code, r.stdout], [0, '2 2 1\n'], r.stderr);
  }),
);

test(
  'a config that the first process could not keep to is refused',
  onBed((bed) => {
    bed.config.linux.namespaces = bed.config.linux.namespaces!.filter((n) => n.type !== 'pid');
    const hosted = bed.sh('true', ['--init']);
    assert.is(hosted.code, 1);
    assert.match(hosted.stderr, /--init without a new pid namespace: not supported/);
  }),
);

test(
  'explain shows the reaper before the exec',
  onBed((bed) => {
    bed.write();
    const { operations } = JSON.parse(ok(bed.runt(['explain', '--init', '--format', 'json', bed.bundle])).stdout);
    const names = operations.map(({ op }: { op: string }) => op) as string[];
    assert.is(names.indexOf('reaper') + 1, names.indexOf('exec'));
  }),
);

onTty(
  'Ctrl-C on a terminal reaches the program once',
  onBed(async (bed) => {
    bed.config.process.terminal = true;
    const loop = 'while :; do sleep 0.05; done';
    bed.config.process.args = [
      '/bin/sh',
      '-c',
      `trap "echo interrupted; n=x\\$n" INT; trap "echo got=\\$n; exit 3" QUIT; echo ready; ${loop}`,
    ];
    bed.write();
    const side = onTerminal([runtPath, '--root', bed.root, 'run', '--init', '--bundle', bed.bundle, bed.id], bed.dir);
    await side.shows(/ready/);
    side.type('\x03');
    await side.shows(/interrupted/);
    side.type('\x1c');
    await side.shows(/got=x\r/);
    assert.equal(await side.ended(), { code: 3, restored: true });
  }),
);

rootless(
  'an ordinary user can execute in his container, whose first process is the reaper',
  onBed((bed) => {
    const call = asUser(bed);
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    ok(call('run', '--init', '--detach', '--supervise', '--bundle', bed.bundle, bed.id));
    assert.is(ok(call('exec', bed.id, '/bin/cat', '/proc/1/comm', '/proc/2/comm')).stdout, 'runt-reaper\nsleep\n');
    ok(call('delete', '--force', bed.id));
  }),
);

test.run();
onTty.run();
rootless.run();
