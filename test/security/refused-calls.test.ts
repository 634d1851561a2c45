/**
 * System calls that a seccomp filter refuses (an old engine's profile around runt): runt works without them, or names
 * the call at once.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, eventually, needing, onBed } from '../integration/bed/bed.js';
import { programs } from '../integration/bed/place.js';

const filter = join(programs, 'filter');
const test = needing('refused calls', 'root', 'programs', 'unshare');
/** False for a zombie. */
const alive = (pid: number): boolean => {
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : ') Z';
  return stat[stat.lastIndexOf(')') + 2] !== 'Z';
};

const all = ['pidfd_open', 'pidfd_send_signal', 'openat2'];
for (const errno of ['1', '38']) {
  for (const calls of errno === '1' ? [['pidfd_open'], ['pidfd_send_signal'], all] : [all]) {
    const wrapped = [filter, ...calls.map((call) => `${call}=${errno}`), '--'];
    const name = `without ${calls.join(', ')} (errno ${errno})`;

    test(
      `${name}, delete --force ends the container`,
      onBed((bed) => {
        const pid = bed.started();
        const r = bed.runt(['delete', '--force', bed.id], { wrapped });
        assert.is(r.code, 0, r.stderr);
        assert.not.ok(alive(pid));
        assert.not.ok(existsSync(join(bed.root, bed.id)));
      }),
    );

    test(
      `${name}, delete --force ends a container without a pid namespace, and its children`,
      onBed((bed) => {
        bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== 'pid');
        bed.started(['/bin/sh', '-c', 'sleep 1000 & sleep 1001 & exec sleep 1002']);
        const r = bed.runt(['delete', '--force', bed.id], { wrapped });
        assert.is(r.code, 0, r.stderr);
      }),
    );

    test(
      `${name}, kill reaches the process, and kill --all every process`,
      onBed(async (bed) => {
        bed.started(['/bin/sh', '-c', "trap 'echo got' USR1; echo up; while :; do sleep 0.05; done"]);
        // Without a handler the first process of a pid namespace does not get the signal.
        await eventually('its trap is set', () => bed.stdout().includes('up'));
        const one = bed.runt(['kill', bed.id, 'USR1'], { wrapped });
        assert.is(one.code, 0, one.stderr);
        await eventually('the signal arrives', () => bed.stdout().includes('got'));
        const all = bed.runt(['kill', '--all', bed.id, 'KILL'], { wrapped });
        assert.is(all.code, 0, all.stderr);
        bed.until('stopped');
        const stopped = bed.runt(['kill', bed.id, 'KILL'], { wrapped });
        assert.match(stopped.stderr, /container not running/);
        assert.is(bed.delete().code, 0);
      }),
    );

    test(
      `${name}, exec works`,
      onBed((bed) => {
        bed.started();
        const r = bed.runt(['exec', bed.id, '/bin/true'], { wrapped });
        assert.is(r.code, 0, r.stderr);
        assert.is(bed.delete('--force').code, 0);
      }),
    );

    test(
      `${name}, create, wait and delete of a supervised container work`,
      onBed((bed) => {
        bed.config.process.args = ['/bin/sh', '-c', 'exit 3'];
        bed.write();
        const o = { wrapped };
        const created = bed.runt(['create', '--supervise', '--bundle', bed.bundle, bed.id], o);
        assert.is(created.code, 0, created.stderr);
        const started = bed.runt(['start', bed.id], o);
        assert.is(started.code, 0, started.stderr);
        const waited = bed.runt(['wait', bed.id], o);
        assert.is(waited.stdout, '3\n', waited.stderr);
        const deleted = bed.runt(['delete', bed.id], o);
        assert.is(deleted.code, 0, deleted.stderr);
      }),
    );

    test(
      `${name}, a failed run leaves nothing`,
      onBed((bed) => {
        bed.config.process.args = ['/there/is/none'];
        const r = bed.run([], { wrapped });
        assert.is.not(r.code, 0);
        assert.match(r.stderr, /there\/is\/none/);
      }),
    );
  }
}

for (const [what, wrapped] of [
  ['setns refused (errno 1)', [filter, 'setns=1', '--']],
  ['setns missing (errno 38)', [filter, 'setns=38', '--']],
  ['no CAP_SYS_CHROOT', ['setpriv', '--bounding-set', '-sys_chroot', '--inh-caps', '-sys_chroot', '--']],
] as const) {
  test(
    `with ${what} a container runs, because it has no more rights than runt to leave its root`,
    onBed((bed) => {
      const ran = (command: readonly string[]) => {
        const r = bed.run([], { wrapped: command });
        assert.is(r.code, 0, r.stderr);
      };
      ran(wrapped);
      // In a user namespace, whose mounts are locked, runt looks for a chroot before the pivot.
      bed.config.linux.resources = {};
      for (const mount of bed.config.mounts)
        mount.options = mount.options?.filter((option) => option !== 'gid=5') ?? [];
      ran(['unshare', '-U', '-r', '-m', ...wrapped]);
    }),
  );
}

test(
  'after EPERM of the kernel, kill(2) is not tried instead',
  onBed((bed) => {
    const pid = bed.started();
    const inside = (bed: Bed) =>
      bed.runt(['kill', bed.id, 'KILL'], { wrapped: ['setpriv', '--bounding-set', '-kill', '--'] });
    // Without CAP_KILL root may still signal root's processes: the call works as before.
    const r = inside(bed);
    assert.is(r.code, 0, r.stderr);
    assert.ok(pid > 0);
    bed.until('stopped');
    assert.is(bed.delete().code, 0);
  }),
);

for (const errno of ['1', '38']) {
  test(
    `without openat2 (errno ${errno}), removal does not enter a mount below the state directory`,
    onBed((bed) => {
      bed.started(['/bin/true']);
      bed.until('stopped');
      const [below, outside] = [join(bed.root, bed.id, 'below'), join(bed.dir, 'outside')];
      mkdirSync(below);
      mkdirSync(outside);
      writeFileSync(join(outside, 'precious'), 'x');
      const mount = `mount --bind ${outside} ${below} && exec "$@"`;
      const wrapped = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', mount, 'sh'];
      const r = bed.runt(['delete', bed.id], { wrapped: [...wrapped, filter, `openat2=${errno}`, '--'] });
      assert.match(r.stderr, /remove the state \/.*: EXDEV/);
      assert.ok(existsSync(join(outside, 'precious')));
      assert.is(bed.delete('--force').code, 0);
    }),
  );
}

test(
  'if pidfd_open fails for lack of memory or descriptors, the error names it and the process counts as existing',
  onBed((bed) => {
    bed.started(['/bin/true']);
    bed.until('stopped');
    // A zombie would be in procfs, so the pid is that of a reaped process.
    const state = join(bed.root, bed.id, 'state.json');
    const { pid } = spawnSync('true');
    writeFileSync(state, JSON.stringify({ ...JSON.parse(readFileSync(state, 'utf8')), pid }));
    for (const errno of ['12', '23', '24']) {
      for (const args of [['state', bed.id], ['list'], ['delete', bed.id]]) {
        const r = bed.runt(args, { wrapped: [filter, `pidfd_open=${errno}`, '--'] });
        assert.is(r.code, 1, args.join(' '));
        assert.match(r.stderr, /^runt: open process [0-9]+: E(NOMEM|NFILE|MFILE) /, args.join(' '));
      }
    }
    assert.is(bed.delete().code, 0);
  }),
);

const noexec = needing('memfd without exec', 'root', 'unshare', 'linux-6.6');
/** vm.memfd_noexec is a setting of the pid namespace: only the command's is changed. */
const strict = (noexec: string): string[] => [
  'unshare',
  '--pid',
  '--fork',
  '--mount-proc',
  'sh',
  '-c',
  `echo ${noexec} >/proc/sys/vm/memfd_noexec && "$@"`,
  'sh',
];

for (const supervise of [false, true]) {
  noexec(
    `with vm.memfd_noexec=2 a container ${supervise ? 'with' : 'without'} a supervisor works`,
    onBed((bed) => {
      bed.config.process.args = ['/bin/sh', '-c', 'echo inside; exit 3'];
      bed.write();
      const flags = supervise ? '--supervise' : '';
      const script = `
        [ "$(cat /proc/sys/vm/memfd_noexec)" = 2 ] || exit 90
        "$@" create ${flags} --bundle ${bed.bundle} ${bed.id} && "$@" start ${bed.id} || exit 91
        ${supervise ? `[ "$("$@" wait ${bed.id})" = 3 ] || exit 92` : ''}
        "$@" delete --force ${bed.id}`;
      const wrapped = [...strict('2'), 'sh', '-c', script, 'sh'];
      const r = bed.runt([], { wrapped });
      assert.is(r.code, 0, r.stderr);
    }),
  );
}

test.run();
noexec.run();
