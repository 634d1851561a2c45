/** exec: another process in a container. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { capabilityNames } from '../../../src/sys/kernel-names.js';
import { endAfterExec } from '../../../src/sys/waiting/time-limits.js';
import { elapse } from '../../deadline.js';
import { type Bed, eventually, needing, onBed as onBareBed } from '../bed/bed.js';

const test = needing('exec', 'root');
const compared = needing('exec beside runc', 'root', 'runc');

/** A bed whose container, still running, is deleted at the end: its execs may leave nothing either. */
const onBed = (body: (bed: Bed) => void | Promise<void>): (() => Promise<void>) =>
  onBareBed(async (bed) => {
    await body(bed);
    const r = bed.delete('--force');
    assert.is(r.code, 0, r.stderr);
  });

/** Runs an exec, requires exit status 0 and an empty stderr, and returns stdout. */
function out(bed: Bed, ...args: string[]): string {
  const r = bed.runt(['exec', ...args]);
  if (r.code !== 0 || r.stderr !== '') throw new Error(`exit ${r.code}: ${r.stderr}\n${r.stdout}`);
  return r.stdout;
}

/** Runs an exec that must fail with 255, and returns its stderr. */
function refused(bed: Bed, ...args: string[]): string {
  const r = bed.runt(['exec', ...args]);
  assert.is(r.code, 255, `${r.code}: ${r.stdout}${r.stderr}`);
  assert.is(r.stdout, '');
  return r.stderr;
}

const pidsOf = (bed: Bed): number[] => JSON.parse(bed.runt(['ps', '-f', 'json', bed.id]).stdout);

test(
  'exec passes stdin and output, and exits with the status or 128+n for a signal',
  onBed((bed) => {
    bed.started();
    assert.is(out(bed, bed.id, 'echo', 'a', '-b', '--help'), 'a -b --help\n', 'flags after the id are the command’s');
    assert.is(bed.runt(['exec', bed.id, 'sh', '-c', 'exit 7']).code, 7);
    assert.is(bed.runt(['exec', bed.id, 'sh', '-c', 'kill -TERM $$']).code, 143);
    assert.is(bed.runt(['exec', bed.id, 'cat'], { input: 'typed' }).stdout, 'typed');
  }),
);

test(
  'exec joins every namespace, all cgroups and the root of the container',
  onBed((bed) => {
    bed.config.linux.namespaces.push({ type: 'cgroup' });
    const pid = bed.started();
    const script = 'for n in mnt pid net ipc uts cgroup user; do readlink /proc/self/ns/$n; done; hostname';
    const [mnt, pidNs, net, ipc, uts, cgroup, user, host] = out(bed, bed.id, 'sh', '-c', script).split('\n');
    const own = (name: string) => readlinkSync(`/proc/${pid}/ns/${name}`);
    assert.equal(
      [mnt, pidNs, net, ipc, uts, cgroup, user],
      ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'user'].map(own),
    );
    assert.is(host, 'runt');
    // Kept running by a process that waits, so that it can be inspected from outside.
    const file = join(bed.dir, 'pid');
    assert.is(bed.runt(['exec', '-d', '--pid-file', file, bed.id, 'sleep', '100']).code, 0);
    const second = readFileSync(file, 'utf8');
    assert.match(second, /^[0-9]+$/);
    assert.is(readFileSync(`/proc/${second}/cgroup`, 'utf8'), readFileSync(`/proc/${pid}/cgroup`, 'utf8'));
    assert.is(readlinkSync(`/proc/${second}/root`), '/');
    assert.equal(
      pidsOf(bed),
      [pid, Number(second)].sort((a, b) => a - b),
    );
  }),
);

test(
  "with a user namespace, exec runs as its root with the config's maps, limits and oomScoreAdj",
  onBed((bed) => {
    bed.config.linux.namespaces.push({ type: 'user' });
    bed.config.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    bed.config.linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    bed.config.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 2048, hard: 4096 }];
    bed.config.process.oomScoreAdj = 77;
    const pid = bed.started();
    const text = out(
      bed,
      bed.id,
      'sh',
      '-c',
      'id -u; ulimit -n; cat /proc/self/oom_score_adj; readlink /proc/self/ns/user',
    );
    assert.is(text, `0\n2048\n77\n${readlinkSync(`/proc/${pid}/ns/user`)}\n`);
    const file = join(bed.dir, 'pid');
    assert.is(bed.runt(['exec', '-d', '-u', '5:6', '--pid-file', file, bed.id, 'sleep', '100']).code, 0);
    assert.match(
      readFileSync(`/proc/${readFileSync(file, 'utf8')}/status`, 'utf8'),
      /^Uid:\t100005\t100005\t100005\t100005$/m,
    );
  }),
);

test(
  "without flags, exec has the config's user, groups, umask, limits, capabilities, environment and cwd",
  onBed((bed) => {
    mkdirSync(join(bed.rootfs, 'srv'), { recursive: true });
    bed.config.process.user = { uid: 33, gid: 44, additionalGids: [55], umask: 0o027 };
    bed.config.process.cwd = '/srv';
    bed.config.process.env.push('FROM=config', 'BOTH=config');
    bed.config.process.oomScoreAdj = 123;
    bed.started();
    const script =
      'id; umask; pwd; ulimit -n; cat /proc/self/oom_score_adj; grep -E "NoNewPrivs|CapBnd" /proc/self/status';
    assert.is(
      out(bed, bed.id, 'sh', '-c', script),
      'uid=33 gid=44 groups=55\n0027\n/srv\n1024\n123\nCapBnd:\t0000000020000420\nNoNewPrivs:\t1\n'.replace(
        'groups=55',
        out(bed, bed.id, 'id').includes('groups=44') ? 'groups=44,55' : 'groups=55',
      ),
    );
    const env = out(bed, '-e', 'BOTH=flag', '-e', 'EMPTY=', '--env', 'MORE=a=b', bed.id, 'env').split('\n');
    for (const entry of ['FROM=config', 'BOTH=flag', 'EMPTY=', 'MORE=a=b', 'TERM=xterm'])
      assert.ok(env.includes(entry), entry);
    assert.not.ok(env.includes('BOTH=config'), 'an entry is replaced, not doubled');
  }),
);

test(
  '--cwd, --user, --additional-gids, --cap and --no-new-privs override the config',
  onBed((bed) => {
    bed.started();
    const script = 'pwd; id -u; id -g; id -G; grep -E "Cap|NoNew" /proc/self/status | tr -d "\\t"';
    const text = out(
      bed,
      '--cwd',
      '/tmp',
      '-u',
      '0:9',
      '-g',
      '11',
      '--additional-gids',
      '12',
      '-c',
      'CAP_CHOWN',
      '--no-new-privs=false',
      bed.id,
      'sh',
      '-c',
      script,
    );
    assert.is(
      text,
      '/tmp\n0\n9\n9 11 12\nCapInh:0000000000000000\nCapPrm:0000000020000421\nCapEff:0000000020000421\nCapBnd:0000000020000421\nCapAmb:0000000000000000\nNoNewPrivs:0\n',
    );
  }),
);

test(
  'an unknown capability of --cap or --process is ignored with a warning',
  onBed((bed) => {
    bed.started();
    const r = bed.runt([
      'exec',
      '--cap',
      'CAP_CHWN',
      '--cap',
      'CAP_KILL',
      bed.id,
      'grep',
      'CapBnd',
      '/proc/self/status',
    ]);
    assert.is(r.code, 0, r.stderr);
    assert.is(r.stdout, 'CapBnd:\t0000000020000420\n');
    assert.is(
      r.stderr,
      `runt: warning: exec ${bed.id}: --cap CAP_CHWN is not a capability: it is left out; did you mean "CAP_CHOWN"?\n`,
    );
    const file = join(bed.dir, 'process.json');
    writeFileSync(
      file,
      JSON.stringify({
        cwd: '/',
        user: { uid: 0, gid: 0 },
        args: ['/bin/true'],
        capabilities: { bounding: ['CAP_FOO'] },
      }),
    );
    const p = bed.runt(['exec', '--process', file, bed.id]);
    assert.is(p.code, 0, p.stderr);
    assert.match(p.stderr, /^runt: warning: \S+process\.json: \/capabilities\/bounding\/0 should be a capability/);
  }),
);

test(
  'a file of --process without a user runs as root, without a warning',
  onBed((bed) => {
    bed.started();
    const file = join(bed.dir, 'process.json');
    writeFileSync(file, JSON.stringify({ cwd: '/', args: ['/bin/id', '-u'] }));
    const p = bed.runt(['exec', '--process', file, bed.id]);
    assert.equal([p.code, p.stdout, p.stderr], [0, '0\n', '']);
  }),
);

test(
  "names are looked up in the container's /etc/passwd and /etc/group, with their groups",
  onBed((bed) => {
    mkdirSync(join(bed.rootfs, 'etc'), { recursive: true });
    const etc = (name: string, text: string) => writeFileSync(join(bed.rootfs, 'etc', name), text);
    etc(
      'passwd',
      'root:x:0:0::/root:/bin/sh\nweb:x:301:302::/srv/web:/bin/sh\n1000:x:0:0::/:/bin/sh\nhuge:x:4294967296:0::/:\n',
    );
    etc('group', 'root:x:0:\nstaff:x:50:web\nmore:x:51:other,web\nnot:x:52:webb\n');
    bed.started();
    const script = 'id -u; id -g; id -G; echo $HOME';
    assert.is(out(bed, '-u', 'web', bed.id, 'sh', '-c', script), '301\n302\n302 50 51\n/srv/web\n');
    assert.is(out(bed, '-u', 'web:staff', bed.id, 'sh', '-c', script), '301\n50\n50\n/srv/web\n');
    assert.is(out(bed, '-u', 'web:7', bed.id, 'sh', '-c', script), '301\n7\n7\n/srv/web\n');
    assert.is(out(bed, '-u', '8:staff', bed.id, 'sh', '-c', script), '8\n50\n50\n/\n');
    assert.match(refused(bed, '-u', 'nobody-there', bed.id, 'true'), /add the user "nobody-there" to the image/);
    assert.match(refused(bed, '-u', 'web:nogroup-there', bed.id, 'true'), /add the group "nogroup-there" to the image/);
  }),
);

test(
  'CVE-2026-30892, CVE-2024-40635: digits are a uid, and an invalid uid never becomes root',
  onBed((bed) => {
    writeFileSync(
      join(bed.rootfs, 'etc', 'passwd'),
      '1000:x:0:0::/:\nroot:x:0:0::/:\nhuge:x:4294967296:0::/:\nneg:x:-1:0::/:\nempty:x::0::/:\n',
    );
    bed.started();
    assert.is(out(bed, '-u', '1000', bed.id, 'id', '-u'), '1000\n', 'not the user who is called 1000');
    for (const user of [
      '4294967295',
      '4294967296',
      '18446744073709551616',
      '99999999999999999999999',
      '',
      ':',
      '1:',
      ':1',
      '0x0',
      ' 0',
      '+0',
      '-1',
      '1e3',
      'huge',
      'neg',
      'empty',
    ]) {
      refused(bed, `--user=${user}`, bed.id, 'id');
    }
    for (const gid of ['4294967295', 'x', '', '-1']) refused(bed, `--additional-gids=${gid}`, bed.id, 'id');
  }),
);

test(
  "the container's /etc/passwd can neither be a link to outside nor block the runtime",
  onBed(async (bed) => {
    writeFileSync(join(bed.dir, 'secret'), 'sly:x:0:0::/:\n');
    rmSync(join(bed.rootfs, 'etc', 'passwd'), { force: true });
    symlinkSync(`../../../../../../..${bed.dir}/secret`, join(bed.rootfs, 'etc', 'passwd'));
    bed.config.root.readonly = false;
    bed.started();
    assert.match(refused(bed, '-u', 'sly', bed.id, 'id'), /\/etc\/passwd/);
    out(bed, bed.id, 'sh', '-c', 'rm /etc/passwd; mkfifo /etc/passwd');
    assert.match(refused(bed, '-u', 'sly', bed.id, 'id'), /\/etc\/passwd/);
  }),
);

test(
  'CVE-2022-29162, CVE-2022-27650: only capabilities that the config lists are inheritable',
  onBed((bed) => {
    bed.config.process.capabilities = {
      bounding: ['CAP_CHOWN', 'CAP_KILL'],
      effective: ['CAP_CHOWN'],
      permitted: ['CAP_CHOWN'],
    };
    bed.started();
    const caps = (...flags: string[]) => out(bed, ...flags, bed.id, 'sh', '-c', 'grep Cap /proc/self/status | cut -f2');
    assert.is(caps(), '0000000000000000\n0000000000000001\n0000000000000001\n0000000000000021\n0000000000000000\n');
    assert.is(
      caps('-c', 'CAP_NET_RAW'),
      '0000000000000000\n0000000000002001\n0000000000002001\n0000000000002021\n0000000000000000\n',
    );
  }),
);

test(
  'CVE-2024-21626: a working directory outside the root is refused',
  onBed((bed) => {
    bed.started();
    for (let fd = 3; fd < 24; fd++) {
      const r = bed.runt(['exec', '--cwd', `/proc/self/fd/${fd}`, bed.id, 'pwd']);
      // One of them is the container's own root.
      if (r.code !== 255) assert.equal([r.code, r.stdout], [0, '/\n'], r.stderr);
    }
    assert.match(refused(bed, '--cwd', '/missing', bed.id, 'true'), /enter the working directory \/missing/);
  }),
);

test(
  'CVE-2016-9962: no process of the container can trace a joining exec, which has no descriptor of the host',
  onBed(async (bed) => {
    // Root with every capability in its own user namespace; in the host's it could trace anything.
    const all = capabilityNames();
    bed.config.process.capabilities = { bounding: all, effective: all, permitted: all };
    bed.config.linux.namespaces.push({ type: 'user' });
    bed.config.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    bed.config.linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    // Reads the descriptors of every other process as fast as it can, and prints those that it could read.
    const spy = [
      'while :; do for d in /proc/[0-9]*; do',
      'ls -l $d/fd 2>/dev/null | grep -E "memfd|/sys/fs/cgroup|socket"',
      'readlink $d/exe | grep runt',
      'done; done',
    ].join('\n');
    bed.started(['/bin/sh', '-c', spy]);
    for (let i = 0; i < 30; i++) out(bed, bed.id, 'true');
    assert.is(bed.stdout(), '');
  }),
);

test(
  'only stdio and the preserved descriptors are open',
  onBed((bed) => {
    bed.started();
    const file = join(bed.dir, 'pid');
    assert.is(bed.runt(['exec', '-d', '--pid-file', file, bed.id, 'sleep', '100']).code, 0);
    assert.equal(readdirSync(`/proc/${readFileSync(file, 'utf8')}/fd`), ['0', '1', '2']);
    assert.match(refused(bed, '--preserve-fds', '40', bed.id, 'true'), /descriptor \d+ is not open/);
  }),
);

test(
  '--process FILE replaces the whole process, and is validated like config.json',
  onBed((bed) => {
    bed.config.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 512, hard: 1024 }];
    bed.started();
    const file = join(bed.dir, 'process.json');
    const write = (p: unknown) => writeFileSync(file, typeof p === 'string' ? p : JSON.stringify(p));
    const process = {
      user: { uid: 3, gid: 4 },
      args: ['sh', '-c', 'id -u; id -g; ulimit -n; ulimit -c; pwd; env; grep CapBnd /proc/self/status'],
      env: ['PATH=/bin', 'HOME=/x'],
      cwd: '/tmp',
    };
    write(process);
    const [uid, gid, files, , cwd, ...rest] = out(bed, '-p', file, bed.id).split('\n');
    assert.equal([uid, gid, files, cwd], ['3', '4', '512', '/tmp'], 'limits of the container where the file has none');
    assert.ok(rest.includes('CapBnd:\t0000000020000420'), 'its capabilities too');
    assert.not.ok(
      rest.some((l) => l.startsWith('TERM=')),
      'but not its environment',
    );
    write({ ...process, rlimits: [{ type: 'RLIMIT_CORE', soft: 18446744073709551615n.toString(), hard: 0 }] });
    assert.match(refused(bed, '-p', file, bed.id), / {2}at {2}\/rlimits\/0\/soft/);
    write(
      JSON.stringify({ ...process, rlimits: [{ type: 'RLIMIT_CORE', soft: 1, hard: 'W' }] })
        .replace('"W"', '18446744073709551615')
        .replace('"soft":1', '"soft":18446744073709551615'),
    );
    assert.is(out(bed, '-p', file, bed.id).split('\n')[3], 'unlimited');
    write('{"user":{},');
    assert.match(refused(bed, '-p', file, bed.id), /process\.json:1:\d+ is not JSON/);
    write({ ...process, cwd: 'relative' });
    assert.match(refused(bed, '-p', file, bed.id), / {2}at {2}\/cwd must/);
    assert.match(refused(bed, '-p', `${file}.missing`, bed.id), /ENOENT/);
    write(process);
    assert.match(refused(bed, '-p', file, bed.id, 'id'), /the file of --process has the command/);
    assert.match(refused(bed, bed.id), /process args cannot be empty/);
  }),
);

test(
  "a detached exec is a child of the caller's subreaper, and a failed one leaves no pid file",
  onBed(async (bed) => {
    bed.started();
    const file = join(bed.dir, 'pid');
    assert.match(refused(bed, '-d', '--pid-file', file, bed.id, 'missing'), /executable file not found in \$PATH/);
    assert.not.ok(existsSync(file));
    assert.is(bed.runt(['exec', '-d', '--pid-file', file, bed.id, 'sh', '-c', 'sleep 100; true']).code, 0);
    const pid = readFileSync(file, 'utf8');
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^PPid:\t1$/m);
    assert.match(
      refused(bed, '-d', '--pid-file', join(bed.dir, 'no', 'such'), bed.id, 'sleep', '99'),
      /write the pid file/,
    );
    assert.equal(pidsOf(bed).length, 3, 'init, the first exec and its sleep: what has no pid file was ended');
  }),
);

test(
  'a foreground exec forwards signals, has a pid file while it runs, and is a child of runt',
  onBed(async (bed) => {
    bed.started();
    const file = join(bed.dir, 'pid');
    const running = bed.spawn([
      'exec',
      '--pid-file',
      file,
      bed.id,
      'sh',
      '-c',
      'trap "exit 9" USR1; echo ready; while :; do sleep 0.05; done',
    ]);
    const pid = await eventually('the pid file', () => existsSync(file) && (readFileSync(file, 'utf8') || false));
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), new RegExp(`^PPid:\t${running.child.pid}$`, 'm'));
    await eventually('the trap', () => running.stdout() === 'ready\n');
    running.child.kill('SIGUSR1');
    assert.is((await running.exit).code, 9);
  }),
);

test(
  'exec in a container that ends slowly waits for its end, although its namespaces are gone before',
  onBed(async (bed) => {
    const pid = bed.started();
    // Process 1 ends when all of its pid namespace are reaped: this one has a parent outside, which stops.
    const parent = bed.spawn(['exec', bed.id, '/bin/sh', '-c', 'echo runs; exec sleep 1000']);
    await eventually('its process runs', () => parent.stdout() === 'runs\n');
    parent.child.kill('SIGSTOP');
    assert.is(bed.kill('KILL').code, 0);
    await eventually('process 1 has left its namespaces', () => !existsSync(`/proc/${pid}/ns/mnt`));
    const late = bed.spawn(['exec', bed.id, '/bin/true']);
    // Longer than exec waits for a process that nothing ends.
    await elapse(5 * endAfterExec);
    parent.child.kill('SIGCONT');
    const { code, stderr } = await late.exit;
    assert.is(code, 255);
    assert.match(stderr, /cannot exec in a stopped container/);
    assert.is((await parent.exit).code, 137);
  }),
);

test(
  'exec works in a created container, and is refused in a stopped, unknown or paused one',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '100'];
    assert.is(bed.create().code, 0);
    assert.is(out(bed, bed.id, 'echo', 'created'), 'created\n');
    assert.is(bed.start().code, 0);
    assert.is(bed.runt(['pause', bed.id]).code, 0);
    assert.match(refused(bed, bed.id, 'true'), /cannot exec in a paused container \(use --ignore-paused to override\)/);
    const waiting = bed.spawn(['exec', '--ignore-paused', bed.id, 'echo', 'thawed']);
    await eventually('its process is in the container', () => pidsOf(bed).length === 2);
    assert.is(waiting.stdout(), '', 'it waits');
    assert.is(bed.runt(['resume', bed.id]).code, 0);
    assert.is((await waiting.exit).stdout, 'thawed\n');
    assert.is(bed.kill('KILL').code, 0);
    bed.until('stopped');
    assert.match(refused(bed, bed.id, 'true'), /cannot exec in a stopped container/);
    assert.match(refused(bed, 'unknown', 'true'), /container does not exist: unknown/);
  }),
);

test(
  'the error of a program that cannot be executed has the cause',
  onBed((bed) => {
    writeFileSync(join(bed.rootfs, 'text'), 'no program');
    writeFileSync(join(bed.rootfs, 'script'), '#!/no/shell\n');
    chmodSync(join(bed.rootfs, 'script'), 0o755);
    chmodSync(join(bed.rootfs, 'text'), 0o644);
    bed.started();
    assert.match(refused(bed, bed.id, 'missing'), /exec "missing": executable file not found in \$PATH/);
    assert.match(refused(bed, bed.id, '/text'), /EACCES \(permission denied\)/);
    assert.match(refused(bed, bed.id, '/etc'), /EISDIR \(is a directory\)/);
    assert.match(refused(bed, bed.id, '/script'), /\/no\/shell/);
    assert.equal(pidsOf(bed).length, 1, 'nothing is left of them');
  }),
);

test(
  "--cgroup puts the exec into a cgroup below the container's, for all or some controllers",
  onBed((bed) => {
    bed.started();
    const dirs = (JSON.parse(readFileSync(join(bed.root, bed.id, 'state.json'), 'utf8')) as { cgroups: string[] })
      .cgroups;
    for (const dir of dirs) mkdirSync(join(dir, 'sub'));
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      for (const dir of dirs) {
        if (existsSync(join(dir, file)) && existsSync(join(dir, 'tasks')))
          writeFileSync(join(dir, 'sub', file), readFileSync(join(dir, file)));
      }
    }
    const lines = (...flags: string[]) =>
      out(bed, ...flags, bed.id, 'cat', '/proc/self/cgroup')
        .trim()
        .split('\n');
    // Hierarchies that are not mounted are in the list too.
    assert.is(lines('--cgroup', '/sub').filter((line) => line.endsWith('/sub')).length, dirs.length);
    if (existsSync(join(dirs[0]!, 'tasks'))) {
      const some = lines('--cgroup', 'memory,pids:sub');
      assert.equal(
        some
          .filter((l) => l.endsWith('/sub'))
          .map((l) => l.split(':')[1])
          .sort(),
        ['memory', 'pids'],
      );
      assert.match(refused(bed, '--cgroup', 'nosuch:sub', bed.id, 'true'), /no v1 cgroup with this controller/);
    }
    assert.match(refused(bed, '--cgroup', 'missing', bed.id, 'true'), /there is no cgroup/);
    assert.match(refused(bed, '--cgroup', '../../..', bed.id, 'true'), /has "\.\." in it/);
  }),
);

test(
  "eight concurrent execs each have their own status, and share the container's session keyring",
  onBed(async (bed) => {
    bed.started();
    const all = Array.from({ length: 8 }, (_, i) =>
      bed.spawn(['exec', bed.id, 'sh', '-c', `sleep 0.05; exit ${i + 10}`]),
    );
    const codes = await Promise.all(all.map((r) => r.exit));
    assert.equal(
      codes.map((r) => r.code),
      [10, 11, 12, 13, 14, 15, 16, 17],
    );
    const ring = (pid: number | string) => readFileSync(`/proc/${pid}/status`, 'utf8').length > 0;
    assert.ok(ring(bed.state().pid));
  }),
);

test(
  'delete --force during many execs leaves nothing, with and without a pid namespace',
  onBed(async (bed) => {
    for (const own of [true, false]) {
      if (!own) bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== 'pid');
      for (let round = 0; round < 4; round++) {
        bed.started();
        const all = Array.from({ length: 6 }, () => bed.spawn(['exec', bed.id, 'sleep', '50']));
        // The delete runs at different times relative to the execs.
        await elapse(2 * round);
        const gone = bed.runt(['delete', '--force', bed.id]);
        assert.is(gone.code, 0, gone.stderr);
        for (const r of await Promise.all(all.map((a) => a.exit))) {
          assert.ok(
            r.code === 137 || (r.code === 255 && /stopped container|does not exist/.test(r.stderr)),
            `${r.code}: ${r.stderr}`,
          );
        }
      }
    }
  }),
);

compared(
  "environment, capabilities, limits, ids and namespaces equal those of runc's exec",
  onBed((bed) => {
    const script =
      'env | sort | grep -v "^SHLVL\\|^PWD"; grep -E "^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:)" /proc/self/status; cat /proc/self/limits; pwd; cat /proc/self/oom_score_adj';
    bed.config.process.user = { uid: 7, gid: 8, additionalGids: [9], umask: 0o022 };
    bed.config.process.oomScoreAdj = 200;
    bed.config.process.env.push('A=1');
    bed.config.process.args = ['/bin/sleep', '100'];
    bed.write();
    const flags = [[], ['-u', '70:80', '-e', 'B=2', '-c', 'CAP_CHOWN', '--cwd', '/tmp', '-g', '90'], ['-u', '0']];
    const seen = ['runc', undefined].map((program) => {
      const id = `${bed.id}-${program ?? 'runt'}`;
      const o = program ? { program } : {};
      assert.is(bed.runt(['run', '-d', '--bundle', bed.bundle, id], o).code, 0);
      const texts = flags.map((f) => {
        const r = bed.runt(['exec', ...f, id, 'sh', '-c', script], o);
        assert.is(r.code, 0, r.stderr);
        return r.stdout;
      });
      assert.is(bed.runt(['delete', '-f', id], o).code, 0);
      return texts;
    });
    for (const [i, text] of seen[0]!.entries()) assert.is(seen[1]![i], text, flags[i]!.join(' '));
  }),
);

test(
  'an error names the source of the value: the command line, the file of --process, or config.json',
  onBed((bed) => {
    bed.config.process.cwd = '/tmp';
    bed.started();
    const file = join(bed.dir, 'process.json');
    const fails = (args: string[], process?: object): string => {
      if (process) writeFileSync(file, JSON.stringify(process));
      const r = bed.runt(
        ['exec', ...(process ? ['--process', file] : []), ...args.slice(0, -1), bed.id, ...args.slice(-1)].filter(
          Boolean,
        ),
      );
      assert.is(r.code, 255);
      return r.stderr;
    };
    assert.match(fails(['/none']), '\n  at  /process/args/0 in the command line  "/none"\n');
    assert.match(fails(['--cwd', '/none', '/true']), '\n  at  /process/cwd in the command line  "/none"\n');
    assert.match(
      fails(['-u', '4294967290:5', '--cwd', '/none', '/true']),
      /\n {2}at {2}\/process\/\w+ in the command line /,
    );
    const user = { uid: 0, gid: 0 };
    const from = (process: object) => fails([''], { user, cwd: '/', args: ['/true'], ...process });
    assert.match(from({ args: ['/none'] }), `\n  at  /args/0 in ${file}  "/none"\n`);
    assert.match(from({ cwd: '/none' }), `\n  at  /cwd in ${file}  "/none"\n`);
    assert.match(from({ cwd: 5 }), '\n  at  /cwd must be a string, found 5');
    const log = join(bed.dir, 'log');
    bed.runt(['--log', log, '--log-format', 'json', 'exec', bed.id, '/none']);
    assert.match(JSON.parse(readFileSync(log, 'utf8')).msg, '(at /process/args/0 in the command line)');
    // The container's own directory was removed, so the error is about the config's value.
    renameSync(join(bed.rootfs, 'tmp'), join(bed.rootfs, 'gone'));
    assert.match(fails(['/true']), '\n  at  /process/cwd in config.json  "/tmp"\n');
    assert.is(bed.delete('--force').code, 0);
  }),
);

test.run();
compared.run();
