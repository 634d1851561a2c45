/** Terminals: in the foreground, over a console socket, and attacks of an image against them. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { elapse } from '../../deadline.js';
import { hasEnded } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { withUserNamespace } from '../bed/config.js';
import { runtPath, top } from '../bed/place.js';
import { onSocket, onTerminal, type Side } from '../bed/terminal.js';

const test = needing('terminal', 'root', 'programs');

/** Runs a script on a terminal; `shell` is a redirection or pipe for the command line, run by sh. */
function script(bed: Bed, body: string, flags: readonly string[] = [], shell = ''): Side {
  bed.config.process.terminal = true;
  bed.config.process.args = ['/bin/sh', '-c', body];
  bed.write();
  const command = [runtPath, '--root', bed.root, 'run', '--bundle', bed.bundle, ...flags, bed.id];
  return onTerminal(shell ? ['sh', '-c', `${command.join(' ')} ${shell}`] : command, bed.dir);
}

async function shown(side: Side): Promise<string> {
  assert.equal(await side.ended(), { code: 0, restored: true }, side.output);
  return side.output.replaceAll('\r\n', '\n');
}

test(
  "in the foreground stdio is a terminal of the container with the caller's size, and the mode is restored",
  onBed(async (bed) => {
    const side = script(bed, 'tty; stty size; for i in 0 1 2; do test -t $i && echo $i; done; echo x >/dev/tty');
    assert.is(await shown(side), '/dev/pts/0\n33 101\n0\n1\n2\nx\n');
  }),
);

test(
  '/dev/console is the same terminal, owned by the user of the process and group tty',
  onBed(async (bed) => {
    bed.config.process.user = { uid: 1000, gid: 100 };
    const stat = (file: string) => `stat -c '%u %g %a %t:%T' ${file};`;
    const side = script(bed, `${stat('/dev/pts/0')} ${stat('/dev/console')} echo through >/dev/console`);
    const line = '1000 5 620 88:0\n';
    assert.is(await shown(side), `${line}${line}through\n`);
  }),
);

test(
  'input reaches the process, control-C interrupts, control-D ends input, and run exits with the status',
  onBed(async (bed) => {
    const sleeper = "sh -c 'echo waits; exec sleep 1000'";
    const side = script(bed, `trap "echo interrupted" INT; echo ready; read a; echo "<$a>"; ${sleeper}; cat; exit 7`);
    await side.shows(/ready/);
    side.type('wörd\r');
    // Only once it runs: a shell that is interrupted earlier would start it afterwards.
    await side.shows(/<wörd>[\s\S]*waits/);
    side.type('\x03');
    await side.shows(/interrupted/);
    side.type('to cat\r\x04');
    await side.shows(/to cat\r\nto cat/);
    assert.equal(await side.ended(), { code: 7, restored: true });
  }),
);

test(
  'a new size of the terminal reaches the container, which gets SIGWINCH',
  onBed(async (bed) => {
    const side = script(bed, 'trap "stty size" WINCH; echo ready; while :; do sleep 0.05; done');
    await side.shows(/ready/);
    side.order('size 50 20');
    await side.shows(/20 50/);
    side.order(`kill ${15}`);
    // The container must survive: the init of a pid namespace ignores signals that it does not handle.
    await elapse(100);
    assert.is(bed.state().status, 'running');
    bed.kill('KILL');
    assert.equal(await side.ended(), { code: 137, restored: true });
  }),
);

for (const [name, signal] of [
  ['TERM', 15],
  ['HUP', 1],
  ['INT', 2],
] as const) {
  test(
    `SIG${name} to runt reaches the container, and the terminal's mode is restored afterwards`,
    onBed(async (bed) => {
      const side = script(bed, `trap "exit 9" ${name}; echo ready; while :; do sleep 0.05; done`);
      await side.shows(/ready/);
      side.order(`kill ${signal}`);
      assert.equal(await side.ended(), { code: 9, restored: true });
    }),
  );
}

test(
  'a fault of runt itself restores the terminal',
  onBed(async (bed) => {
    const side = script(bed, 'trap exit HUP; echo ready; while :; do sleep 0.05; done');
    await side.shows(/ready/);
    side.order('kill 11');
    const { code, restored } = await side.ended();
    assert.equal([code, restored], [139, true]);
    // The master closes with runt: the kernel hangs up the session, and the container ends.
    await eventually('the end of the container', () => bed.state().status === 'stopped');
    assert.is(bed.delete().code, 0);
  }),
);

test(
  'a megabyte arrives whole through a reader that stops and continues',
  onBed(async (bed) => {
    const side = script(bed, "seq 100000 | head -c 1000000 | tr '\\n' ' '; echo; echo end");
    await side.shows(/1 2 3/);
    side.order('hold');
    // The test does not read meanwhile, so that the terminal and the pipes fill up.
    await elapse(300);
    side.order('release');
    const output = await shown(side);
    const text = `${Array.from({ length: 100000 }, (_, i) => i + 1).join(' ')} `;
    assert.is(output.length, Math.min(text.length, 1000000) + '\nend\n'.length);
    assert.is(output, `${text.slice(0, 1000000)}\nend\n`);
  }),
);

test(
  'output that waits for its reader is delivered after the process has ended',
  onBed(async (bed) => {
    const body = 'echo ready; read x; head -c 2000 /dev/zero | tr "\\0" z; echo; echo end';
    const side = script(bed, body);
    await side.shows(/ready/);
    side.order('stop');
    side.type('\r');
    bed.until('stopped');
    side.order('continue');
    const output = await shown(side);
    assert.match(output, /z{2000}\nend\n$/, output);
  }),
);

test(
  'newlines that the container writes reach a file or pipe unchanged',
  onBed(async (bed) => {
    const side = script(bed, "printf 'a\\nb\\n'", [], '>out');
    await side.ended();
    assert.is(readFileSync(join(bed.dir, 'out'), 'utf8'), 'a\nb\n');
  }),
);

test(
  'a reader that exits does not stop the container',
  onBed(async (bed) => {
    const side = script(bed, 'yes | head -c 300000; echo done >/dev/shm/x; exit 5', [], '| head -c 10; echo');
    assert.match(await shown(side), /^y\ny\n/);
  }),
);

test(
  'a pipe as stdin is passed as typed input, and its end is not a control-D',
  onBed(async (bed) => {
    writeFileSync(join(bed.dir, 'in'), 'line\n');
    const side = script(bed, 'stty -echo; echo ready; read a; echo "<$a>"; read -t 1 b; echo "after $?"', [], '<in');
    assert.match(await shown(side), /<line>\nafter [1-9]/);
  }),
);

test(
  'a foreground run without a terminal fails with the cause, and nothing is left',
  onBed((bed) => {
    bed.config.process.terminal = true;
    bed.write();
    const r = spawnSync('setsid', ['-w', runtPath, '--root', bed.root, 'run', '--bundle', bed.bundle, bed.id], {
      encoding: 'utf8',
    });
    assert.is(r.status, 1);
    assert.match(r.stderr, /open \/dev\/tty: ENXIO \(no such device or address\)/);
    assert.match(r.stderr, /at {2}\/process\/terminal/);
  }),
);

test(
  "a missing program is an error, and the terminal's mode is restored",
  onBed(async (bed) => {
    bed.config.process.terminal = true;
    bed.config.process.args = ['/none'];
    bed.write();
    const side = onTerminal([runtPath, '--root', bed.root, 'run', '--bundle', bed.bundle, bed.id], bed.dir);
    assert.equal(await side.ended(), { code: 1, restored: true });
    assert.match(side.output, /exec "\/none": ENOENT .*\r\n {2}at {2}\/process\/args/);
  }),
);

test(
  'the default bundle of spec runs a shell on the terminal',
  onBed(async (bed) => {
    rmSync(join(bed.bundle, 'config.json'), { force: true });
    assert.is(bed.runt(['spec'], { cwd: bed.bundle }).code, 0);
    const side = onTerminal([runtPath, '--root', bed.root, 'run', bed.id], bed.bundle);
    await side.shows(/# /);
    side.type('echo $((6*7)); exit 3\r');
    await side.shows(/\n42/);
    assert.equal(await side.ended(), { code: 3, restored: true });
  }),
);

test(
  'with descriptors 0, 1 and 2 closed, all three are the terminal in the container',
  onBed(async (bed) => {
    const path = join(bed.dir, 'console.sock');
    const engine = onSocket(path);
    await engine.listening();
    bed.config.process.terminal = true;
    bed.config.process.args = ['/bin/sh', '-c', 'tty; ls /proc/self/fd | wc -l'];
    bed.write();
    const log = join(bed.dir, 'log');
    const command = `${runtPath} --root ${bed.root} --log ${log} run -d --console-socket ${path} --bundle ${bed.bundle} ${bed.id}`;
    const r = spawnSync('sh', ['-c', `exec ${command} <&- >&- 2>&-`]);
    assert.is(r.status, 0, existsSync(log) ? readFileSync(log, 'utf8') : 'no log');
    await engine.shows(/\/dev\/pts\/0\r\n4\r\n/);
    await engine.closed();
    bed.until('stopped');
    assert.is(bed.delete().code, 0);
  }),
);

test(
  'a signal discards output that is not delivered',
  onBed(async (bed) => {
    const side = script(bed, 'echo ready; read x; echo; echo end');
    await side.shows(/ready/);
    side.order('stop');
    side.type('\r');
    bed.until('stopped');
    // runt must wait for its terminal.
    await elapse(100);
    assert.is(side.child.exitCode, null);
    side.order('kill 15');
    await eventually('the end of runt', () => bed.runt(['state', bed.id]).code === 1);
    side.order('continue');
    assert.equal(await side.ended(), { code: 0, restored: true });
    assert.not.match(side.output, /end/);
  }),
);

for (const [name, prepare] of [
  ['create and start', undefined],
  ['in a user namespace', (bed: Bed) => withUserNamespace(bed.config)],
] as const) {
  test(
    `the console socket receives the master with its name as payload: ${name}`,
    onBed(async (bed) => {
      prepare?.(bed);
      const path = join(bed.dir, 'console.sock');
      const engine = onSocket(path);
      await engine.listening();
      bed.config.process.terminal = true;
      bed.config.process.consoleSize = { width: 71, height: 17 };
      bed.config.process.args = ['/bin/sh', '-c', 'stty size; stat -c "%u %g" /dev/console; read a; echo "<$a>"'];
      assert.equal(bed.create(['--console-socket', path]), { code: 0, signal: null, stdout: '', stderr: '' });
      await engine.shows(/^\/dev\/ptmx master\n/);
      assert.is(bed.start().code, 0);
      await engine.shows(/17 71\r\n0 5\r\n/);
      engine.type('typed\r');
      await engine.shows(/<typed>\r\n/);
      await engine.closed();
      bed.until('stopped');
      assert.is(bed.delete().code, 0);
    }),
  );
}

test(
  'run --detach with a console socket returns at once, with a socket path of any length',
  onBed(async (bed) => {
    const dir = join(bed.dir, 'd'.repeat(100), 'e'.repeat(100));
    mkdirSync(dir, { recursive: true });
    const engine = onSocket(join(bed.dir, 's'));
    await engine.listening();
    spawnSync('mv', [join(bed.dir, 's'), join(dir, 's')]);
    bed.config.process.terminal = true;
    bed.config.process.args = ['/bin/sh', '-c', 'echo ready; exec sleep 1000'];
    const pidFile = join(bed.dir, 'pid');
    const r = bed.run(['--detach', '--console-socket', join(dir, 's'), '--pid-file', pidFile]);
    assert.equal([r.code, r.stderr], [0, '']);
    await engine.shows(/ready/);
    const state = bed.state();
    assert.is(state.status, 'running');
    assert.is(readFileSync(pidFile, 'utf8'), String(state.pid));
    // Hangup: the session leader gets SIGHUP, and an init ends by it only if it handles it.
    assert.is(bed.delete('--force').code, 0);
    await engine.closed();
  }),
);

test(
  'exec --detach --tty with a console socket returns at once, and the engine gets the terminal and the pid',
  onBed(async (bed) => {
    const pid = bed.started();
    const path = join(bed.dir, 'console.sock');
    const engine = onSocket(path);
    await engine.listening();
    const pidFile = join(bed.dir, 'pid');
    const flags = ['--detach', '--tty', '--console-socket', path, '--pid-file', pidFile];
    const script = 'tty; read size; stty size; echo "pid $$"; read a; echo "<$a>"; exit 5';
    const r = bed.runt(['exec', ...flags, bed.id, '/bin/sh', '-c', script]);
    assert.equal([r.code, r.stdout, r.stderr], [0, '', '']);
    await engine.shows(/^\/dev\/ptmx master\r?\n[\s\S]*\/dev\/pts\/0\r\n/);
    const executed = Number(readFileSync(pidFile, 'utf8'));
    assert.not.equal(executed, pid);
    // A session of its own, whose controlling terminal is the new one.
    const stat = readFileSync(`/proc/${executed}/stat`, 'utf8').split(') ')[1]!.split(' ');
    assert.is(Number(stat[3]), executed, 'it leads its session');
    assert.is(Number(stat[4]) >> 8, 136, 'a pts controls it');
    for (const fd of [0, 1, 2]) assert.is(readlinkSync(`/proc/${executed}/fd/${fd}`), '/dev/pts/0');
    engine.order('size 71 17');
    engine.type('\r');
    await engine.shows(/17 71\r\n/);
    engine.type('typed\r');
    await engine.shows(/<typed>\r\n/);
    await engine.closed();
    await eventually('its end', () => hasEnded(executed));
    assert.is(bed.state().status, 'running');
    for (const [more, wanted] of [
      [['--detach', '--tty'], /cannot allocate tty if runt will detach without setting console socket/],
      [['--detach', '--console-socket', path], /cannot use console socket if runt will not detach or allocate tty/],
      [['--tty', '--console-socket', path], /cannot use console socket if runt will not detach or allocate tty/],
      [['--detach', '--tty', '--console-socket', path], /console\.sock: ECONNREFUSED/],
    ] as const) {
      const refused = bed.runt(['exec', ...more, bed.id, '/true']);
      assert.is(refused.code, 255);
      assert.match(refused.stderr, wanted);
    }
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  'a detached run without a terminal returns at once, stdio continues, and delete works',
  onBed((bed) => {
    const r = bed.sh('echo ready; exec sleep 1000', ['--detach']);
    assert.equal([r.code, r.stderr], [0, '']);
    assert.is(bed.state().status, 'running');
    bed.kill('KILL');
    bed.until('stopped');
    assert.is(bed.delete().code, 0);
  }),
);

test(
  "--console-socket without a terminal, and the reverse, fail with runc's texts",
  onBed((bed) => {
    const refused = (terminal: boolean, args: string[], wanted: RegExp) => {
      bed.config.process.terminal = terminal;
      bed.write();
      const r = bed.runt([args[0]!, '--bundle', bed.bundle, ...args.slice(1), bed.id]);
      assert.is(r.code, 1);
      assert.match(r.stderr, wanted);
      assert.is(bed.runt(['state', bed.id]).code, 1);
    };
    const needed = /cannot allocate tty if runt will detach without setting console socket/;
    const useless = /cannot use console socket if runt will not detach or allocate tty/;
    refused(true, ['create'], needed);
    refused(true, ['run', '--detach'], needed);
    refused(false, ['create', '--console-socket', '/x'], useless);
    refused(false, ['run', '--detach', '--console-socket', '/x'], useless);
    refused(true, ['run', '--console-socket', '/x'], useless);
    refused(true, ['create', '--console-socket', join(bed.dir, 'none')], /connect .*none: ENOENT/);
    writeFileSync(join(bed.dir, 'file'), '');
    refused(true, ['create', '--console-socket', join(bed.dir, 'file')], /connect .*file: ECONNREFUSED/);
  }),
);

test(
  'CVE-2025-52565: links of an image at /dev/pts and /dev/console do not lead outside',
  onBed(async (bed) => {
    // Without mounts on /dev, the image's files are used.
    bed.config.mounts = bed.config.mounts.filter((m) => !m.destination.startsWith('/dev'));
    bed.config.root.readonly = false;
    const outside = join(bed.dir, 'outside');
    writeFileSync(outside, 'untouched');
    const run = async (): Promise<string> => {
      const side = script(bed, 'true');
      assert.equal(await side.ended(), { code: 1, restored: true }, side.output);
      return side.output;
    };
    mkdirSync(join(bed.rootfs, 'dev'), { recursive: true });
    // A link to the host's devpts is resolved in the root, where there is none.
    rmSync(join(bed.rootfs, 'dev', 'pts'), { recursive: true, force: true });
    symlinkSync('/../../../../../../../../dev/pts', join(bed.rootfs, 'dev', 'pts'));
    assert.match(await run(), /make the terminal.*\(\/dev\/pts\): ELOOP/);
    // A directory that is not a devpts, with a multiplexer of the image's.
    rmSync(join(bed.rootfs, 'dev', 'pts'));
    mkdirSync(join(bed.rootfs, 'dev', 'pts'));
    spawnSync('mknod', [join(bed.rootfs, 'dev', 'pts', 'ptmx'), 'c', '5', '2']);
    assert.match(await run(), /make the terminal.*\(\/dev\/pts\): ENODEV/);
    rmSync(join(bed.rootfs, 'dev', 'pts', 'ptmx'));
    // With a devpts, and a link as /dev/console.
    bed.config.mounts.push({
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    });
    rmSync(join(bed.rootfs, 'dev', 'console'), { force: true });
    symlinkSync(outside, join(bed.rootfs, 'dev', 'console'));
    assert.match(await run(), /make the terminal.*\(\/dev\/console\): ELOOP/);
    assert.is(readFileSync(outside, 'utf8'), 'untouched');
    // A file at its path is covered, in the container only.
    rmSync(join(bed.rootfs, 'dev', 'console'));
    writeFileSync(join(bed.rootfs, 'dev', 'console'), 'image');
    const side = script(bed, 'test -c /dev/console && echo covered');
    assert.is(await shown(side), 'covered\n');
    assert.ok(lstatSync(join(bed.rootfs, 'dev', 'console')).isFile());
  }),
);

test(
  'another mount over the multiplexer is refused',
  onBed(async (bed) => {
    const fake = join(bed.dir, 'fake');
    spawnSync('mkfifo', [fake]);
    bed.config.mounts.push({ destination: '/dev/pts/ptmx', type: 'bind', source: fake, options: ['bind'] });
    const side = script(bed, 'true');
    assert.equal(await side.ended(), { code: 1, restored: true });
    assert.match(side.output, /make the terminal.*\(\/dev\/pts\/ptmx\): EXDEV/);
  }),
);

test(
  'a rootless container can have a terminal',
  onBed(async (bed) => {
    bed.config.linux.namespaces.push({ type: 'user' });
    bed.config.linux.uidMappings = [{ containerID: 0, hostID: 1000, size: 1 }];
    bed.config.linux.gidMappings = [{ containerID: 0, hostID: 1000, size: 1 }];
    bed.config.linux.resources = {};
    bed.config.mounts = bed.config.mounts.filter((m) => m.type !== 'cgroup' && m.type !== 'sysfs');
    for (const m of bed.config.mounts) if (m.options) m.options = m.options.filter((o) => o !== 'gid=5');
    bed.config.process.terminal = true;
    bed.config.process.args = ['/bin/sh', '-c', 'tty; id -u; stat -c %u /dev/console'];
    bed.write();
    spawnSync('chown', ['-R', '1000:1000', bed.bundle]);
    mkdirSync(bed.root, { recursive: true });
    spawnSync('chown', ['1000:1000', bed.root]);
    const command = [runtPath, '--root', bed.root, 'run', '--bundle', bed.bundle, bed.id];
    const side = onTerminal(['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups', ...command], bed.dir);
    assert.is(await shown(side), '/dev/pts/0\n0\n0\n');
  }),
);

test(
  'exec --tty has a terminal of its own in the same devpts, and the mode is restored',
  onBed(async (bed) => {
    bed.started(['/bin/sh', '-c', 'while :; do sleep 0.05; done']);
    const command = [runtPath, '--root', bed.root, 'exec', '--tty', bed.id];
    const side = onTerminal([...command, '/bin/sh', '-c', 'tty; stty size; read a; exit $a'], bed.dir);
    await side.shows(/\/dev\/pts\/0\r\n33 101/);
    side.type('6\r');
    assert.equal(await side.ended(), { code: 6, restored: true });
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  'later output is not lost if no process has the terminal open for a while',
  onBed(async (bed) => {
    const later = 'exec <&- >&- 2>&-; sleep 0.5; echo later >/dev/console; sleep 0.2';
    const side = script(bed, `echo first; ${later}`);
    assert.is(await shown(side), 'first\nlater\n');
  }),
);

for (const [host, program] of [
  ['', [runtPath]],
  [', under Node', [process.execPath, join(top, 'dist', 'cli.js')]],
] as const) {
  test(
    `a background job does not take the terminal, and stops until it is in the foreground${host}`,
    onBed(async (bed) => {
      bed.config.process.terminal = true;
      bed.config.process.args = ['/bin/sh', '-c', 'stty -echo; echo ready; read a; echo "<$a>"; exit 3'];
      bed.write();
      const run = [...program, '--root', bed.root, 'run', '--bundle', bed.bundle, bed.id].join(' ');
      const mode = 'stty -a | grep -o -- ".icanon\\|.echo "';
      const line = `set -m; ${run} & until jobs >jobs; grep Stopped jobs; do sleep 0.1; done; ${mode}; echo typed; fg >/dev/null; echo "status $?"; ${mode}`;
      const side = onTerminal(['sh', '-c', line], bed.dir);
      await side.shows(/Stopped.*tty output[\s\S]* icanon\r\n echo [\s\S]*typed/);
      await side.shows(/ready/);
      side.type('front\r');
      assert.match(await shown(side), /<front>\n[\s\S]*status 3\n icanon\n echo \n/);
    }),
  );
}

test(
  'an orphaned background job continues and does not change the mode',
  onBed(async (bed) => {
    bed.config.process.terminal = true;
    bed.config.process.args = ['/bin/sh', '-c', 'echo from behind; exit 4'];
    bed.write();
    const run = [runtPath, '--root', bed.root, 'run', '--bundle', bed.bundle, bed.id].join(' ');
    // The inner shell leads a process group of its own and ends, so no shell can bring its job to the foreground.
    const inner = `set -m; (${run}; echo "status $?" >${bed.dir}/status) &`;
    const line = `sh -c '${inner}'; until test -s status; do sleep 0.05; done; cat status; stty -a | grep -o .icanon`;
    const side = onTerminal(['sh', '-c', line], bed.dir);
    assert.match(await shown(side), /from behind\nstatus 4\n icanon\n/);
  }),
);

test(
  'under Node, relay, size, exit status and mode are the same',
  onBed(async (bed) => {
    bed.config.process.terminal = true;
    bed.config.process.args = ['/bin/sh', '-c', 'stty size; read a; echo "<$a>"; seq 20000; exit 4'];
    bed.write();
    const cli = [process.execPath, join(top, 'dist', 'cli.js')];
    const side = onTerminal([...cli, '--root', bed.root, 'run', '--bundle', bed.bundle, bed.id], bed.dir);
    await side.shows(/33 101/);
    side.type('node\r');
    await side.shows(/<node>/);
    assert.equal(await side.ended(), { code: 4, restored: true });
    assert.match(side.output, /19999\r\n20000\r\n$/);
  }),
);

test.run();

const compared = needing('terminal beside runc', 'root', 'programs', 'runc');

compared(
  'mode, names, owners and sizes of the terminal equal those of runc',
  onBed(async (bed) => {
    const look =
      'until stty size 2>/dev/null | grep -q "33 101"; do sleep 0.02; done; stty -a; tty; stat -c "%n %u %g %a %t:%T" /dev/console /dev/pts/0 /dev/pts/ptmx /dev/tty; readlink /proc/self/fd/0';
    const ours = await shown(script(bed, look));
    const command = ['runc', '--root', join(bed.dir, 'runc'), 'run', '--bundle', bed.bundle, `${bed.id}-runc`];
    const theirs = await shown(onTerminal(command, bed.dir));
    assert.match(ours, /speed .*rows 33; columns 101/);
    // runc sets the size shortly after the start, and stty breaks its lines by the width at its beginning.
    const words = (text: string) => text.trim().split(/\s+/);
    assert.equal(words(ours), words(theirs));
  }),
);

compared.run();
