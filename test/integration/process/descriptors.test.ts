/** Descriptors beyond stdio: --preserve-fds and socket activation. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { runtPath, top } from '../bed/place.js';
import { listen } from '../bed/unix.js';

const test = needing('descriptors', 'root', 'bash');
const compared = needing('descriptors beside runc', 'root', 'runc');
const sockets = needing('pidfd sockets', 'root', 'programs');

/** Run by the shell itself, which has no other descriptor open. */
const show =
  'n=0; while [ $n -lt 32 ]; do [ -e /proc/$$/fd/$n ] && echo -n "$n "; n=$((n+1)); done; echo; env | grep ^LISTEN | sort || true; echo';

/** Runs the container from a shell that opens descriptors 3 to 6 first. */
function runWithFds(bed: Bed, environment: string, ...flags: string[]): string {
  bed.config.process.args = ['/bin/sh', '-c', show];
  bed.write();
  return withFds(bed, environment, 'run', '--bundle', bed.bundle, ...flags, bed.id);
}

/** Runs a command of the program from a shell that opens descriptors 3 to 6 first. */
function withFds(bed: Bed, environment: string, ...args: string[]): string {
  const words = [runtPath, '--root', bed.root, ...args];
  const script = `exec 3</dev/null 4</dev/null 5</dev/null 6</dev/null; ${environment} exec "$0" "$@"`;
  return execFileSync('sh', ['-c', script, ...words], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: join(bed.dir),
  });
}

test(
  'without --preserve-fds no descriptor is passed',
  onBed((bed) => {
    assert.is(runWithFds(bed, ''), '0 1 2 \n\n');
  }),
);

test(
  '--preserve-fds 2 passes only 3 and 4',
  onBed((bed) => {
    assert.is(runWithFds(bed, '', '--preserve-fds', '2'), '0 1 2 3 4 \n\n');
  }),
);

test(
  'LISTEN_FDS passes descriptors with their names and the pid inside, and --preserve-fds adds to them',
  onBed((bed) => {
    bed.config.process.env.push('LISTEN_FDS=9', 'LISTEN_PID=9', 'LISTEN_FDNAMES=old');
    const three = 'LISTEN_FDS=2\nLISTEN_PID=1\n\n';
    assert.is(runWithFds(bed, 'export LISTEN_FDS=2 LISTEN_PID=$$;'), `0 1 2 3 4 \n${three}`);
    assert.is(runWithFds(bed, 'unset LISTEN_PID; export LISTEN_FDS=2;'), `0 1 2 3 4 \n${three}`);
    const named = 'LISTEN_FDNAMES=http:ctl\nLISTEN_FDS=2\nLISTEN_PID=1\n\n';
    const environment = 'export LISTEN_FDS=2 LISTEN_PID=$$ LISTEN_FDNAMES=http:ctl;';
    assert.is(runWithFds(bed, environment, '--preserve-fds', '1'), `0 1 2 3 4 5 \n${named}`);
  }),
);

test(
  'LISTEN_FDS for another process, or without a number, is ignored',
  onBed((bed) => {
    for (const environment of [
      'export LISTEN_FDS=2 LISTEN_PID=1;',
      'export LISTEN_FDS=x LISTEN_PID=$$;',
      'export LISTEN_FDS=0 LISTEN_PID=$$;',
    ]) {
      assert.is(runWithFds(bed, environment), '0 1 2 \n\n', environment);
    }
  }),
);

test(
  'without a pid namespace LISTEN_PID is the pid on the host',
  onBed((bed) => {
    bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== 'pid');
    bed.config.process.args = ['/bin/sh', '-c', 'echo $LISTEN_PID $$'];
    bed.write();
    const said = withFds(bed, 'export LISTEN_FDS=1 LISTEN_PID=$$;', 'run', '--bundle', bed.bundle, bed.id);
    const [listens, own] = said.trim().split(' ');
    assert.is(listens, own);
    assert.ok(Number(own) > 1);
  }),
);

test(
  'exec passes descriptors by LISTEN_FDS and --preserve-fds too',
  onBed((bed) => {
    bed.started();
    const environment = 'export LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES=a;';
    const script = `test $LISTEN_PID = $$ && ${show}`;
    const said = withFds(bed, environment, 'exec', '--preserve-fds', '1', bed.id, 'sh', '-c', script);
    assert.match(said, /^0 1 2 3 4 \nLISTEN_FDNAMES=a\nLISTEN_FDS=1\nLISTEN_PID=[0-9]+\n\n$/);
    bed.delete('--force');
  }),
);

test(
  'a descriptor that is not open is refused by name',
  onBed((bed) => {
    bed.write();
    const words = [runtPath, '--root', bed.root, 'run', '--bundle', bed.bundle, bed.id];
    const script = 'exec 3</dev/null; export LISTEN_FDS=2 LISTEN_PID=$$; exec "$0" "$@" 2>&1';
    let said = '';
    try {
      execFileSync('sh', ['-c', script, ...words], { encoding: 'utf8' });
    } catch (e) {
      said = (e as { stdout: string }).stdout;
    }
    assert.match(said, /LISTEN_FDS=2: descriptor 4 is not open: EBADF/);
  }),
);

compared(
  'LISTEN_FDS with --preserve-fds is the same as with runc',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sh', '-c', show];
    bed.write();
    const said = (program: string) => {
      const words = [program, '--root', bed.root, 'run', '--bundle', bed.bundle, '--preserve-fds', '1', bed.id];
      const script = 'exec 3</dev/null 4</dev/null 5</dev/null; export LISTEN_FDS=2 LISTEN_PID=$$; exec "$0" "$@"';
      return execFileSync('sh', ['-c', script, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
    };
    assert.is(said(runtPath), said('runc'));
  }),
);

/** Both hosts: Node.js has descriptors of its own at the lowest numbers that the caller left free. */
const hosts: [name: string, ...words: string[]][] = [
  ['dist/runt', runtPath],
  ['Node.js', process.execPath, join(top, 'dist/cli.js')],
];

/** Runs a command from a shell that opens only the numbers in `opened`, with a log, which is a descriptor of runt's. */
function withHoles(bed: Bed, words: string[], opened: number[], environment: string, ...args: string[]) {
  const all = Array.from({ length: 40 }, (_, i) => 3 + i);
  const redirections = all.map((fd) => (opened.includes(fd) ? `${fd}<"$F"` : `${fd}<&-`)).join(' ');
  const script = `exec ${redirections}; ${environment} exec "$@"`;
  const log = ['--log', join(bed.dir, 'log'), '--log-level', 'debug'];
  return spawnSync('bash', ['-c', script, 'bash', ...words, '--root', bed.root, ...log, ...args], {
    encoding: 'utf8',
    env: { ...process.env, F: join(bed.bundle, 'config.json') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

const numbers =
  'n=0; while [ $n -lt 48 ]; do [ -e /proc/$$/fd/$n ] && echo -n "$n "; n=$((n+1)); done; echo; [ "$(cat <&5 | wc -c)" -gt 9 ] && echo read; echo $LISTEN_FDS';

for (const [name, ...words] of hosts) {
  test(
    `${name}: run, exec, create and start pass the caller's descriptors, and gaps stay closed`,
    onBed(async (bed) => {
      const sh = ['/bin/sh', '-c', numbers];
      bed.config.process.args = sh;
      bed.write();
      for (const [opened, flag, seen] of [
        [[5], '3', '0 1 2 5'],
        [[4, 5, 9], '7', '0 1 2 4 5 9'],
        [[3, 5, 30, 31], '28', '0 1 2 3 5 30'],
        [[5], '38', '0 1 2 5'],
        [[5, 6, 7], '1', ''],
      ] as const) {
        const r = withHoles(bed, words, [...opened], '', 'run', '-b', bed.bundle, '--preserve-fds', flag, bed.id);
        if (seen === '') assert.match(r.stderr, /--preserve-fds 1: descriptor 3 is not open: EBADF/);
        else assert.is(r.stdout, `${seen} \nread\n\n`, `${opened}: ${r.stderr}`);
      }
      for (const supervise of [[], ['--supervise']]) {
        bed.config.process.args = ['/bin/sleep', '1000'];
        bed.write();
        const out = join(bed.dir, 'out');
        const create = ['create', ...supervise, '-b', bed.bundle, '--preserve-fds', '38', bed.id];
        const r = withHoles(bed, ['sh', '-c', `exec "$@" >'${out}' 2>&1`, 'sh', ...words], [5], '', ...create);
        assert.is(r.status, 0, readFileSync(out, 'utf8'));
        assert.is(bed.start().code, 0);
        const seen = () => readdirSync(`/proc/${bed.state().pid}/fd`).join(' ');
        // The loader of programs briefly has one more open.
        await eventually('the descriptors of the process', () => seen() === '0 1 2 5');
        const exec = withHoles(bed, words, [4, 5], '', 'exec', '--preserve-fds', '3', bed.id, ...sh);
        assert.is(exec.stdout, '0 1 2 4 5 \nread\n\n', exec.stderr);
        bed.delete('--force');
      }
    }),
  );

  test(
    `${name}: gaps after LISTEN_FDS are allowed, and a gap in it is refused`,
    onBed((bed) => {
      bed.config.process.args = ['/bin/sh', '-c', numbers];
      bed.write();
      const run = (opened: number[], count: number) => {
        const environment = `export LISTEN_FDS=${count} LISTEN_PID=$$;`;
        return withHoles(bed, words, opened, environment, 'run', '-b', bed.bundle, '--preserve-fds', '2', bed.id);
      };
      const r = run([3, 5], 1);
      assert.is(r.stdout, '0 1 2 3 5 \nread\n1\n', r.stderr);
      assert.match(run([3, 5], 2).stderr, /LISTEN_FDS=2: descriptor 4 is not open: EBADF/);
    }),
  );
}

sockets(
  'create, run and exec send a pidfd to --pidfd-socket',
  onBed(async (bed) => {
    const receive = async (args: (path: string) => string[]): Promise<string[]> => {
      const socket = await listen(bed, 'pidfd', join(bed.dir, `pidfd-${args('').length}-${args('')[0]}`));
      try {
        const r = await bed.spawn(args(socket.path)).exit;
        assert.is(r.code, 0, r.stderr);
        return await eventually('the pidfd', () => (socket.lines().length > 1 ? socket.lines() : false));
      } finally {
        socket.end();
      }
    };
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const bundle = ['--bundle', bed.bundle];
    assert.equal(await receive((s) => ['create', ...bundle, '--pidfd-socket', s, bed.id]), [
      'standard',
      `Pid:\t${bed.state().pid}`,
    ]);
    bed.delete('--force');
    assert.equal(await receive((s) => ['run', '-d', ...bundle, '--pidfd-socket', s, bed.id]), [
      'standard',
      `Pid:\t${bed.state().pid}`,
    ]);
    const file = join(bed.dir, 'pid');
    const exec = (s: string) => ['exec', '-d', '--pid-file', file, '--pidfd-socket', s, bed.id, 'sleep', '1000'];
    const [word, pid] = await receive(exec);
    assert.is(word, 'setns');
    assert.is(pid, `Pid:\t${readFileSync(file, 'utf8')}`);
    bed.delete('--force');
  }),
);

sockets(
  'create fails if nothing listens at --pidfd-socket, and leaves nothing of the container',
  onBed((bed) => {
    const r = bed.create(['--pidfd-socket', join(bed.dir, 'none')]);
    assert.is(r.code, 1);
    assert.match(r.stderr, /send a pidfd to the socket .*\/none: ENOENT/);
  }),
);

test.run();
compared.run();
sockets.run();
