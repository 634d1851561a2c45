/** spawnInit on the kernel: runt-init, seen from outside while it waits for its plan. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { E } from '../../../src/sys/errno.js';
import { native } from '../../../src/sys/host.js';
import { CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS } from '../../../src/sys/linux.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { DEADLINE } from '../../deadline.js';
import { needing } from '../../integration/bed/needs.js';

const mounting = needing('memfd_noexec', 'root', 'mount', 'unshare');

useNodeHost([]);
const isRoot = process.geteuid?.() === 0;
const ints = (...values: number[]): Uint8Array => new Uint8Array(new Int32Array(values).buffer);

interface Child {
  pid: number;
  pidfd: number;
  sync: number;
  status(name: string): string;
  /** Closes the sync socket and reaps the child. */
  end(): void;
}

function spawn(flags: number, keep: number[] = [], cgroup = -1, stdio: number[] = []): Child {
  const pair = new Uint8Array(16);
  native.socketPair(pair);
  const [ours, theirs] = Array.from(new BigInt64Array(pair.buffer), Number) as [number, number];
  const out = new Uint8Array(16);
  const pid = native.spawnInit(BigInt(flags), theirs, ints(...stdio), ints(...keep), cgroup, out);
  native.close(theirs);
  if (pid < 0) {
    native.close(ours);
    throw new Error(`spawnInit: ${pid}`);
  }
  const pidfd = Number(new BigInt64Array(out.buffer)[0]);
  // clone returns when the child has left our memory, shortly before its exec is complete, when the arguments are set.
  while (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('runt-init')) native.ready(new Uint8Array(4), 1);
  return {
    pid,
    pidfd,
    sync: theirs,
    status: (name) => new RegExp(`^${name}:\\t(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '',
    end() {
      native.close(ours);
      native.watch(pidfd, 1);
      assert.is(native.ready(new Uint8Array(4), DEADLINE), 1, 'it ends with the runtime');
      assert.is(native.waitPidfd(pidfd, new Uint8Array(16)), 1);
      native.close(pidfd);
    },
  };
}

function namespace(pid: number | 'self', kind: string): string {
  return readlinkSync(`/proc/${pid}/ns/${kind}`);
}

test('runt-init is our child, named by its argument, with an empty environment', () => {
  const child = spawn(0);
  assert.is(child.status('PPid'), String(process.pid));
  assert.is(readFileSync(`/proc/${child.pid}/cmdline`, 'utf8'), `runt-init\0${child.sync}\0`);
  assert.is(readFileSync(`/proc/${child.pid}/environ`, 'utf8'), '');
  child.end();
});

test('no signal is blocked, ignored or caught, even if the parent does so', () => {
  process.on('SIGUSR1', () => {});
  const blocked = native.signalFd(1n << 11n);
  const child = spawn(0);
  assert.match(child.status('SigBlk'), /^0+$/);
  assert.match(child.status('SigCgt'), /^0+$/);
  // runt-init itself ignores SIGPIPE.
  assert.match(child.status('SigIgn'), /^0*(1000)?$/);
  // Here SIGUSR1 is caught and SIGUSR2 blocked.
  assert.match(readFileSync('/proc/thread-self/status', 'utf8'), /^SigBlk:\t0*800$/m);
  child.end();
  native.close(blocked);
});

test('runt-init has stdio, the sync socket and the listed descriptors, and others only without close-on-exec', () => {
  const [kept, other] = [openSync('/dev/null', 'r'), openSync('/dev/zero', 'r')];
  const child = spawn(0, [kept]);
  const links = readdirSync(`/proc/${child.pid}/fd`).map((fd) => readlinkSync(`/proc/${child.pid}/fd/${fd}`));
  assert.ok(readdirSync(`/proc/${child.pid}/fd`).includes(String(child.sync)));
  assert.is(readlinkSync(`/proc/${child.pid}/fd/${kept}`), '/dev/null');
  assert.not.ok(links.includes('/dev/zero'));
  assert.not.ok(
    links.some((l) => l.startsWith('/memfd:')),
    'the image itself is closed',
  );
  // Our descriptor keeps close-on-exec: the child's table is its own.
  assert.match(readFileSync(`/proc/self/fdinfo/${kept}`, 'utf8'), /flags:\s+02/);
  child.end();
  closeSync(kept);
  closeSync(other);
});

test("its stdio is the given descriptors, in any order, and no longer this process's", () => {
  const [one, other] = [openSync('/dev/zero', 'r'), openSync('/dev/full', 'r')];
  const child = spawn(0, [], -1, [other, 0, one]);
  const link = (fd: number) => readlinkSync(`/proc/${child.pid}/fd/${fd}`);
  assert.equal([link(0), link(1), link(2)], ['/dev/full', readlinkSync('/proc/self/fd/0'), '/dev/zero']);
  const links = readdirSync(`/proc/${child.pid}/fd`).map((fd) => link(Number(fd)));
  assert.is(links.filter((l) => l === '/dev/full' || l === '/dev/zero').length, 2, 'no copy is left');
  child.end();
  closeSync(one);
  closeSync(other);
});

test('CVE-2019-5736: runt-init runs from a memfd that cannot be written', () => {
  const child = spawn(0);
  assert.match(readlinkSync(`/proc/${child.pid}/exe`), /^\/memfd:runt-init \(deleted\)$/);
  assert.throws(() => openSync(`/proc/${child.pid}/exe`, 'r+'), /ETXTBSY|EPERM|EACCES/);
  child.end();
  // Also when no process runs it: the seals stay on the descriptor that this process caches.
  const fd = readdirSync('/proc/self/fd').find((n) => {
    try {
      return readlinkSync(`/proc/self/fd/${n}`).startsWith('/memfd:runt-init');
    } catch {
      return false;
    }
  });
  assert.ok(fd !== undefined);
  assert.is(native.writeFile(-100, `/proc/self/fd/${fd}`, 0, 0, new Uint8Array(1)), -E.EPERM);
});

if (isRoot) {
  test('the requested namespaces are new, and the others ours', () => {
    const child = spawn(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWPID);
    for (const kind of ['mnt', 'uts']) assert.is.not(namespace(child.pid, kind), namespace('self', kind));
    for (const kind of ['net', 'ipc', 'user']) assert.is(namespace(child.pid, kind), namespace('self', kind));
    assert.match(child.status('NSpid'), /\t1$/);
    child.end();
  });

  test('clone puts the child into a v2 cgroup', () => {
    const line = /^\S+ \S+ \S+ \/ (\S+) .* - cgroup2 /m.exec(readFileSync('/proc/self/mountinfo', 'utf8'));
    if (!line) {
      process.stdout.write('# note: no cgroup2 mount, CLONE_INTO_CGROUP not tried\n');
      return;
    }
    const path = `${line[1]}/runt-spawn-${process.pid}`;
    mkdirSync(path);
    const fd = openSync(path, 'r');
    const child = spawn(0, [], fd);
    assert.is(readFileSync(`${path}/cgroup.procs`, 'utf8'), `${child.pid}\n`);
    child.end();
    closeSync(fd);
    rmdirSync(path);
  });

  mounting('runt-init starts with vm.memfd_noexec=2', () => {
    // The sysctl belongs to the pid namespace: a new one, so that the machine's does not change.
    const program = `
      const koffi = require('koffi');
      const lib = koffi.load(process.env.RUNT_LIBRARY);
      const spawn = lib.func('int32_t runt_spawnInit(int64_t, int32_t, uint8_t *, uint32_t, uint8_t *, uint32_t, int32_t, uint8_t *, uint32_t)');
      const pair = new BigInt64Array(2);
      lib.func('int32_t runt_socketPair(uint8_t *, uint32_t)')(new Uint8Array(pair.buffer), 16);
      const pid = spawn(0, Number(pair[1]), new Uint8Array(0), 0, new Uint8Array(0), 0, -1, new Uint8Array(16), 16);
      console.log(pid > 0 ? require('fs').readlinkSync('/proc/' + pid + '/exe') : pid);`;
    const script = 'mount -t proc proc /proc && echo 2 >/proc/sys/vm/memfd_noexec && "$0" -e "$1"';
    const args = ['-mpf', '--propagation', 'private', 'sh', '-c', script, process.execPath, program];
    assert.match(
      execFileSync('unshare', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }),
      /runt-init/,
    );
  });
}

test('in a new user namespace runt-init has every capability, also ambient, before its ids are mapped', () => {
  let child: Child;
  try {
    child = spawn(CLONE_NEWUSER);
  } catch (error) {
    // Old Debian kernels, and hardened ones, forbid this to ordinary users.
    if (!isRoot && /-(1|28|13)$/.test((error as Error).message)) return;
    throw error;
  }
  const all = child.status('CapPrm');
  assert.ok(Number.parseInt(all, 16) > 2 ** 38, all);
  for (const name of ['CapEff', 'CapInh', 'CapAmb']) assert.is(child.status(name), all, name);
  assert.is(readFileSync(`/proc/${child.pid}/uid_map`, 'utf8'), '');
  child.end();
});

test('an error before the exec is reported, and no child is left', () => {
  const out = new Uint8Array(16);
  assert.is(native.spawnInit(0n, 0, new Uint8Array(0), ints(9999), -1, out), -E.EBADF);
  assert.is(readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8'), '');
});

test.run();
mounting.run();
