/** Advisories of container runtimes, each tried on the static binary. Live attackers are in live-attacks.test.ts. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { mountFs } from '../../src/plan/mounts/mount-op.js';
import type { Op } from '../../src/plan/plan-ops.js';
import { COMMAND_LIMIT } from '../deadline.js';
import { type Bed, type CommandOptions, needing, onBed } from '../integration/bed/bed.js';
import { withUserNamespace } from '../integration/bed/config.js';
import { runtPath, weakCommand } from '../integration/bed/place.js';
import { andRun, errorOf, intoRoot, onGround, perform } from '../native/init/perform.js';

const test = needing('advisories', 'root', 'programs');
const otherUser = needing('advisories with another user', 'root', 'programs', 'open-checkout');
const [EPERM, EINVAL] = [1, 22];

/** Runs the container with descriptors from 3 on that the caller leaks. */
function runLeaking(bed: Bed, fds: number[], ...flags: string[]) {
  bed.write();
  const args = ['--root', bed.root, 'run', '--bundle', bed.bundle, ...flags, bed.id];
  return spawnSync(runtPath, args, {
    stdio: ['ignore', 'pipe', 'pipe', ...fds],
    timeout: COMMAND_LIMIT,
    encoding: 'utf8',
  });
}

test(
  'CVE-2016-9962: a waiting runt-init is not dumpable and has no descriptor of the host',
  onBed((bed) => {
    bed.config.process.user = { uid: 1000, gid: 1000 };
    assert.is(bed.create().code, 0);
    const { pid } = bed.state();
    // The files of a process that is not dumpable belong to root.
    assert.is(statSync(`/proc/${pid}/environ`).uid, 0);
    for (const [command, file] of [
      ['ls', 'fd/'],
      ['ls', 'root/'],
      ['ls', 'cwd/'],
      ['cat', 'exe'],
      ['cat', 'environ'],
      ['cat', 'mem'],
    ] as const) {
      const r = spawnSync(command, [`/proc/${pid}/${file}`], { uid: 1000, gid: 1000, encoding: 'utf8' });
      assert.is.not(r.status, 0, file);
      assert.match(r.stderr, 'Permission denied');
    }
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      const target = readlinkSync(`/proc/${pid}/fd/${fd}`);
      if (Number(fd) < 3) assert.match(target, `${bed.dir}/call-`);
      else assert.match(target, /^socket:/, `descriptor ${fd}`);
    }
    assert.is(bed.start().code, 0);
    bed.until('stopped');
    assert.is(bed.delete().code, 0);
  }),
);

test(
  'CVE-2019-5736: /proc/self/exe is not a host file, and cannot be written even after its process has ended',
  onBed((bed) => {
    const before = readFileSync(runtPath);
    assert.is(bed.create().code, 0);
    const { pid } = bed.state();
    const exe = readlinkSync(`/proc/${pid}/exe`);
    assert.match(exe, /^\/memfd:.* \(deleted\)$/);
    const fd = openSync(`/proc/${pid}/exe`, 'r');
    assert.throws(() => openSync(`/proc/${pid}/exe`, 'r+'), /ETXTBSY/);
    assert.is(bed.delete('--force').code, 0);
    // The attack: keep it open, wait for its end, open it again for writing.
    const again = openSync(`/proc/self/fd/${fd}`, 'r+');
    assert.throws(() => writeSync(again, '#!/evil\n'), /EPERM/);
    closeSync(again);
    closeSync(fd);
    assert.equal(readFileSync(runtPath), before);
  }),
);

test(
  'CVE-2019-5736: an image whose program is /proc/self/exe executes runt-init, and finds no host path',
  onBed((bed) => {
    writeFileSync(join(bed.rootfs, 'evil'), '#!/proc/self/exe\n');
    chmodSync(join(bed.rootfs, 'evil'), 0o755);
    for (const args of [['/evil'], ['/proc/self/exe']]) {
      bed.config.process.args = args;
      assert.is(bed.run().code, 1);
    }
    assert.match(bed.out('readlink /proc/1/exe; readlink /proc/self/exe'), /^\/bin\/\w+\n\/bin\/\w+\n$/);
  }),
);

for (const at of ['proc', 'sys']) {
  test(
    `CVE-2019-19921, CVE-2023-27561, CVE-2025-54867: a symlink at /${at} of the image is refused`,
    onBed((bed) => {
      const host = join(bed.dir, 'host');
      mkdirSync(host);
      mkdirSync(join(bed.rootfs, 'elsewhere'));
      for (const target of ['/elsewhere', 'elsewhere', host, '/nowhere']) {
        rmSync(join(bed.rootfs, at), { recursive: true });
        symlinkSync(target, join(bed.rootfs, at));
        const r = bed.run();
        assert.is(r.code, 1, r.stderr);
        assert.match(r.stderr, new RegExp(`on /${at}: ELOOP`));
        assert.match(r.stderr, 'replace the symbolic links');
        assert.match(r.stderr, 'must be mounted on ordinary directory');
      }
      assert.equal([readdirSync(host), readdirSync(join(bed.rootfs, 'elsewhere'))], [[], []]);
    }),
  );
}

test(
  'CVE-2019-18837, CVE-2026-41579: no node is made through a symlink at /dev to the host',
  onBed((bed) => {
    const host = join(bed.dir, 'host');
    mkdirSync(host);
    rmSync(join(bed.rootfs, 'dev'), { recursive: true });
    symlinkSync(host, join(bed.rootfs, 'dev'));
    bed.config.root.readonly = false;
    bed.out('ls -l /dev/');
    bed.config.mounts = bed.config.mounts.filter((m) => !m.destination.startsWith('/dev'));
    bed.out('ls -l /dev/');
    assert.equal(readdirSync(host), []);
    assert.ok(readdirSync(join(bed.rootfs, host)).includes('ptmx'));
  }),
);

otherUser(
  'CVE-2020-15257: only the owner can connect to the socket of start',
  onBed((bed) => {
    assert.is(bed.create().code, 0);
    const socket = join(bed.root, bed.id, 'start.sock');
    assert.is(statSync(socket).mode & 0o7777, 0o600);
    assert.is(statSync(join(bed.root, bed.id)).mode & 0o7777, 0o700);
    assert.not.match(readFileSync('/proc/net/unix', 'utf8'), `@${bed.root}`);
    // Even a peer that can connect to the socket cannot start the container.
    for (const path of [bed.root, join(bed.root, bed.id)]) chmodSync(path, 0o755);
    chmodSync(socket, 0o666);
    const say = `require('node:net').connect(${JSON.stringify(socket)}).on('close', () => console.log('closed')).resume()`;
    const peer = spawnSync(process.execPath, ['-e', say], {
      uid: 1000,
      gid: 1000,
      timeout: COMMAND_LIMIT,
      encoding: 'utf8',
    });
    assert.is(peer.stdout, 'closed\n', peer.stderr);
    assert.is(bed.state().status, 'created');
    assert.is(bed.start().code, 0);
    bed.until('stopped');
    assert.is(bed.delete().code, 0);
  }),
);

test(
  'CVE-2022-29162, CVE-2022-27650, CVE-2025-27612: only listed capabilities are inheritable',
  onBed((bed) => {
    const inheritable = () => /CapInh:\s*(\w+)/.exec(bed.out('cat /proc/self/status'))?.[1];
    delete bed.config.process.capabilities.ambient;
    assert.is(inheritable(), '0000000000000000');
    bed.config.process.user = { uid: 1000, gid: 1000 };
    assert.is(inheritable(), '0000000000000000');
    withUserNamespace(bed.config);
    chmodSync(bed.rootfs, 0o755);
    assert.is(inheritable(), '0000000000000000');
  }),
);

test(
  'CVE-2019-16884, CVE-2025-52881: a sysctl is written to the real procfs, not to a fake /proc of the image',
  onBed((bed) => {
    const fake = join(bed.dir, 'fake');
    mkdirSync(join(fake, 'sys/net/ipv4'), { recursive: true });
    writeFileSync(join(fake, 'sys/net/ipv4/ip_forward'), 'fake');
    symlinkSync('/proc/sysrq-trigger', join(fake, 'sys/net/ipv4/ip_default_ttl'));
    bed.config.mounts = bed.config.mounts.filter((m) => m.destination !== '/proc');
    bed.config.mounts.push(
      { destination: '/proc', type: 'bind', source: fake, options: ['bind'] },
      { destination: '/real', type: 'proc', source: 'proc' },
    );
    bed.config.linux.maskedPaths = [];
    bed.config.linux.readonlyPaths = [];
    bed.config.linux.sysctl = { 'net.ipv4.ip_forward': '1', 'net.ipv4.ip_default_ttl': '63' };
    const seen = bed.out('cd /real/sys/net/ipv4; cat ip_forward ip_default_ttl; cat /proc/sys/net/ipv4/ip_forward');
    assert.is(seen, '1\n63\nfake');
  }),
);

test(
  "CVE-2025-52881: the path of a sysctl's key cannot leave /proc/sys",
  onGround(async ({ rootfs }) => {
    const before = readFileSync('/proc/sys/kernel/panic', 'utf8');
    for (const filter of [undefined, ['openat2=38']]) {
      for (const key of ['../sysrq-trigger', 'kernel/../../sysrq-trigger', '..', '../../etc/passwd']) {
        const sysctl: Op = { op: 'sysctl', at: '', key, value: 'h' };
        const error = errorOf(await perform([...intoRoot(rootfs), sysctl], filter ? { filter } : {}));
        assert.equal([error.index, error.errno], [4, EINVAL], key);
      }
    }
    assert.is(readFileSync('/proc/sys/kernel/panic', 'utf8'), before);
  }),
);

test(
  "CVE-2023-25809: the host's cgroup file systems are not writable in a user namespace",
  onBed((bed) => {
    withUserNamespace(bed.config);
    const mount = bed.config.mounts.find((m) => m.type === 'cgroup');
    if (mount) mount.options = ['nosuid', 'noexec', 'nodev'];
    const tried = bed.out(
      'for d in /sys/fs/cgroup/*; do [ -d $d ] && { mkdir $d/x 2>/dev/null && echo "$d made"; ' +
        '{ echo 1 >$d/notify_on_release; } 2>/dev/null && echo "$d written"; }; done; true',
    );
    assert.is(tried, '');
  }),
);

/** Mounts of cgroups that a rootless container without a cgroup namespace sees, as lines of mountinfo. */
function rootlessCgroups(bed: Bed, o: CommandOptions = {}): string[] {
  bed.config.linux.namespaces.push({ type: 'user' });
  bed.config.linux.uidMappings = [{ containerID: 0, hostID: 1000, size: 1 }];
  bed.config.linux.gidMappings = [{ containerID: 0, hostID: 1000, size: 1 }];
  bed.config.linux.resources = {};
  for (const m of bed.config.mounts) if (m.options) m.options = m.options.filter((o) => o !== 'gid=5');
  const mount = bed.config.mounts.find((m) => m.type === 'cgroup');
  if (mount) mount.options = ['nosuid', 'noexec', 'nodev'];
  chownSync(bed.dir, 1000, 1000);
  const r = bed.sh("grep ' - cgroup' /proc/self/mountinfo", [], { ...o, uid: 1000, gid: 1000 });
  assert.is(r.code, 0, r.stderr);
  return r.stdout.trim().split('\n');
}

otherUser(
  'CVE-2023-25809: they are read-only for a rootless container without a cgroup namespace',
  onBed((bed) => {
    for (const line of rootlessCgroups(bed)) assert.match(line, / \/sys\/fs\/cgroup\/?\S* ro,/);
  }),
);

otherUser(
  'CVE-2023-25809: on a runt without that rule they are writable',
  onBed((bed) => {
    const lines = rootlessCgroups(bed, weakCommand('cgroups'));
    assert.ok(
      lines.some((line) => / \/sys\/fs\/cgroup\/?\S* rw,/.test(line)),
      lines.join('\n'),
    );
  }),
);

for (const [name, cwd] of [
  ['on a descriptor that the caller leaked', '/proc/self/fd/3'],
  ['on one of many leaked descriptors', '/proc/self/fd/7'],
  ['behind a symlink of the image to a leaked descriptor', '/evil'],
  ['below a leaked descriptor', '/proc/self/fd/3/etc'],
  ['on a descriptor of init', '/proc/1/fd/3'],
]) {
  test(
    `CVE-2024-21626: a working directory ${name} is refused`,
    onBed((bed) => {
      symlinkSync('/proc/self/fd/3', join(bed.rootfs, 'evil'));
      bed.config.process.cwd = cwd ?? '';
      bed.config.process.args = ['/bin/cat', './etc/hostname', '../../etc/hostname'];
      const host = openSync('/', 'r');
      try {
        for (const flags of [[], ['--preserve-fds', '5']]) {
          const r = runLeaking(bed, [host, host, host, host, host], ...flags);
          assert.is(r.status, 1, r.stderr);
          assert.is(r.stdout, '');
          assert.match(r.stderr, '/process/cwd');
        }
      } finally {
        closeSync(host);
      }
    }),
  );
}

test(
  'CVE-2024-21626: runt-init refuses a working directory outside by a descriptor of any number',
  onGround(async ({ rootfs }) => {
    const proc = mountFs({ at: '', target: '/proc', fstype: 'proc', source: 'proc', options: [], attrs: 0 });
    // Descriptors of runt-init's own are tried too: the root in which it resolves, the host's procfs.
    for (let fd = 0; fd < 10; fd++) {
      const ops: Op[] = [...intoRoot(rootfs), proc, ...andRun('ls')];
      const at = ops.findIndex((op) => op.op === 'cwd');
      ops[at] = { op: 'cwd', at: '', path: `/proc/self/fd/${fd}`, optional: false };
      const outcome = await perform(ops);
      // Only the container's own root is accepted.
      if (outcome.reports[0]?.[0] === 'exec') assert.match(outcome.stdout, /^bin\ndev\netc\n/);
      else assert.is(errorOf(outcome).index, at);
    }
  }),
);

test(
  'CVE-2026-30892, CVE-2024-40635: an id that does not fit is refused, never truncated to 0',
  onGround(async ({ rootfs }) => {
    const user = (uid: number | bigint, gid: number | bigint, groups: bigint[]): Op => ({
      op: 'user',
      at: '',
      uid,
      gid,
      groups,
      setGroups: true,
      groupsOptional: false,
    });
    for (const op of [
      user(2n ** 32n, 1000, []),
      user(2n ** 32n - 1n, 1000, []),
      user(1000, 2n ** 32n, []),
      user(-1, 1000, []),
      user(1000, 1000, [2n ** 32n]),
      user(1000, 1000, [2n ** 32n - 1n]),
      user(1000, 1000, [5n, -1n]),
    ]) {
      assert.is(errorOf(await perform([...intoRoot(rootfs), op])).errno, EINVAL);
    }
    const device = (major: number, minor: number): Op => ({
      op: 'device',
      at: '',
      path: '/node',
      type: 'c',
      major,
      minor,
      mode: 0o666,
      uid: 0,
      gid: 0,
      bind: false,
    });
    // mknod(2) would truncate 4097:3 to 1:3.
    for (const op of [device(4097, 3), device(1, 2 ** 20 + 3)]) {
      assert.is(errorOf(await perform([...intoRoot(rootfs), op])).errno, EINVAL);
    }
  }),
);

test(
  'a FIFO is never bind-mounted from the host, and a device with another number does not stay mounted',
  onGround(async ({ rootfs, dir }) => {
    const node = (path: string, type: string): Op => ({
      op: 'device',
      at: '',
      path,
      type,
      major: 1,
      minor: 3,
      mode: 0o600,
      uid: 5,
      gid: 6,
      bind: false,
    });
    spawnSync('mkfifo', [join(dir, 'fifo')]);
    const forbidden = errorOf(
      await perform([...intoRoot(rootfs), node(join(dir, 'fifo'), 'p')], { filter: ['mknodat=1'] }),
    );
    assert.equal([forbidden.errno, forbidden.syscall], [EPERM, 'mknod']);
    spawnSync('mknod', [join(rootfs, 'dev/null'), 'c', '1', '5']);
    const there = await perform([...intoRoot(rootfs), node('/dev/null', 'c'), ...andRun('ls -ln /dev/null')]);
    assert.match(there.stdout, / 1, +3 /);
    const made = await perform([...intoRoot(rootfs), node('/made', 'c'), ...andRun('ls -ln /made')]);
    assert.match(made.stdout, /^crw------- +1 5 +6 +1, +3 /);
  }),
);

test.run();
otherUser.run();
