/**
 * Each system call of runt-init fails once: the container is the same without it, or it does not run and the error is
 * reported. A call whose failure nobody notices would make a container that is less confined than its config.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { errorsOf } from '../faults/errnos.js';
import { changes, view } from '../faults/view.js';
import { type Bed, needing, onBed, type Result } from '../integration/bed/bed.js';
import { withUserNamespace } from '../integration/bed/config.js';
import { which } from '../integration/bed/needs.js';
import { programs, runtPath } from '../integration/bed/place.js';
import { leftovers } from '../leaks/leftovers.js';

// Linux 5.9: the listener's end is seen by poll(2).
const needs = ['root', 'programs', 'at-speed', 'linux-5.9'] as const;
const test = needing('each call fails', ...needs);
const chrooting = needing('each call fails in a chroot', ...needs, 'mount', 'unshare');
const ramdisk = needing('each call fails on a ramdisk', ...needs, 'mount', 'unshare', 'ramdisk');

/** Of every call that can fail, by its man page or not, beside those of test/faults. */
const errors = { EIO: 5, ENOSYS: 38 } as const;

/** Calls that have failed, each as its error and the calls around it: runs have much in common. */
const done = new Set<string>();

/** The numbers of the calls of a run that have not failed yet. */
function remaining(calls: readonly string[], error: string): number[] {
  return [...calls.keys()].filter((n) => {
    if (errorsOf(calls[n]!).every((error) => error === 'EINTR')) return false;
    const context = `${error} ${calls.slice(Math.max(0, n - 2), n + 2)}`;
    return !done.has(context) && done.add(context);
  });
}

/** A command under test; `wrapped` is to execute runt. */
type Command = (wrapped: readonly string[]) => Result;

/** Lets each call of runt-init fail in a run of the command of its own. */
function failEach(bed: Bed, command: Command): void {
  const report = join(bed.dir, 'calls');
  const run = (n: number, errno: number) => {
    const action = errno === 0 ? 'none' : String(errno);
    const result = command([join(programs, 'fail-at'), report, 'init,supervisor', 'any', String(n), action, '--']);
    const lines = readFileSync(report, 'utf8').trim().split('\n');
    return { result, calls: lines.map((line) => line.split(' ')[1] ?? line) };
  };
  const whole = run(1e9, 0);
  assert.equal([whole.result.code, whole.result.stderr], [0, '']);
  // The first one has made what is missing in the root file system.
  const { calls } = run(1e9, 0);
  for (const [error, errno] of Object.entries(errors)) {
    for (const n of remaining(calls, error)) {
      const what = `${error} at call ${n}, ${calls[n]}(2)`;
      try {
        const { result } = run(n, errno);
        if (result.code === 0) assert.equal(changes(whole.result.stdout, result.stdout), []);
        else assert.match(result.stderr, /^runt: /, `exit ${result.code}, ${result.stderr}`);
        // A command that has waited for 200 ms is a waiter, which must execute runt again to remove the container.
        if (result.stderr.includes('runt could not be executed to end the container')) bed.delete('--force');
        assert.equal(leftovers(bed.mark), []);
      } catch (error) {
        throw new Error(`${what}: ${(error as Error).message} ${(error as { details?: string }).details ?? ''}`);
      }
    }
  }
}

const running =
  (bed: Bed, ...flags: string[]): Command =>
  (wrapped) =>
    bed.sh(view, flags, { wrapped });

/** A config with most operations of runt-init. */
function withMuch(bed: Bed): void {
  const { config, dir, rootfs } = bed;
  const { process, linux, mounts } = config;
  const data = join(dir, 'data');
  // fsconfig(2) takes no value of more than 255 bytes.
  const lower = join('l'.repeat(200), 'o'.repeat(100));
  for (const name of ['data/below', lower, 'upper', 'work', 'bundle/rootfs/copied/below']) {
    mkdirSync(join(dir, name), { recursive: true });
  }
  writeFileSync(join(rootfs, 'copied/below/file'), 'x');
  if (which('setcap')) execFileSync('setcap', ['cap_net_raw+ep', join(rootfs, 'copied/below/file')]);
  symlinkSync('file', join(rootfs, 'copied/below/link'));
  writeFileSync(join(data, 'file'), 'x');
  config.root.readonly = false;
  mounts.push(
    { destination: '/data', type: 'bind', source: data, options: ['rbind', 'ro', 'rnosuid', 'nodev', 'rprivate'] },
    { destination: '/file', type: 'bind', source: join(data, 'file'), options: ['bind', 'rro'] },
    { destination: '/copied', type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup', 'mode=700', 'slave'] },
    {
      destination: '/over',
      type: 'overlay',
      source: 'overlay',
      options: [`lowerdir=${join(dir, lower)}`, `upperdir=${dir}/upper`, `workdir=${dir}/work`],
    },
  );
  process.user = { uid: 7, gid: 8, additionalGids: [9, 10], umask: 0o27 };
  process.cwd = '/data';
  process.rlimits.push({ type: 'RLIMIT_CORE', hard: 5, soft: 5 });
  config.domainname = 'example';
  linux.sysctl = { 'net.ipv4.ip_forward': '1' };
  linux.devices = [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o600, uid: 7, gid: 8 }];
  linux.seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['personality'], action: 'SCMP_ACT_ERRNO' }],
  };
  const hook = join(data, 'hook');
  writeFileSync(hook, '#!/bin/sh\nexit 0\n');
  chmodSync(hook, 0o755);
  config.hooks = { createContainer: [{ path: hook }], startContainer: [{ path: '/data/hook' }] };
}

test(
  'a default config',
  onBed((bed) => failEach(bed, running(bed))),
);

test(
  'a user namespace',
  onBed((bed) => {
    withUserNamespace(bed.config);
    failEach(bed, running(bed));
  }),
);

test(
  'mounts, hooks, devices, limits and a filter',
  onBed((bed) => {
    withMuch(bed);
    failEach(bed, running(bed));
  }),
);

test(
  'the same in a user namespace',
  onBed((bed) => {
    withMuch(bed);
    withUserNamespace(bed.config);
    bed.config.linux.devices = [];
    execFileSync('chown', ['-R', '100000:100000', bed.rootfs, join(bed.dir, 'upper'), join(bed.dir, 'work')]);
    failEach(bed, running(bed));
  }),
);

test(
  '--no-pivot',
  onBed((bed) => failEach(bed, running(bed, '--no-pivot'))),
);

test(
  'a terminal',
  onBed((bed) => {
    bed.config.process.terminal = true;
    bed.config.process.consoleSize = { width: 70, height: 20 };
    const terminal = [join(programs, 'terminal'), 'pty', '80', '24'];
    failEach(bed, (wrapped) => {
      const r = bed.sh(`${view}; stty size`, [], { wrapped: [...wrapped, ...terminal] });
      // The terminal has what runt writes to standard error, too.
      const code = Number(/^exit (\d+) /m.exec(r.stderr)?.[1]);
      return { ...r, code, stderr: code === 0 ? '' : r.stdout };
    });
  }),
);

test(
  'a container with a supervisor, and an exec in it',
  onBed((bed) => {
    // SIGKILL, since another signal could make a call fail with EINTR that waits for fail-at's answer.
    bed.config.process.args = ['/bin/sleep', '100'];
    bed.write();
    const commands = `
      perform() {
        "$@" create --supervise --bundle ${bed.bundle} ${bed.id} && "$@" start ${bed.id} &&
          "$@" exec ${bed.id} /bin/id && "$@" kill ${bed.id} KILL && "$@" wait ${bed.id}
      }
      perform "$@"
      status=$?
      "$@" delete --force ${bed.id}
      exit $status`;
    failEach(bed, (wrapped) => bed.runt([], { wrapped: [...wrapped, 'sh', '-c', commands, 'sh'] }));
  }),
);

/** A script in the place of runt: it makes a machine in a mount namespace of its own, and runs runt there. */
function onMachine(bed: Bed, enter: string): string {
  const [machine, path] = [join(bed.dir, 'machine'), join(bed.dir, 'there')];
  for (const dir of [machine, bed.root]) mkdirSync(dir);
  const make = `
    mount -t tmpfs machine '${machine}'; cd '${machine}'; mkdir -p proc sys dev tmp .${bed.bundle} .${bed.root}
    cp -a '${bed.rootfs}/bin' bin; cp '${runtPath}' runt
    mount -t proc proc proc; mount --rbind /sys sys; mount --rbind /dev dev
    mount --bind '${bed.bundle}' .${bed.bundle}; mount --bind '${bed.root}' .${bed.root}
    exec ${enter} "$@"`;
  writeFileSync(join(bed.dir, 'make'), make);
  writeFileSync(path, `#!/bin/sh\nexec unshare -m --propagation private sh -e '${bed.dir}/make' "$@"\n`, {
    mode: 0o755,
  });
  return path;
}

for (const flags of [[], ['--no-pivot']]) {
  chrooting(
    `in a chroot ${flags}`,
    onBed((bed) => {
      const program = onMachine(bed, `chroot '${bed.dir}/machine' /runt`);
      failEach(bed, (wrapped) => bed.sh(view, flags, { wrapped, program }));
    }),
  );
  ramdisk(
    `on a ramdisk ${flags}`,
    onBed((bed) => {
      // The machine is the directory /root there.
      const run = `--root /root${bed.root} run --bundle /root${bed.bundle} ${flags} ${bed.id}`;
      const inside = `mount -t proc proc /root/proc; exec /root/runt ${run}`;
      const host = `'${join(programs, 'ramdisk')}' host '${bed.dir}/machine'`;
      const program = onMachine(bed, `${host} /root/bin/sh -ec '${inside}'`);
      failEach(bed, (wrapped) => bed.sh(view, flags, { wrapped, program }));
    }),
  );
}

test.run();
chrooting.run();
ramdisk.run();
