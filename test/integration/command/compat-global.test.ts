/** The global flags that engines pass, and where failures are logged: one test for each row of the contract. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { COMMAND_LIMIT } from '../../deadline.js';
import { type Bed, eventually, needing, ok, onBed } from '../bed/bed.js';
import { missing } from '../bed/needs.js';
import { programs, runtPath } from '../bed/place.js';

const test = needing('compat-global', 'root');
const ruled = needing('compat-global of devices', 'root', 'devices', 'memory');
const limited = needing('compat-global of memory', 'root', 'memory');

/** Runs the program with these arguments only, without the bed's own --root. */
function plain(bed: Bed, args: readonly string[], env: Record<string, string> = {}) {
  const out = join(bed.dir, 'plain');
  const script = 'exec "$@" >"$0.out" 2>"$0.err"';
  let code = 0;
  try {
    execFileSync('/bin/sh', ['-c', script, out, runtPath, ...args], { env, cwd: bed.dir, timeout: COMMAND_LIMIT });
  } catch (e) {
    code = (e as { status: number }).status;
  }
  return { code, stdout: readFileSync(`${out}.out`, 'utf8'), stderr: readFileSync(`${out}.err`, 'utf8') };
}

test(
  '--root accepts its value as the next argument or after "=", with one dash or two',
  onBed((bed) => {
    bed.started();
    for (const flags of [['--root', bed.root], [`--root=${bed.root}`], ['-root', bed.root], [`-root=${bed.root}`]]) {
      const r = plain(bed, [...flags, 'list', '-q']);
      assert.equal([r.code, r.stdout, r.stderr], [0, `${bed.id}\n`, '']);
    }
    bed.delete('--force');
  }),
);

test(
  '--log-format json writes one JSON object for a failure, stderr has the text, and a success writes nothing',
  onBed((bed) => {
    const log = join(bed.dir, 'log.json');
    for (const flags of [
      ['--log', log, '--log-format', 'json'],
      [`-log=${log}`, '-log-format=json'],
      ['--log-format=json', '--log', `file:${log}`],
    ]) {
      rmSync(log, { force: true });
      const r = bed.runt([...flags, 'state', 'nothing']);
      assert.is(r.code, 1);
      assert.is(r.stderr, 'runt: container does not exist: nothing\n');
      const text = readFileSync(log, 'utf8');
      assert.ok(text.endsWith('}\n'));
      const line = JSON.parse(text);
      assert.is(line.level, 'error');
      assert.is(line.msg, 'container does not exist: nothing');
      assert.match(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
    }
    rmSync(log);
    // Every command of a successful container.
    bed.write();
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    for (const args of [['create', '--bundle', bed.bundle], ['start'], ['state'], ['pause'], ['resume'], ['kill']]) {
      const r = bed.runt(['--log', log, '--log-format', 'json', ...args, bed.id]);
      assert.is(r.code, 0, r.stderr);
    }
    assert.is(readFileSync(log, 'utf8'), '');
    bed.delete('--force');
  }),
);

ruled(
  '--debug and --log-level debug log more JSON lines, and --log-level warning logs warnings about the config',
  onBed((bed) => {
    const log = join(bed.dir, 'log.json');
    const lines = () =>
      readFileSync(log, 'utf8')
        .trimEnd()
        .split('\n')
        .filter(Boolean)
        .map((l) => JSON.parse(l).level);
    for (const flag of ['--debug', '--log-level=debug']) {
      rmSync(log, { force: true });
      bed.runt([flag, '--log', log, '--log-format', 'json', 'state', 'nothing']);
      assert.equal(lines(), ['debug', 'error', 'debug']);
    }
    const disabled = ['--cgroup-manager', 'disabled', '--log', log, '--log-format', 'json'];
    for (const [level, want] of [
      [[], []],
      [['--log-level', 'error'], []],
      [['--log-level', 'warning'], ['warning']],
    ] as const) {
      rmSync(log, { force: true });
      bed.write();
      const r = bed.runt([...disabled, ...level, 'run', '--bundle', bed.bundle, bed.id]);
      assert.equal([r.code, r.stderr], [0, '']);
      assert.equal(lines(), want);
    }
    const bad = bed.runt(['--log-level', 'loud', 'list']);
    assert.match(bad.stderr, 'must be error or warning or debug, not "loud"');
  }),
);

test(
  '--debug logs one line for each operation that is done, up to the one that fails, and in both formats',
  onBed((bed) => {
    const log = join(bed.dir, 'log.json');
    const logged = (...args: string[]) => {
      rmSync(log, { force: true });
      bed.write();
      const r = bed.runt(['--debug', '--log', log, '--log-format', 'json', ...args]);
      const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
      const ops = lines
        .map((line) => JSON.parse(line))
        .filter(({ level, op }) => level === 'debug' && op !== undefined);
      return { ...r, names: ops.map(({ op }) => op as string), ops };
    };
    bed.config.process.noNewPrivileges = true;
    bed.config.linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] };
    bed.write();
    const planned = JSON.parse(ok(bed.runt(['explain', '--format', 'json', bed.bundle])).stdout) as {
      operations: { op: string }[];
    };
    const all = planned.operations.map(({ op }) => op).sort();
    const create = logged('create', '--bundle', bed.bundle, bed.id);
    const start = logged('start', bed.id);
    assert.equal([create.code, start.code, create.stderr, start.stderr], [0, 0, '', '']);
    assert.equal([...create.names, ...start.names].sort(), all);
    assert.is(start.names.at(-1), 'exec');
    const hostname = create.ops.find(({ op }) => op === 'hostname');
    assert.is(hostname.pointer, '/hostname');
    assert.match(hostname.msg, /set the hostname/);
    ok(bed.delete('--force'));
    bed.config.mounts.push({ destination: '/proc/none', type: 'tmpfs', source: 't' });
    const failed = logged('run', '--bundle', bed.bundle, bed.id);
    assert.is(failed.code, 1);
    const count = bed.config.mounts.length - 1;
    assert.ok(failed.names.filter((name) => name === 'mountFs' || name === 'mountBind').length >= count);
    assert.not.ok(failed.names.includes('pivotRoot'));
    bed.config.mounts.pop();
    bed.config.process.args = ['/bin/true'];
    bed.write();
    const text = bed.runt(['--debug', 'run', '--bundle', bed.bundle, bed.id]);
    assert.is(text.code, 0);
    assert.match(text.stderr, /^time="[^"]*" level=debug msg="seccomp filter flags: 0" pointer=\/linux\/seccomp$/m);
    assert.match(text.stderr, /^time="[^"]*" level=debug msg="mount proc on \/proc" op=mountFs pointer=\/mounts\/0$/m);
  }),
);

test(
  '--systemd-cgroup is accepted with every command, and create is refused by name where systemd is not usable',
  onBed((bed) => {
    bed.started();
    for (const args of [['state', bed.id], ['kill', bed.id, '0'], ['list'], ['delete', '--force', bed.id]]) {
      assert.is(bed.runt(['--systemd-cgroup', ...args]).code, 0, args[0]);
    }
    bed.write();
    for (const flag of ['--systemd-cgroup', '--cgroup-manager=systemd']) {
      const r = bed.runt([flag, '--rootless=true', 'create', '--bundle', bed.bundle, bed.id]);
      if (missing('systemd') === undefined) {
        assert.is(r.code, 0, r.stderr);
        bed.delete('--force');
      } else {
        assert.is(r.code, 1);
        assert.match(r.stderr, '--systemd-cgroup is not supported');
      }
      assert.not.ok(existsSync(join(bed.root, bed.id)));
    }
  }),
);

test(
  '--criu PATH and --rootless=BOOL are accepted with every command',
  onBed((bed) => {
    bed.write();
    for (const flags of [['--criu', '/usr/sbin/criu'], ['--rootless=false'], ['--rootless', 'auto'], ['-rootless=0']]) {
      assert.is(bed.runt([...flags, 'run', '--bundle', bed.bundle, bed.id]).code, 0, flags[0]);
      assert.is(bed.runt([...flags, 'list']).code, 0, flags[0]);
    }
  }),
);

test(
  '--cgroup-manager disabled makes no cgroup, and all other commands work',
  onBed(async (bed) => {
    const disabled = ['--cgroup-manager', 'disabled'];
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const r = bed.runt([...disabled, 'create', '--bundle', bed.bundle, bed.id]);
    assert.equal([r.code, r.stderr], [0, '']);
    assert.is(bed.start().code, 0);
    const { pid } = bed.state();
    assert.is(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), readFileSync('/proc/self/cgroup', 'utf8'));
    // Its processes are found by its pid namespace: the exec's too, and none of the host.
    const second = bed.runt(['exec', '--detach', '--pid-file', join(bed.dir, 'pid'), bed.id, '/bin/sleep', '1000']);
    assert.is(second.code, 0, second.stderr);
    const other = Number(readFileSync(join(bed.dir, 'pid'), 'utf8'));
    const ps = () => JSON.parse(bed.runt(['ps', '--format', 'json', bed.id]).stdout) as number[];
    assert.equal(
      ps(),
      [pid, other].sort((a, b) => a - b),
    );
    assert.match(bed.runt(['pause', bed.id]).stderr, 'the container has no cgroup');
    assert.match(
      bed.runt(['update', '--memory', '64m', bed.id]).stderr,
      'the container has no cgroup, and so no limits',
    );
    assert.is(bed.kill('KILL', '--all').code, 0);
    await eventually('both ended', () => ps().length === 0);
    bed.until('stopped');
    assert.is(bed.delete().code, 0);
  }),
);

limited(
  "--cgroup-manager disabled refuses a limit with its JSON pointer, and shows the caller's cgroups",
  onBed((bed) => {
    bed.config.linux.resources.pids = { limit: 20 };
    bed.write();
    const r = bed.runt(['--cgroup-manager=disabled', 'run', '--bundle', bed.bundle, bed.id]);
    assert.is(r.code, 1);
    assert.match(
      r.stderr,
      /apply the limit "pids\.max": the container has no cgroup\n {2}at {2}\/linux\/resources\/pids\/limit/,
    );
    delete bed.config.linux.resources.pids;
    bed.config.process.args = ['/bin/ls', '/sys/fs/cgroup'];
    bed.write();
    const shown = bed.runt(['--cgroup-manager=disabled', 'run', '--bundle', bed.bundle, bed.id]);
    assert.is(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, /memory|cgroup\.procs/);
  }),
);

test(
  '--version prints a line with "runt version", then commit and spec',
  onBed((bed) => {
    for (const flag of ['--version', '-version', '-v']) {
      const r = plain(bed, [flag]);
      assert.equal([r.code, r.stderr], [0, '']);
      assert.match(r.stdout, /^runt version \S+\ncommit: \S+\nspec: 1\.\d+\.\d+\n$/);
    }
  }),
);

test(
  'every command works with an empty environment, without PATH and HOME',
  onBed((bed) => {
    const env = {};
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const calls = [
      ['create', '--bundle', bed.bundle, bed.id],
      ['start', bed.id],
      ['state', bed.id],
      ['list'],
      ['ps', bed.id],
      ['exec', bed.id, '/true'],
      ['events', '--stats', bed.id],
      ['pause', bed.id],
      ['resume', bed.id],
      ['kill', bed.id, 'KILL'],
      ['delete', '--force', bed.id],
      ['features'],
      ['run', '--bundle', bed.bundle, '--detach', bed.id],
      ['delete', '--force', bed.id],
    ];
    for (const args of calls) {
      const r = bed.runt(args, { env });
      assert.equal([r.code, r.stderr], [0, ''], args.join(' '));
    }
  }),
);

/** Runs a script in a mount namespace with a private /run and /dev, with a daemon on a datagram socket. */
async function withDaemon(bed: Bed, socket: string, script: string): Promise<Buffer[]> {
  const program = join(programs, 'datagrams');
  const setup = `set -e
mount -t tmpfs -o mode=755 run /run; mkdir -p /run/systemd/journal
mount -t tmpfs -o mode=755 dev /dev; mknod /dev/null c 1 3
"$1" ${socket} & daemon=$!
i=0; while [ ! -S ${socket} ]; do i=$((i+1)); [ $i -lt 6000 ]; sleep 0.01; done
set +e
${script}
"$1" ${socket} end; wait $daemon`;
  const child = spawn(
    'unshare',
    ['--mount', '--propagation', 'private', '/bin/sh', '-c', setup, 'sh', program, runtPath, bed.root],
    { stdio: ['ignore', 'pipe', 'pipe'], timeout: COMMAND_LIMIT, killSignal: 'SIGKILL' },
  );
  let [text, errors] = ['', ''];
  child.stdout.on('data', (d) => {
    text += d;
  });
  child.stderr.on('data', (d) => {
    errors += d;
  });
  await new Promise((settle) => child.on('close', settle));
  const [ready, ...lines] = text.split('\n').filter(Boolean);
  assert.is(ready, 'ready', errors);
  return lines.map((line) => Buffer.from(line, 'hex'));
}

const log = needing('compat-log', 'root', 'programs', 'mount', 'unshare');

log(
  '--log journald:NAME sends the fields of the failure, and a value with newlines with its length',
  onBed(async (bed) => {
    const script = `"$2" --root "$3" --log journald:engine state nothing
"$2" --root "$3" --log journald:engine --debug state nothing`;
    const [first, ...more] = await withDaemon(bed, '/run/systemd/journal/socket', script);
    const lines = first!.toString().split('\n');
    for (const line of [
      'MESSAGE=container does not exist: nothing',
      'PRIORITY=3',
      'SYSLOG_IDENTIFIER=engine',
      'RUNT_CODE=ERR_NO_CONTAINER',
    ]) {
      assert.ok(lines.includes(line), `${line} in ${first}`);
    }
    assert.is(more.length, 3);
    // The stack has newlines: MESSAGE, its length as little-endian u64, the text, a newline.
    const stack = more[2]!;
    assert.is(stack.subarray(0, 8).toString(), 'MESSAGE\n');
    const length = Number(stack.readBigUInt64LE(8));
    assert.match(stack.subarray(16, 16 + length).toString(), /container does not exist: nothing\n/);
    assert.is(stack[16 + length], 10);
    assert.match(stack.subarray(17 + length).toString(), /^PRIORITY=7\n/);
  }),
);

log(
  '--log syslog:NAME sends one line to /dev/log, and NAME is optional',
  onBed(async (bed) => {
    const script = `"$2" --root "$3" --log syslog:engine state nothing
"$2" --root "$3" --log syslog: kill nothing`;
    const lines = (await withDaemon(bed, '/dev/log', script)).map(String);
    assert.is(lines.length, 2);
    assert.match(
      lines[0]!,
      /^<27>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d engine\[\d+\]: container does not exist: nothing code=ERR_NO_CONTAINER path=\S+$/,
    );
    assert.match(lines[1]!, / runt\[\d+\]: /);
  }),
);

test(
  '--log to a daemon that is not running fails before anything is done',
  onBed((bed) => {
    for (const [name, path] of [
      ['journald:x', '/run/systemd/journal/socket'],
      ['syslog:x', '/dev/log'],
    ] as const) {
      if (existsSync(path)) continue;
      const r = bed.runt(['--log', name, 'list']);
      assert.is(r.code, 1);
      assert.match(r.stderr, `runt: open the log ${name}: ${path}: ENOENT`);
    }
  }),
);

test.run();
ruled.run();
limited.run();
log.run();
