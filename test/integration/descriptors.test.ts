/** Descriptors beyond stdio: --preserve-fds and socket activation. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, eventually, needing, onBed } from './bed.js';
import { runtPath } from './place.js';
import { listen } from './unix.js';

const test = needing('descriptors', 'root');
const compared = needing('descriptors as runc', 'root', 'runc');
const sockets = needing('pidfd sockets', 'root', 'programs');

/** Asked of the shell itself, which has no other open meanwhile. */
const show =
  'n=0; while [ $n -lt 32 ]; do [ -e /proc/$$/fd/$n ] && echo -n "$n "; n=$((n+1)); done; echo; env | grep ^LISTEN | sort || true; echo';

/** `run` by a shell that opens descriptors 3 to 6 first. */
function runWithFds(bed: Bed, environment: string, ...flags: string[]): string {
  bed.config.process.args = ['/bin/sh', '-c', show];
  bed.write();
  return withFds(bed, environment, 'run', '--bundle', bed.bundle, ...flags, bed.id);
}

/** A command of the program by a shell that opens descriptors 3 to 6 first. */
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
  'without --preserve-fds none is passed on',
  onBed((bed) => {
    assert.is(runWithFds(bed, ''), '0 1 2 \n\n');
  }),
);

test(
  '--preserve-fds 2 passes 3 and 4 and nothing else',
  onBed((bed) => {
    assert.is(runWithFds(bed, '', '--preserve-fds', '2'), '0 1 2 3 4 \n\n');
  }),
);

test(
  'LISTEN_FDS passes them on, with its names and the pid inside; --preserve-fds counts from there',
  onBed((bed) => {
    bed.config.process.env.push('LISTEN_FDS=9', 'LISTEN_PID=9', 'LISTEN_FDNAMES=old');
    const three = 'LISTEN_FDS=2\nLISTEN_PID=1\n\n';
    assert.is(runWithFds(bed, 'export LISTEN_FDS=2 LISTEN_PID=$$;'), `0 1 2 3 4 \n${three}`);
    const named = 'LISTEN_FDNAMES=http:ctl\nLISTEN_FDS=2\nLISTEN_PID=1\n\n';
    const environment = 'export LISTEN_FDS=2 LISTEN_PID=$$ LISTEN_FDNAMES=http:ctl;';
    assert.is(runWithFds(bed, environment, '--preserve-fds', '1'), `0 1 2 3 4 5 \n${named}`);
  }),
);

test(
  'LISTEN_FDS that is for another process, or is no number, is not',
  onBed((bed) => {
    for (const environment of [
      'export LISTEN_FDS=2 LISTEN_PID=1;',
      'export LISTEN_FDS=2;',
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
  'exec: the same',
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
  'LISTEN_FDS with --preserve-fds',
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
  'a --pidfd-socket where nobody listens: nothing is left of the container',
  onBed((bed) => {
    const r = bed.create(['--pidfd-socket', join(bed.dir, 'none')]);
    assert.is(r.code, 1);
    assert.match(r.stderr, /send a pidfd to the socket .*\/none: ENOENT/);
  }),
);

test.run();
compared.run();
sockets.run();
