/**
 * A process that cannot be read has not necessarily ended: a running container keeps its state, cgroups and processes.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, eventually, needing, onBed } from '../integration/bed/bed.js';
import { mounting } from '../integration/bed/mount-namespace.js';
import { programs } from '../integration/bed/place.js';

const filter = join(programs, 'filter');
const test = needing('unreadable process', 'root', 'unshare', 'setpriv', 'programs');

/** Ways to hide /proc, and the text of the error. */
const broken: readonly { name: string; wrapped: readonly string[]; says: RegExp }[] = [
  {
    name: 'no procfs on /proc',
    wrapped: mounting('mount -t tmpfs none /proc'),
    says: /\/proc is not a proc file system/,
  },
  {
    name: 'hidepid=2 without CAP_SYS_PTRACE',
    wrapped: [
      ...mounting('mount -t proc -o hidepid=2,gid=4242 proc /proc'),
      'setpriv',
      '--bounding-set',
      '-sys_ptrace',
      '--',
    ],
    says: /\/proc hides it/,
  },
  {
    name: 'hidepid=1 without CAP_SYS_PTRACE',
    wrapped: [
      ...mounting('mount -t proc -o hidepid=1,gid=4242 proc /proc'),
      'setpriv',
      '--bounding-set',
      '-sys_ptrace',
      '--',
    ],
    says: /\/proc hides it/,
  },
  {
    name: "another pid namespace's procfs",
    wrapped: mounting('unshare --pid --fork mount -t proc proc /proc'),
    says: /another pid namespace/,
  },
  {
    name: "runt in a pid namespace of its own, with the host's procfs",
    wrapped: ['unshare', '--pid', '--fork'],
    says: /another pid namespace/,
  },
  {
    name: 'runt in a pid namespace of its own, with its procfs',
    wrapped: ['unshare', '--pid', '--fork', '--mount-proc'],
    says: /pid namespace/,
  },
  {
    name: 'a tmpfs on /proc/PID',
    wrapped: mounting('mount -t tmpfs none /proc/$VICTIM'),
    says: /\/proc hides it/,
  },
  {
    name: 'failing reads of procfs',
    wrapped: [filter, 'readlinkat=5', '--'],
    says: /EIO/,
  },
];

/** Starts a container whose process belongs to another user. */
function victim(bed: Bed): number {
  bed.config.process.user = { uid: 1000, gid: 1000 };
  return bed.started();
}

const commands = (bed: Bed): readonly (readonly string[])[] => [
  ['state', bed.id],
  ['list'],
  ['kill', bed.id, 'TERM'],
  ['delete', bed.id],
  ['delete', '--force', bed.id],
  ['exec', bed.id, '/bin/true'],
];

for (const { name, wrapped, says } of broken) {
  test(
    `with ${name}, every command fails with the cause, and the container does not change`,
    onBed((bed) => {
      const pid = victim(bed);
      const env = { PATH: process.env.PATH ?? '', VICTIM: String(pid) };
      for (const command of commands(bed)) {
        const r = bed.runt(command, { wrapped, env });
        assert.is.not(r.code, 0, `${command.join(' ')}: ${r.stdout}`);
        assert.match(r.stderr, says, command.join(' '));
        assert.not.match(r.stdout, /stopped/);
        assert.is(bed.state().status, 'running', command.join(' '));
      }
      assert.is(bed.state().pid, pid);
      assert.is(bed.delete('--force').code, 0);
    }),
  );
}

test(
  'list prints the readable containers before it fails for an unreadable one',
  onBed(async (bed) => {
    victim(bed);
    const other = `${bed.id}-ended`;
    bed.config.process.args = ['/bin/true'];
    bed.write();
    assert.is(bed.runt(['create', '--bundle', bed.bundle, other]).code, 0);
    assert.is(bed.runt(['kill', other, 'KILL']).code, 0);
    await eventually('its end', () => bed.runt(['state', other]).stdout.includes('"stopped"'));
    const r = bed.runt(['list', '--format', 'json'], { wrapped: broken[0]!.wrapped });
    assert.is(r.code, 1);
    assert.equal(
      JSON.parse(r.stdout).map(({ id }: { id: string }) => id),
      [other],
    );
    assert.match(r.stderr, broken[0]!.says);
    assert.is(bed.runt(['delete', other]).code, 0);
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  'without procfs an ended container is stopped, according to pidfd_open(2)',
  onBed((bed) => {
    victim(bed);
    assert.is(bed.kill('KILL').code, 0);
    bed.until('stopped');
    const r = bed.runt(['state', bed.id], { wrapped: broken[0]!.wrapped });
    assert.is(r.code, 0, r.stderr);
    assert.is(JSON.parse(r.stdout).status, 'stopped');
    assert.is(bed.delete().code, 0);
  }),
);

test(
  'a container whose pid another process has is stopped',
  onBed((bed) => {
    const pid = bed.started(['/bin/true']);
    const state = join(bed.root, bed.id, 'state.json');
    bed.until('stopped');
    const record = JSON.parse(readFileSync(state, 'utf8'));
    writeFileSync(state, JSON.stringify({ ...record, pid: process.pid }));
    assert.is(record.pid, pid || record.pid);
    assert.is(bed.state().status, 'stopped');
    assert.is(bed.delete().code, 0);
    assert.ok(existsSync(`/proc/${process.pid}`));
  }),
);

test(
  'wait reports that the supervisor cannot be read, not that the status was lost',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    assert.is(bed.create(['--supervise']).code, 0);
    assert.is(bed.start().code, 0);
    const r = bed.runt(['wait', bed.id], { wrapped: broken[0]!.wrapped });
    assert.is.not(r.code, 0);
    assert.match(r.stderr, /\/proc is not a proc file system/);
    assert.not.match(r.stderr, /supervisor ended first/);
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  "without a cgroup, kill --all and ps report that the container's processes cannot be read",
  onBed((bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const created = bed.runt(['--cgroup-manager', 'disabled', 'create', '--bundle', bed.bundle, bed.id]);
    assert.is(created.code, 0, created.stderr);
    assert.is(bed.start().code, 0);
    for (const command of [
      ['kill', '--all', bed.id, 'KILL'],
      ['ps', bed.id],
      ['delete', bed.id],
    ]) {
      const r = bed.runt(command, { wrapped: broken[0]!.wrapped });
      assert.is.not(r.code, 0, command.join(' '));
      assert.is(bed.state().status, 'running', command.join(' '));
    }
    assert.is(bed.delete('--force').code, 0);
  }),
);

const cgroups = needing('unreadable cgroup', 'root', 'unshare', 'programs', 'cgroups');

cgroups(
  'if statfs fails, delete --force and kill --all fail and leave the container',
  onBed((bed) => {
    bed.started();
    for (const command of [
      ['delete', '--force', bed.id],
      ['kill', '--all', bed.id, 'KILL'],
      ['ps', bed.id],
    ]) {
      const r = bed.runt(command, { wrapped: [filter, 'statfs=1', '--'] });
      assert.is.not(r.code, 0, command.join(' '));
      assert.match(r.stderr, /look for the cgroup .*EPERM/);
      assert.is(bed.state().status, 'running', command.join(' '));
    }
    assert.is(bed.delete('--force').code, 0);
  }),
);

cgroups(
  'if no hierarchy is mounted, commands fail, end no process and remove no state',
  onBed((bed) => {
    bed.started();
    const wrapped = mounting('mount -t tmpfs none /sys/fs/cgroup');
    for (const command of [
      ['state', bed.id],
      ['delete', '--force', bed.id],
      ['kill', '--all', bed.id, 'KILL'],
      ['ps', bed.id],
    ]) {
      const r = bed.runt(command, { wrapped });
      assert.is.not(r.code, 0, command.join(' '));
      assert.match(r.stderr, /no cgroup hierarchy is mounted/, command.join(' '));
      assert.is(bed.state().status, 'running', command.join(' '));
    }
    assert.is(bed.delete('--force').code, 0);
  }),
);

cgroups(
  'delete of a stopped container fails too if its cgroups are hidden',
  onBed((bed) => {
    bed.started();
    assert.is(bed.kill('KILL').code, 0);
    bed.until('stopped');
    const r = bed.runt(['delete', bed.id], { wrapped: mounting('mount -t tmpfs none /sys/fs/cgroup') });
    assert.is.not(r.code, 0);
    assert.is(bed.delete().code, 0);
  }),
);

for (const call of ['setsid', 'setgroups']) {
  test(
    `a filter that refuses ${call} does not leave the container in the caller's session or groups`,
    onBed((bed) => {
      bed.config.linux!.namespaces!.push({ type: 'user' });
      bed.config.linux!.uidMappings = [{ containerID: 0, hostID: 0, size: 65536 }];
      bed.config.linux!.gidMappings = [{ containerID: 0, hostID: 0, size: 65536 }];
      bed.config.process.args = ['/bin/true'];
      const r = bed.run([], { wrapped: [filter, `${call}=1`, '--'] });
      assert.is.not(r.code, 0);
      assert.match(r.stderr, /EPERM/);
    }),
  );
}

/** runt in a pid namespace below the container's, with procfs of its own. */
const elsewhere = ['unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--mount-proc'];

test(
  "in a pid namespace that hides the container's processes, ps and kill --all fail",
  onBed((bed) => {
    bed.started();
    for (const args of [
      ['ps', bed.id],
      ['ps', '--format', 'json', bed.id],
      ['kill', '--all', bed.id, 'TERM'],
    ]) {
      const r = bed.runt(args, { wrapped: elsewhere });
      assert.is(r.code, 1, `${args.join(' ')}: ${r.stdout}`);
      assert.match(r.stderr, /it belongs to the pid namespace pid:\[[0-9]+\], and runt runs in pid:/, args.join(' '));
    }
    const noCgroups = [...elsewhere, 'sh', '-c', 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"', 'sh'];
    for (const args of [['state', bed.id], ['list'], ['kill', bed.id, 'TERM'], ['delete', bed.id]]) {
      const r = bed.runt(args, { wrapped: noCgroups });
      assert.is(r.code, 1, `${args.join(' ')}: ${r.stdout}`);
      assert.match(r.stderr, /no cgroup hierarchy is mounted/, args.join(' '));
    }
    assert.is(bed.state().status, 'running');
    assert.is(bed.delete('--force').code, 0);
  }),
);

test('the tools of these tests do hide the process', () => {
  const hidden = spawnSync('unshare', [
    ...broken[1]!.wrapped.slice(1),
    'sh',
    '-c',
    'test ! -e /proc/1/stat && test -e /proc/self/stat',
  ]);
  assert.is(hidden.status, 0, String(hidden.stderr));
});

test.run();
cgroups.run();
