/**
 * Every call that engines make, with its flags, files, output and exit status: one test for each row of the contract.
 * Compared with runc: conformance/engines/conmon/calls.sh.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readlinkSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { opFailureError } from '../../../src/container/failure/op-failure.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { DEADLINE } from '../../deadline.js';
import { type Bed, eventually, needing, ok, onBed } from '../bed/bed.js';
import { runtPath } from '../bed/place.js';

useNodeHost([]);
const test = needing('compat-calls', 'root');

/** A program that prints each signal it receives, by number. */
const listener =
  'for s in $(seq 1 64); do case $s in 9|19|32|33) ;; *) trap "echo got $s" $s 2>/dev/null ;; esac; done; echo up; while :; do sleep 0.01; done';

test(
  'create with all flags of engines writes a pid file of digits only, and start ID runs the process',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'cat <&4; exec sleep 1000'];
    bed.write();
    const [pidFile, content] = [join(bed.dir, 'pid'), join(bed.dir, 'content')];
    writeFileSync(content, 'from four\n');
    const script = `exec 3</dev/null 4<"$1"; exec "$2" --root "$3" create --bundle "$4" --pid-file "$5" --no-new-keyring --preserve-fds 2 "$6"`;
    const args = ['-c', script, 'sh', content, runtPath, bed.root, bed.bundle, pidFile, bed.id];
    const out = join(bed.dir, 'out');
    writeFileSync(out, '');
    const r = spawnSync('/bin/sh', ['-c', 'o=$1; shift; exec sh "$@" >"$o" 2>&1', 'sh', out, ...args], { env: {} });
    assert.is(r.status, 0, readFileSync(out, 'utf8'));
    assert.match(readFileSync(pidFile, 'utf8'), /^[1-9][0-9]*$/);
    assert.is(Number(readFileSync(pidFile, 'utf8')), bed.state().pid);
    ok(bed.start());
    while (!readFileSync(out, 'utf8').includes('four'));
    ok(bed.delete('--force'));
    ok(bed.runt(['create', '--no-pivot', '-b', bed.bundle, bed.id]));
    ok(bed.delete());
  }),
);

test(
  'create fails if the pid file cannot be written, and leaves nothing of the container',
  onBed((bed) => {
    const r = bed.create(['--pid-file', join(bed.dir, 'no', 'pid')]);
    assert.is(r.code, 1);
    assert.match(r.stderr, `write the pid file ${join(bed.dir, 'no', 'pid')}: ENOENT`);
    assert.is(bed.runt(['list', '-q']).stdout, '');
  }),
);

test(
  '--config FILE and -f FILE are relative to the bundle or absolute, and later commands read the same file',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.config.process.cwd = '/tmp';
    bed.config.root.readonly = false;
    const [below, above] = [join(bed.bundle, 'other.json'), join(bed.dir, 'above.json')];
    for (const path of [below, above]) writeFileSync(path, JSON.stringify(bed.config));
    for (const name of ['other.json', above]) {
      ok(bed.runt(['create', '--bundle', bed.bundle, '--config', name, bed.id]));
      ok(bed.start());
      assert.is(ok(bed.runt(['exec', bed.id, 'pwd'])).stdout, '/tmp\n');
      ok(bed.delete('--force'));
    }
    ok(bed.runt(['run', '-d', '-b', bed.bundle, '-f', 'other.json', bed.id]));
    ok(bed.delete('--force'));
    assert.match(ok(bed.runt(['explain', '-f', above, bed.bundle])).stdout, 'sleep');
    const missing = bed.runt(['create', '-b', bed.bundle, '-f', 'none.json', bed.id]);
    assert.match(missing.stderr, `read ${join(bed.bundle, 'none.json')}: ENOENT`);
  }),
);

test(
  "run exits with the container's status, or 128+n for a signal; --keep and --no-subreaper are accepted",
  onBed((bed) => {
    for (const [script, status] of [
      ['exit 0', 0],
      ['exit 7', 7],
      ['kill -9 $$', 137],
      ['kill -15 $$', 143],
    ] as const) {
      const r = bed.sh(script, ['--keep', '--no-subreaper']);
      // The init of a pid namespace ignores signals that it does not handle, and KILL sent from inside.
      assert.is(r.code, script.startsWith('kill') ? 0 : status);
      assert.is(bed.state().status, 'stopped');
      assert.is(bed.state().pid, 0);
      ok(bed.delete());
    }
    bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== 'pid');
    assert.is(bed.sh('kill -9 $$').code, 137);
    assert.is(bed.sh('kill -15 $$').code, 143);
  }),
);

test(
  'exec --process FILE --detach --pid-file F has read FILE and written F when it ends',
  onBed((bed) => {
    bed.started();
    const [file, pidFile] = [join(bed.dir, 'process.json'), join(bed.dir, 'pid')];
    const body = { cwd: '/', args: ['/bin/sleep', '500'], env: ['A=b'], user: { uid: 0, gid: 0 } };
    writeFileSync(file, JSON.stringify(body));
    ok(bed.runt(['exec', '--process', file, '--detach', '--pid-file', pidFile, bed.id]));
    writeFileSync(file, '');
    const text = readFileSync(pidFile, 'utf8');
    assert.match(text, /^[1-9][0-9]*$/);
    assert.match(readFileSync(`/proc/${text}/cmdline`, 'utf8'), '500');
    ok(bed.delete('--force'));
  }),
);

test(
  "exec --process FILE exits with the process's status; a failure exits with 255 and leaves no pid file",
  onBed((bed) => {
    bed.started();
    const [file, pidFile] = [join(bed.dir, 'process.json'), join(bed.dir, 'pid')];
    const write = (args: string[]) => writeFileSync(file, JSON.stringify({ cwd: '/', args, user: { uid: 0, gid: 0 } }));
    write(['/bin/sh', '-c', 'echo out; exit 9']);
    const r = bed.runt(['exec', '--process', file, '--pid-file', pidFile, bed.id]);
    assert.equal([r.code, r.stdout], [9, 'out\n']);
    assert.ok(existsSync(pidFile));
    write(['/nothing']);
    for (const flags of [[], ['--detach']]) {
      const failing = join(bed.dir, `pid${flags.length}`);
      const failed = bed.runt(['exec', ...flags, '--process', file, '--pid-file', failing, bed.id]);
      assert.is(failed.code, 255);
      assert.match(failed.stderr, 'no such file or directory');
      assert.not.ok(existsSync(failing));
    }
    ok(bed.delete('--force'));
  }),
);

test(
  'kill accepts every number and every name, with and without SIG, in any case; the default is TERM',
  onBed(async (bed) => {
    // One signal for each kind of spelling; KILL and STOP are tested below.
    const names =
      'HUP INT QUIT ILL TRAP ABRT BUS FPE USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS';
    const number = (name: string) => (name === 'STKFLT' ? 16 : osNumber(name));
    bed.started(['/bin/sh', '-c', listener]);
    await eventually('up', () => bed.stdout().includes('up'));
    // A shell that waits runs its traps between two children; ILL and the like are sent from outside here.
    const got = async (signal: string | number, n: number) => {
      const before = bed.stdout().split(`got ${n}\n`).length;
      ok(bed.kill(signal));
      await eventually(`${signal} is ${n}`, () => bed.stdout().split(`got ${n}\n`).length > before);
    };
    let i = 0;
    for (const name of names.split(' ')) {
      const n = number(name);
      const spellings = [name, `SIG${name}`, name.toLowerCase(), `sig${name.toLowerCase()}`, n];
      // Each sleep that ends sends CHLD too.
      if (name === 'CHLD') for (const spelling of spellings) ok(bed.kill(spelling));
      else await got(spellings[i++ % spellings.length]!, n);
    }
    for (const [name, n] of [
      ['IOT', 6],
      ['POLL', 29],
      ['SIGRTMIN+1', 35],
      ['RTMAX-1', 63],
      [36, 36],
    ] as const) {
      await got(name, n);
    }
    ok(bed.runt(['kill', bed.id]));
    await eventually('TERM', () => bed.stdout().split('got 15\n').length > 2);
    ok(bed.kill(0));
    for (const bad of ['65', '-1', 'FOO', '', '1x', 'SIG', 'RTMIN+31']) {
      const r = bed.runt(['kill', '--', bed.id, bad]);
      assert.is(r.code, 1, bad);
      assert.match(r.stderr, /unknown signal/);
    }
    ok(bed.kill('SIGSTOP'));
    await eventually('stopped', () => / T /.test(readFileSync(`/proc/${bed.state().pid}/stat`, 'utf8')));
    ok(bed.kill(9));
    bed.until('stopped');
    ok(bed.delete());
  }),
);

/** Signal numbers of x86 and arm64 (signal(7)). */
function osNumber(name: string): number {
  const numbers: Record<string, number> = {};
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'
    .split(' ')
    .forEach((n, i) => {
      numbers[n] = i + 1;
    });
  return numbers[name]!;
}

test(
  'kill --all exits with 0 on a stopped container, by number and by name',
  onBed((bed) => {
    bed.started();
    ok(bed.kill('KILL'));
    bed.until('stopped');
    for (const signal of [9, 'KILL', 15]) ok(bed.kill(signal, '--all'));
    ok(bed.runt(['kill', '-a', bed.id, '9']));
    assert.match(bed.kill(9).stderr, /container not running/);
    ok(bed.delete());
  }),
);

test(
  'kill --regex and delete --regex (crun) act on all matching containers, even if one fails',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const ids = ['a', 'b', 'c'].map((x) => `${bed.id}-${x}`);
    for (const id of ids) ok(bed.runt(['run', '-d', '-b', bed.bundle, id]));
    const status = (id: string) => JSON.parse(bed.runt(['state', id]).stdout).status;
    const until = (id: string) => {
      for (const end = Date.now() + DEADLINE; status(id) !== 'stopped'; ) assert.ok(Date.now() < end, id);
    };
    // Anchors match; POSIX classes work; matching takes no exponential time.
    ok(bed.runt(['kill', '--regex', `^${bed.id}-[[:lower:]]{2}$`, 'KILL']));
    ok(bed.runt(['kill', '-r', '^((a+)+)+$', 'KILL']));
    ok(bed.runt(['kill', '-r', `${bed.id}-(a|b)$`, 'KILL']));
    for (const id of ids.slice(0, 2)) until(id);
    assert.is(status(ids[2]!), 'running');
    const r = bed.runt(['kill', '--regex', bed.id, 'KILL']);
    assert.is(r.code, 1);
    assert.match(
      r.stderr,
      /container not running: \S+-a is stopped\n {2}fix look at \S+-a, \S+-b too: it failed for 2 of 3 containers\n/,
    );
    until(ids[2]!);
    assert.match(bed.runt(['delete', '--regex', '(']).stderr, 'bad regular expression "("');
    ok(bed.runt(['delete', '--regex', `${bed.id}-[bc]`]));
    assert.is(bed.runt(['list', '-q']).stdout, `${ids[0]}\n`);
    ok(bed.runt(['delete', '-f', '-r', bed.id]));
    ok(bed.runt(['delete', '-r', 'nothing has this name']));
    // A name that is not a valid id, which list skips too.
    const other = join(bed.root, 'not an id');
    mkdirSync(other);
    ok(bed.runt(['delete', '-f', '-r', '.']));
    rmdirSync(other);
  }),
);

test(
  "delete refuses a running container with runc's text; --force kills it and accepts an unknown id",
  onBed((bed) => {
    ok(bed.delete('--force'));
    ok(bed.runt(['delete', '-f', `${bed.id}-unknown`]));
    const unknown = bed.delete();
    assert.equal([unknown.code, unknown.stderr], [1, `runt: container does not exist: ${bed.id}\n`]);
    bed.started();
    const running = bed.delete();
    assert.is(running.code, 1);
    assert.is(running.stderr.split('\n')[0], `runt: cannot delete container ${bed.id} that is not stopped: running`);
    ok(bed.runt(['pause', bed.id]));
    assert.is(
      bed.delete().stderr.split('\n')[0],
      `runt: cannot delete container ${bed.id} that is not stopped: paused`,
    );
    ok(bed.delete('--force'));
    bed.config.process.args = ['/bin/sleep', '1000'];
    ok(bed.create());
    const { pid } = bed.state();
    ok(bed.delete());
    assert.not.ok(existsSync(`/proc/${pid}/cwd`));
  }),
);

test(
  'state prints its keys with their types without a PATH, and pid 0 when stopped',
  onBed((bed) => {
    bed.config.annotations = { a: 'b' };
    bed.started();
    const r = ok(bed.runt(['state', bed.id], { env: {} }));
    const state = JSON.parse(r.stdout);
    assert.equal(Object.keys(state), [
      'ociVersion',
      'id',
      'pid',
      'status',
      'bundle',
      'rootfs',
      'created',
      'annotations',
      'owner',
    ]);
    assert.equal([state.id, state.status, state.bundle, state.rootfs], [bed.id, 'running', bed.bundle, bed.rootfs]);
    assert.match(state.ociVersion, /^1\.\d+\.\d+/);
    assert.ok(state.pid > 1);
    assert.match(state.created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    assert.ok(Math.abs(Date.parse(state.created) - Date.now()) < 60_000);
    assert.equal([state.annotations, state.owner], [{ a: 'b' }, 'root']);
    ok(bed.kill(9));
    assert.is(bed.until('stopped').pid, 0);
    ok(bed.delete());
  }),
);

test(
  'ps --format json prints host pids, and ps --format table prints a header with PID for any ps options',
  onBed((bed) => {
    const pid = bed.started();
    assert.is(ok(bed.runt(['ps', '--format', 'json', bed.id])).stdout, `[${pid}]\n`);
    for (const options of [[], ['-ef'], ['aux'], ['-o', 'pid,args'], ['-eo', 'user,pid,ppid,comm']]) {
      const lines = ok(bed.runt(['ps', '--format', 'table', bed.id, ...options]))
        .stdout.trimEnd()
        .split('\n');
      assert.match(lines[0]!, /\bPID\b/);
      assert.is(lines.length, 2, lines.join('\n'));
      assert.match(lines[1]!, String(pid));
    }
    ok(bed.delete('--force'));
  }),
);

test(
  "pause and resume in the wrong state fail with runc's texts",
  onBed((bed) => {
    bed.started();
    assert.match(bed.runt(['resume', bed.id]).stderr, 'container not paused');
    ok(bed.runt(['pause', bed.id]));
    assert.is(bed.state().status, 'paused');
    assert.match(bed.runt(['exec', bed.id, '/true']).stderr, 'paused container');
    ok(bed.runt(['resume', bed.id]));
    ok(bed.kill('KILL'));
    bed.until('stopped');
    assert.match(bed.runt(['pause', bed.id]).stderr, 'container not running');
    ok(bed.delete());
  }),
);

test(
  'update --resources reads LinuxResources as JSON from stdin or a file',
  onBed((bed) => {
    bed.started();
    const file = join(bed.dir, 'resources.json');
    const limit = () => JSON.parse(ok(bed.runt(['events', '--stats', bed.id])).stdout).data.pids.limit;
    ok(bed.runt(['update', '--resources=-', bed.id], { input: '{"pids":{"limit":11}}' }));
    assert.is(limit(), 11);
    ok(bed.runt(['update', '--resources', '-', bed.id], { input: '{"pids":{"limit":12},"memory":{},"cpu":{}}' }));
    assert.is(limit(), 12);
    writeFileSync(file, '{"pids":{"limit":13}}');
    ok(bed.runt(['update', `--resources=${file}`, bed.id]));
    assert.is(limit(), 13);
    ok(bed.runt(['update', '-r', file, '--pids-limit', '99', bed.id]));
    assert.is(limit(), 13);
    ok(bed.delete('--force'));
  }),
);

test(
  'events --stats and events --interval print one JSON object a line',
  onBed(async (bed) => {
    bed.started();
    const once = ok(bed.runt(['events', '--stats', bed.id])).stdout;
    assert.match(once, /^\{.*\}\n$/);
    const event = JSON.parse(once);
    assert.equal([event.type, event.id, typeof event.data], ['stats', bed.id, 'object']);
    const stream = bed.spawn(['events', '--interval=1s', bed.id]);
    await eventually('two', () => stream.stdout().split('\n').length > 2);
    ok(bed.kill('KILL'));
    assert.is((await stream.exit).code, 0);
    for (const line of stream.stdout().trimEnd().split('\n')) assert.is(JSON.parse(line).type, 'stats');
    ok(bed.delete());
  }),
);

test(
  'list --format=json prints the fields that engines read, and list -q only ids',
  onBed((bed) => {
    bed.config.annotations = { a: 'b' };
    const pid = bed.started();
    const [entry, ...none] = JSON.parse(ok(bed.runt(['list', '--format=json'])).stdout);
    assert.equal(none, []);
    const { created, ociVersion, ...rest } = entry;
    assert.match(created, /Z$/);
    assert.match(ociVersion, /^1\./);
    assert.equal(rest, {
      id: bed.id,
      pid,
      status: 'running',
      bundle: bed.bundle,
      rootfs: bed.rootfs,
      annotations: { a: 'b' },
      owner: 'root',
    });
    assert.is(ok(bed.runt(['list', '-q'])).stdout, `${bed.id}\n`);
    ok(bed.delete('--force'));
    assert.equal(JSON.parse(ok(bed.runt(['list', '-f', 'json'])).stdout), []);
  }),
);

test(
  'features prints JSON with ociVersionMin and ociVersionMax, and nothing on stderr',
  onBed((bed) => {
    const features = JSON.parse(ok(bed.runt(['features'])).stdout);
    assert.match(features.ociVersionMin, /^1\.\d+\.\d+/);
    assert.match(features.ociVersionMax, /^1\.\d+\.\d+/);
  }),
);

test(
  "LISTEN_FDS and --preserve-fds pass descriptors, LISTEN_PID is the container's, others are closed",
  onBed((bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'ls /proc/self/fd; echo "$LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES"'];
    bed.config.process.env.push('LISTEN_FDS=1', 'LISTEN_FDNAMES=web');
    bed.write();
    const script = `exec 3</dev/null 4</dev/null 5</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES=web exec "$1" --root "$2" run --bundle "$3" --preserve-fds 1 "$4"`;
    const r = spawnSync('/bin/sh', ['-c', script, 'sh', runtPath, bed.root, bed.bundle, bed.id], { env: {} });
    assert.is(r.status, 0, String(r.stderr));
    const [fds, said] = [String(r.stdout).split('\n').slice(0, -2), String(r.stdout).trimEnd().split('\n').at(-1)];
    // The last descriptor is the directory that ls reads.
    assert.equal(fds.slice(0, 6), ['0', '1', '2', '3', '4', '5']);
    assert.is(fds.length, 6);
    assert.match(said!, /^1 1 web$/);
  }),
);

test(
  "after create, the container is a child of the caller's subreaper, and no helper holds stdio open",
  onBed((bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    // With two commands, sh -c does not exec the last one: it stays as the parent that adopts the container.
    const script = `"$1" --root "$2" create --bundle "$3" "$4" </dev/null >"$5" 2>&1; echo done`;
    const out = join(bed.dir, 'stdio');
    const r = spawnSync('setsid', ['/bin/sh', '-c', script, 'sh', runtPath, bed.root, bed.bundle, bed.id, out]);
    assert.is(String(r.stdout), 'done\n');
    const { pid } = bed.state();
    const parent = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
    assert.not.match(readFileSync(`/proc/${parent}/cmdline`, 'utf8'), runtPath);
    assert.is(readlinkSync(`/proc/${pid}/fd/1`), out);
    ok(bed.delete());
  }),
);

test(
  'checkpoint --help and restore --help exit with 0: engines probe for support with them',
  onBed((bed) => {
    for (const name of ['checkpoint', 'restore']) {
      const r = bed.runt([name, '--help']);
      assert.is(r.code, 0);
      assert.match(r.stdout, '--image-path');
    }
  }),
);

test(
  'spec --file FILE (crun) writes that file, never overwrites it, and run --config reads it',
  onBed((bed) => {
    ok(bed.runt(['spec', '--bundle', bed.bundle, '--file', 'mine.json', '/true']));
    const again = bed.runt(['spec', '-b', bed.bundle, '-f', 'mine.json']);
    assert.is(again.code, 1);
    assert.match(again.stderr, `write ${join(bed.bundle, 'mine.json')}: EEXIST`);
    ok(bed.runt(['run', '--bundle', bed.bundle, '--config', 'mine.json', bed.id]));
    const above = join(bed.dir, 'above.json');
    ok(bed.runt(['spec', '-f', above, '/true']));
    assert.ok(existsSync(above));
  }),
);

test(
  'update accepts a flag for every limit, and names a limit for which the kernel has no file',
  onBed((bed) => {
    bed.started();
    const set = (...args: string[]) => bed.runt(['update', ...args, bed.id]);
    ok(set('--memory', '64m', '--memory-swap', '64m', '--memory-reservation', '32m'));
    ok(set('--cpu-share', '512', '--cpu-period', '100000', '--cpu-quota', '50000'));
    ok(set('--pids-limit', '50'));
    const { data } = JSON.parse(ok(bed.runt(['events', '--stats', bed.id])).stdout);
    assert.is(data.memory.usage.limit, 64 << 20);
    assert.is(data.pids.limit, 50);
    for (const [flag, value] of [
      ['--cpuset-cpus', '0'],
      ['--cpuset-mems', '0'],
      ['--blkio-weight', '500'],
      ['--cpu-burst', '1000'],
      ['--cpu-idle', '1'],
      ['--cpu-rt-period', '1000000'],
      ['--cpu-rt-runtime', '1000'],
      ['--kernel-memory', '64m'],
      ['--kernel-memory-tcp', '64m'],
    ] as const) {
      const r = set(flag, value);
      // Where a kernel lacks the file, the error only names the flag's limit.
      if (r.code !== 0) assert.match(r.stderr, /^runt: .*\n {2}at {2}\/\w+/, flag);
      else assert.is(r.stderr, '', flag);
    }
    ok(bed.delete('--force'));
  }),
);

/** The texts by which podman and docker choose exit status 126 or 127. */
test(
  'errors of execve have the texts by which engines choose 126 or 127',
  onBed((bed: Bed) => {
    mkdirSync(join(bed.rootfs, 'dir'));
    writeFileSync(join(bed.rootfs, 'plain'), 'x', { mode: 0o644 });
    for (const [program, text] of [
      ['/plain', 'permission denied'],
      ['/dir', /permission denied.*is a directory/],
      ['/none', 'no such file or directory'],
      ['/plain/x', 'not a directory'],
      ['nothing', 'executable file not found in $PATH'],
    ] as const) {
      const log = join(bed.dir, `log-${program.replaceAll('/', '_')}`);
      bed.config.process.args = [program];
      bed.write();
      const r = bed.runt(['--log', log, '--log-format', 'json', 'run', '--bundle', bed.bundle, bed.id]);
      assert.is(r.code, 1, program);
      assert.match(r.stderr, text);
      assert.match(JSON.parse(readFileSync(log, 'utf8')).msg, text);
    }
    bed.started();
    for (const [program, text] of [
      ['/plain', 'permission denied'],
      ['/none', 'no such file or directory'],
      ['nothing', 'executable file not found in $PATH'],
    ] as const) {
      const r = bed.runt(['exec', bed.id, program]);
      assert.is(r.code, 255);
      assert.match(r.stderr, text);
    }
    bed.delete('--force');
  }),
);

test(
  "a wrong, used, unknown or stopped id fails with runc's texts",
  onBed((bed) => {
    const says = (text: string | RegExp, ...args: string[]) => {
      const r = bed.runt(args);
      assert.ok(r.code !== 0);
      assert.match(r.stderr, text);
    };
    says('container does not exist', 'state', 'x');
    for (const command of ['start', 'pause', 'resume', 'kill', 'delete', 'ps']) says('does not exist', command, 'x');
    says('does not exist', 'exec', 'x', 'true');
    says('does not exist', 'update', '--pids-limit', '1', 'x');
    says('does not exist', 'events', '--stats', 'x');
    bed.write();
    says('invalid container ID format', 'create', '-b', bed.bundle, 'a/b');
    bed.started();
    says('container with given ID already exists', 'create', '-b', bed.bundle, bed.id);
    bed.kill(9);
    bed.until('stopped');
    says('container not running', 'kill', bed.id, '9');
    says('container not running', 'pause', bed.id);
    says('container with given ID already exists', 'run', '-b', bed.bundle, bed.id);
    bed.delete();
  }),
);

test('the error of a label contains `/proc/…/attr/exec`, by which podman recognises SELinux and AppArmor', () => {
  for (const file of ['exec', 'apparmor/exec'] as const) {
    const op = { op: 'securityLabel', at: '/process/selinuxLabel', file, label: 'x' } as const;
    const { message } = opFailureError('create', 'c', { op, errno: 22, syscall: 'write', detail: '' });
    assert.match(message, new RegExp(`\`/proc/[a-z0-9-].+/attr/${file}\`: EINVAL`));
  }
});

test(
  'the state directory has mode 0700, and its files have mode 0600',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    ok(bed.create());
    assert.is(statSync(bed.root).mode & 0o777, 0o700);
    assert.is(statSync(join(bed.root, bed.id)).mode & 0o777, 0o700);
    assert.is(statSync(join(bed.root, bed.id, 'state.json')).mode & 0o777, 0o600);
    ok(bed.delete());
  }),
);

test.run();
