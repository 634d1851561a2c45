/**
 * The table of docs/security.md, "Missing system calls": a container's whole life without each call, and the errors
 * that name a call and its JSON pointer. test/native/init/kernels.test.ts compares the containers.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../integration/bed/bed.js';
import { withUserNamespace } from '../integration/bed/config.js';
import { hasController } from '../integration/bed/needs.js';
import { programs, top } from '../integration/bed/place.js';
import { cgroupsNamed } from '../leaks/leftovers.js';
import { filtered, mountApi } from '../native/init/perform.js';

const test = needing('missing calls', 'root', 'programs');
const mounting = needing('missing calls and mounts', 'root', 'programs', 'mount', 'unshare');
/** Only mount_setattr(2) can make a read-only detached tmpfs, or set options recursively. */
const newer = needing('missing calls and mount_setattr', 'root', 'programs', 'unshare', 'linux-5.12');

/** The rows of the table. */
const rows = new Map<string, string>();
for (const line of readFileSync(join(top, 'docs', 'security.md'), 'utf8').split('\n')) {
  const [, call = '', what = ''] = /^\| `(\w+)` \| [\d.]+ \| ([a-z ]+) \|/.exec(line) ?? [];
  if (call) rows.set(call, what);
}
const fallsBack = [...rows].filter(([, what]) => what === 'falls back').map(([call]) => call);
const rules = (calls: readonly string[], errno: number): string[] => calls.map((call) => `${call}=${errno}`);

test('the table lists every call of runt and runt-init that is newer than the oldest supported kernel', () => {
  const numbers = new Set<string>();
  for (const dir of ['core', 'init'])
    for (const file of readdirSync(join(top, 'native', dir), { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.[ch]$/.test(name),
    ))
      for (const [, name] of readFileSync(join(top, 'native', dir, file), 'utf8').matchAll(/\b(?:NR|SYS)_(\w+?)_?\b/g))
        numbers.add(name as string);
  const calls = ['execveat', 'memfd_create', 'clone3', 'pidfd_open', 'pidfd_send_signal', 'pidfd_getfd', 'openat2'];
  calls.push(...mountApi, 'close_range', 'faccessat2', 'statx', 'epoll_pwait2', 'landlock_create_ruleset', 'statmount');
  calls.push('listmount', 'open_tree_attr', 'setxattrat', 'fchmodat2', 'mseal', 'cachestat', 'memfd_secret', 'rseq');
  assert.equal([...rows.keys()].sort(), calls.filter((call) => numbers.has(call)).sort());
});

const works = (r: { code: number | null; stderr: string }, what: string): void =>
  assert.is(r.code, 0, `${what}: ${r.stderr}`);

/** For the shell of a hook: prints descriptors that it should not have. */
const leaked = 'n=3; while [ $n -lt 64 ]; do [ -e /proc/$$/fd/$n ] && echo $n; n=$((n+1)); done; true';

/** Runs every command on a container. */
function wholeLife(bed: Bed, program: string, flags: readonly string[]): void {
  const o = { program };
  const sh = ['/bin/sh', '-c', "trap 'exit 3' TERM; while :; do sleep 0.02; done"];
  bed.config.process.args = sh;
  bed.config.hooks = {
    createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', `exec >${bed.dir}/hook; cat; ${leaked}`] }],
  };
  works(bed.create(flags, o), 'create');
  assert.match(readFileSync(join(bed.dir, 'hook'), 'utf8'), new RegExp(`^\\{.*"id":"${bed.id}".*\\}$`));
  works(bed.runt(['start', bed.id], o), 'start');
  const inside = bed.runt(['exec', bed.id, '/bin/sh', '-c', 'echo $$; readlink /proc/self/ns/mnt; exit 5'], o);
  assert.is(inside.code, 5, `exec: ${inside.stderr}`);
  const { pid } = bed.state();
  assert.is(inside.stdout.split('\n')[1], readlinkSync(`/proc/${pid}/ns/mnt`));
  works(bed.runt(['exec', '--detach', bed.id, '/bin/true'], o), 'exec --detach');
  if (existsSync('/sys/fs/cgroup/freezer') || existsSync('/sys/fs/cgroup/cgroup.controllers')) {
    works(bed.runt(['pause', bed.id], o), 'pause');
    assert.is(bed.state().status, 'paused');
    works(bed.runt(['resume', bed.id], o), 'resume');
  }
  if (hasController('pids')) {
    works(bed.runt(['update', '--pids-limit', '77', bed.id], o), 'update');
    const limits = cgroupsNamed(bed.id).map((path) => join(path, 'pids.max'));
    const set = limits.filter(existsSync).map((path) => readFileSync(path, 'utf8'));
    assert.equal([...new Set(set)], ['77\n']);
  }
  works(bed.runt(['ps', bed.id], o), 'ps');
  works(bed.runt(['kill', bed.id, 'TERM'], o), 'kill');
  if (flags.includes('--supervise')) assert.is(bed.runt(['wait', bed.id], o).stdout, '3\n');
  bed.until('stopped');
  works(bed.runt(['delete', bed.id], o), 'delete');
  bed.config.process.args = ['/bin/sh', '-c', 'echo run; exit 4'];
  delete bed.config.hooks;
  const run = bed.run([], o);
  assert.is(`${run.code} ${run.stdout}`, '4 run\n', run.stderr);
}

const lives: Record<string, readonly string[]> = Object.fromEntries(
  [...fallsBack, 'keyctl', 'io_uring_setup'].map((call) => [call, [call]]),
);
lives['all of them'] = [...fallsBack, 'move_mount', 'fspick', 'io_uring_setup'];
for (const [name, calls] of Object.entries(lives)) {
  for (const errno of name === 'keyctl' ? [38] : [1, 38]) {
    test(
      `with ${name} failing with errno ${errno}, every command of a container's life works`,
      onBed((bed) => wholeLife(bed, filtered(bed.dir, rules(calls, errno)), ['--supervise'])),
    );
  }
}

test(
  'with all of them failing, every command works in a user namespace and without a supervisor',
  onBed((bed) => {
    const program = filtered(bed.dir, rules(lives['all of them'] as string[], 1));
    wholeLife(bed, program, []);
    withUserNamespace(bed.config);
    execFileSync('chown', ['-R', '100000:100000', bed.rootfs]);
    wholeLife(bed, program, ['--supervise']);
  }),
);

/** Features without a fallback: the call, the JSON pointer, and the config that needs it. */
const refused: readonly {
  what: string;
  calls: readonly string[];
  says: RegExp;
  pointer: string;
  flags?: readonly string[];
  ask?(bed: Bed): void;
}[] = [
  {
    what: 'a recursive mount option',
    calls: ['mount_setattr'],
    says: /bind .* on \/data: ENOSYS[\s\S]*allow mount_setattr\(2\)/,
    pointer: '/mounts/7',
    ask: (bed) =>
      bed.config.mounts.push({ destination: '/data', type: 'bind', source: '/usr', options: ['rbind', 'rro'] }),
  },
  {
    what: 'a recursive mount option by mount(2)',
    calls: mountApi,
    says: /bind .* on \/data: ENOSYS[\s\S]*allow mount_setattr\(2\)/,
    pointer: '/mounts/7',
    ask: (bed) =>
      bed.config.mounts.push({ destination: '/data', type: 'bind', source: '/usr', options: ['rbind', 'rro'] }),
  },
  ...[['mount_setattr'], ['open_tree']].map((calls) => ({
    what: 'an id-mapped bind mount',
    calls,
    says: new RegExp(`ENOSYS[\\s\\S]*allow ${calls[0]}\\(2\\)`),
    pointer: calls[0] === 'open_tree' ? '/mounts/7/source' : '/mounts/7',
    ask: (bed: Bed) =>
      void bed.config.mounts.push({
        ...{ destination: '/data', type: 'bind', source: bed.dir, options: ['bind'] },
        ...{ uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }] },
        ...{ gidMappings: [{ containerID: 0, hostID: 1000, size: 1 }] },
      }),
  })),
  ...['fsopen', 'fsconfig', 'fsmount'].map((call) => ({
    what: 'an id-mapped file system',
    calls: [call],
    says: new RegExp(`mount tmpfs on /data.*: ENOSYS[\\s\\S]*allow ${call}\\(2\\)`),
    pointer: '/mounts/7',
    ask: (bed: Bed) =>
      void bed.config.mounts.push({
        ...{ destination: '/data', type: 'tmpfs', source: 'tmpfs' },
        ...{ uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }] },
        ...{ gidMappings: [{ containerID: 0, hostID: 1000, size: 1 }] },
      }),
  })),
  {
    what: 'a remount of the file system',
    calls: ['fspick'],
    says: /change the file system on \/dev: ENOSYS[\s\S]*allow fspick\(2\)[^\n]*add "bind"/,
    pointer: '/mounts/7',
    ask: (bed) =>
      bed.config.mounts.push({ destination: '/dev', type: 'tmpfs', source: 't', options: ['remount', 'ro'] }),
  },
  {
    what: 'a config without a mount namespace',
    calls: ['open_tree'],
    says: /detached mount of the root file system .*: ENOSYS/,
    pointer: '/root/path',
    ask(bed) {
      bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== 'mount');
    },
  },
  {
    what: 'moving mounts cloned by open_tree',
    calls: ['move_mount'],
    says: /make a mount of the root file system .*: ENOSYS[\s\S]*allow move_mount\(2\)/,
    pointer: '/root/path',
  },
  {
    what: 'rootfsPropagation shared without a pivot',
    calls: mountApi,
    says: /ENOSYS[\s\S]*allow open_tree\(2\)[^\n]*--no-pivot/,
    pointer: '/root/path',
    flags: ['--no-pivot'],
    ask(bed) {
      bed.config.linux.rootfsPropagation = 'shared';
    },
  },
  {
    what: 'starting runt-init without a way to hold its image',
    calls: ['memfd_create', 'fsopen', 'open@1&400000', 'openat@2&400000'], // __O_TMPFILE
    says: /start runt-init in new namespaces: ENOSYS[\s\S]*allow memfd_create\(2\)/,
    pointer: '/linux/namespaces',
  },
];

for (const { what, calls, says, pointer, flags = [], ask } of refused) {
  for (const errno of [1, 38]) {
    test(
      `without ${calls.join(', ')} (errno ${errno}), ${what} is refused with the call's name and the JSON pointer`,
      onBed((bed) => {
        ask?.(bed);
        const r = bed.sh('true', flags, { program: filtered(bed.dir, rules(calls, errno)) });
        assert.is(r.code, 1, r.stdout);
        assert.match(r.stderr, says);
        assert.match(r.stderr, new RegExp(`^ +at +${pointer} in config\\.json`, 'm'));
        assert.not.match(r.stderr, /as root/);
        assert.not.ok(existsSync(join(bed.root, bed.id)));
      }),
    );
  }
}

test(
  'with keyctl refused, a container is refused by its name, and made with --no-new-keyring',
  onBed((bed) => {
    const o = { program: filtered(bed.dir, ['keyctl=1']) };
    const r = bed.sh('true', [], o);
    assert.is(r.code, 1, r.stdout);
    assert.match(r.stderr, /join the session keyring .*: EPERM .*\n +fix +use --no-new-keyring: .* keyctl\(2\)/);
    works(bed.sh('true', ['--no-new-keyring'], o), 'run --no-new-keyring');
  }),
);

/** The executable of a container's init while it waits for start. */
function imageOf(bed: Bed, calls: readonly string[]) {
  bed.config.process.args = ['/bin/true'];
  works(bed.create(['--supervise'], { program: filtered(bed.dir, rules(calls, 1)) }), 'create');
  const { supervisor } = JSON.parse(readFileSync(join(bed.root, bed.id, 'state.json'), 'utf8'));
  const parent = statSync(`/proc/${supervisor.pid}/exe`);
  const exe = `/proc/${bed.state().pid}/exe`;
  const { dev, ino, nlink, mode } = statSync(exe);
  const path = readlinkSync(exe);
  const kept = openSync(exe, 0o10000000); // O_PATH
  const running = written(exe);
  works(bed.delete('--force'), 'delete');
  const ended = written(`/proc/self/fd/${kept}`);
  closeSync(kept);
  return { shared: parent.dev === dev && parent.ino === ino, nlink, mode: mode & 0o777, running, ended, path };
}

/** The errno of an attempt to write to a file; '' if it succeeds. */
function written(path: string): string {
  try {
    closeSync(openSync(path, 'r+'));
    return '';
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

newer(
  'without memfd_create, runt-init runs from a read-only, detached tmpfs',
  onBed((bed) => {
    const { running, ended, path } = imageOf(bed, ['memfd_create']);
    assert.equal({ running, ended, path }, { running: 'ETXTBSY', ended: 'EROFS', path: '/runt-init' });
  }),
);

test(
  'without the mount API too, runt-init runs from an unlinked file of its own that cannot be written',
  onBed((bed) => {
    const calls = ['memfd_create', ...mountApi];
    const { shared, nlink, mode, running, path } = imageOf(bed, calls);
    assert.equal({ shared, nlink, mode, running }, { shared: false, nlink: 0, mode: 0o500, running: 'ETXTBSY' });
    assert.match(path, / \(deleted\)$/);
  }),
);

test(
  "without memfd_create, a hook's state and the seccomp filter use other files",
  onBed((bed) => {
    const program = filtered(bed.dir, ['memfd_create=1']);
    bed.config.hooks = { poststart: [{ path: '/bin/sh', args: ['sh', '-c', `cat >${bed.dir}/hook`] }] };
    bed.config.linux.seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 77 }],
    };
    bed.config.root.readonly = false;
    bed.config.process.args = ['/bin/sh', '-c', 'mkdir /x && echo made; grep Seccomp: /proc/self/status'];
    const r = bed.run([], { program });
    assert.is(r.code, 0, r.stderr);
    assert.is(r.stdout, 'Seccomp:\t2\n');
    assert.is(JSON.parse(readFileSync(join(bed.dir, 'hook'), 'utf8')).status, 'running');
  }),
);

for (const errno of [1, 38]) {
  test(
    `without pidfd_open (errno ${errno}), events and sd_notify of start fail and name the call`,
    onBed((bed) => {
      const program = filtered(bed.dir, rules(['pidfd_open'], errno));
      bed.config.process.args = ['/bin/sleep', '1000'];
      const env = { PATH: process.env.PATH ?? '', NOTIFY_SOCKET: join(bed.dir, 'notify') };
      works(bed.create([], { env }), 'create');
      for (const [args, o] of [
        [['start', bed.id], { program, env }],
        [['events', bed.id], { program }],
      ] as const) {
        const r = bed.runt(args, o);
        assert.is(r.code, 1, args.join(' '));
        assert.match(r.stderr, /open process \d+: ENOSYS .*\n +fix +allow pidfd_open\(2\)/);
        if (args[0] === 'start') works(bed.runt(['start', bed.id]), 'start');
      }
      works(bed.delete('--force'), 'delete');
    }),
  );
}

mounting(
  "by mount(2), a bind mount keeps the source's flags that the config does not set, and the host sees no mount",
  onBed((bed) => {
    const [source, below] = [join(bed.dir, 'source'), join(bed.dir, 'source', 'below')];
    mkdirSync(below, { recursive: true });
    writeFileSync(join(source, 'file'), '');
    symlinkSync('file', join(source, 'link'));
    bed.config.mounts.push({ destination: '/data', type: 'bind', source, options: ['rbind', 'nodev'] });
    bed.config.process.args = ['/bin/sh', '-c', 'grep " /data" /proc/self/mountinfo | cut -d" " -f5,6; cat /data/link'];
    bed.write();
    const before = readFileSync('/proc/self/mountinfo', 'utf8');
    const flags = 'bind,nosymfollow,noexec,nosuid,nodiratime,strictatime';
    const script = `mount --bind ${source} ${source} && mount -o remount,${flags} ${source} && mount -t tmpfs -o noexec t ${below} && exec "$@"`;
    const run = (program: string): string => {
      const args = ['-m', '--propagation', 'private', 'sh', '-c', script, 'sh', program, '--root', bed.root];
      return spawnSync('unshare', [...args, 'run', '--bundle', bed.bundle, bed.id], { encoding: 'utf8' }).stdout;
    };
    const expected = run(filtered(bed.dir, ['keyctl=38']));
    assert.match(expected, /^\/data rw,nosuid,nodev,nodiratime,nosymfollow\n\/data\/below rw,noexec,relatime\n$/);
    assert.is(run(filtered(bed.dir, rules(mountApi, 1))), expected);
    assert.is(readFileSync('/proc/self/mountinfo', 'utf8'), before);
  }),
);

mounting(
  'by mount(2) with shared host mounts, the staging directory is visible neither on the host nor in a bind of /',
  onBed((bed) => {
    bed.config.mounts.push({ destination: '/host', type: 'bind', source: '/', options: ['rbind'] });
    bed.config.linux.rootfsPropagation = 'rshared';
    bed.config.process.args = ['/bin/sh', '-c', 'grep -c "tmpfs runt" /proc/self/mountinfo; ls /host/proc/fs | wc -l'];
    bed.write();
    const program = filtered(bed.dir, rules(mountApi, 1));
    const script = 'mount --make-rshared / && ls /proc/fs | wc -l && "$@"; grep -c "tmpfs runt" /proc/self/mountinfo';
    const args = ['-m', '--propagation', 'private', 'sh', '-c', script, 'sh', program, '--root', bed.root];
    const r = spawnSync('unshare', [...args, 'run', '--bundle', bed.bundle, bed.id], { encoding: 'utf8' });
    const [entries, ...rest] = r.stdout.trim().split('\n');
    assert.equal(rest, ['0', entries, '0'], r.stderr);
  }),
);

newer(
  "by mount(2), the shim's root file systems are the same, or refused",
  onBed((bed) => {
    const [source, target] = [join(bed.dir, 'source'), join(bed.dir, 'target')];
    for (const dir of [source, target, join(bed.dir, 'upper'), join(bed.dir, 'work')]) mkdirSync(dir);
    const program = `
      const koffi = require('koffi');
      const lib = koffi.load(process.env.RUNT_LIBRARY);
      const mountFs = lib.func('int32_t runt_mountFs(const char *, const char *, uint8_t *, uint32_t, int32_t, const char *)');
      const bind = lib.func('int32_t runt_mountBind(const char *, int32_t, int32_t, const char *)');
      const [source, target, dir] = process.argv.slice(1);
      const fs = (type, from, list, attrs) => {
        const options = Buffer.from(list.map((o) => o + '\\0').join(''));
        return mountFs(type, from, options, options.length, attrs, target);
      };
      const shown = () => require('fs').readFileSync('/proc/self/mountinfo', 'utf8').split('\\n').flatMap((line) => {
        const [, , , root, at, flags] = line.split(' ');
        // An overlay may show that it has found a uuid.
        return at === target ? [[root, flags, line.split(' - ')[1].replace(',uuid=on', '')]] : [];
      });
      const overlay = ['lowerdir=' + source, 'upperdir=' + dir + '/upper', 'workdir=' + dir + '/work'];
      const results = [
        fs('tmpfs', 't', ['size=64k', 'ro'], 1 | 4),
        bind(source, 0, 1 | 8 | 0x10, target),
        bind(source, 1, 0, target),
        bind(source, 1, 1, target),
        fs('overlay', 'overlay', overlay, 2),
      ];
      console.log(JSON.stringify({ results, mounts: shown() }));`;
    const run = (calls: readonly string[]) => {
      const node = [process.execPath, '-e', program, source, target, bed.dir];
      const args = ['-m', '--propagation', 'private', join(programs, 'filter'), ...rules(calls, 1), '--', ...node];
      const r = spawnSync('unshare', args, { encoding: 'utf8' });
      assert.is(r.status, 0, r.stderr);
      return JSON.parse(r.stdout) as { results: number[]; mounts: [string, string, string][] };
    };
    const expected = run(['keyctl']);
    assert.equal(expected.results, [0, 0, 0, 0, 0]);
    for (const calls of [mountApi, ['fsopen', 'open_tree'], ['move_mount'], ['fsmount', 'move_mount']]) {
      const { results, mounts } = run(calls);
      // A recursive read-only mount has no fallback.
      assert.equal(results, [0, 0, 0, -38, 0], calls.join());
      assert.equal(
        mounts,
        expected.mounts.filter((_, i) => i !== 3),
        calls.join(),
      );
    }
  }),
);

test.run();
mounting.run();
newer.run();
