/**
 * Changes while a container runs, on v2 alone: device programs, pressure and memory events, cgroup.kill, frozen and
 * delegated trees.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { cgroupsNamed } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, onBed, type Result } from '../bed/bed.js';
import { cgroupSettings } from '../bed/cgroup-files.js';
import { programs } from '../bed/place.js';

const test = needing('live on v2', 'root', 'cgroup-v2');
const compiled = needing('device programs', 'root', 'cgroup-v2', 'programs');
const compared = needing('delegated trees beside runc', 'root', 'cgroup-v2', 'runc');
const forks = needing('forks on v2', 'root', 'cgroup-v2', 'not-uml');
const MiB = 1 << 20;

/** The container's directory. */
const dir = (bed: Bed): string => cgroupsNamed(bed.id)[0]!;
const value = (bed: Bed, file: string): string => readFileSync(join(dir(bed), file), 'utf8').trim();
const apply = (bed: Bed, resources: unknown): Result =>
  bed.runt(['update', '--resources=-', bed.id], { input: JSON.stringify(resources) });
const field = (text: string, key: string): number => Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(text)![1]);

function remove(bed: Bed): void {
  const r = bed.delete('--force');
  assert.equal([r.code, r.stderr], [0, '']);
}

/** Ids of the programs attached to a cgroup, and of all device programs of the kernel. */
function devicePrograms(path: string): { attached: number[]; all: number[] } {
  const r = spawnSync(join(programs, 'device-programs'), [path], { encoding: 'utf8' });
  assert.equal([r.status, r.stderr], [0, '']);
  const [attached = [], all = []] = r.stdout
    .split('\n')
    .map((line) => line.trim().split(' ').filter(Boolean).map(Number));
  return { attached, all };
}

compiled(
  'update replaces the single device program, and neither update nor delete leaves one loaded',
  onBed(async (bed) => {
    bed.started();
    const path = dir(bed);
    let { attached } = devicePrograms(path);
    assert.is(attached.length, 1);
    const seen = new Set(attached);
    for (let minor = 1; minor <= 10; minor++) {
      const rule = { allow: true, type: 'c', major: 240, minor, access: 'rw' };
      assert.is(apply(bed, { devices: [{ allow: false }, rule] }).code, 0);
      const before = attached[0]!;
      ({ attached } = devicePrograms(path));
      assert.is(attached.length, 1);
      assert.not.ok(seen.has(attached[0]!), 'the same program');
      seen.add(attached[0]!);
      await eventually('the old program has gone', () => !devicePrograms(path).all.includes(before));
    }
    assert.is(apply(bed, { pids: { limit: 20 } }).code, 0);
    assert.equal(devicePrograms(path).attached, attached, 'an update of something else');
    remove(bed);
    await eventually('the last program has gone', () => !devicePrograms('/sys/fs/cgroup').all.includes(attached[0]!));
  }),
);

test(
  'during an update, a device that both lists allow is never denied, and one that both deny never allowed',
  onBed(async (bed) => {
    bed.config.linux.devices = [{ path: '/dev/denied', type: 'c', major: 240, minor: 1, fileMode: 0o666 }];
    // Number 240 has no driver: opening it fails with ENXIO if the filter allows it.
    bed.started([
      '/bin/sh',
      '-c',
      `echo begun; n=0; while :; do n=$((n+1))
       ( : </dev/null ) 2>/dev/null || echo refused; ( : </dev/denied ) 2>&1 | grep -q permitted || echo allowed
       echo $n >/dev/shm/rounds; done`,
    ]);
    await eventually('its beginning', () => bed.stdout().includes('begun'));
    const rounds = () => Number(bed.runt(['exec', bed.id, 'cat', '/dev/shm/rounds']).stdout);
    for (let minor = 2; minor < 30; minor++) {
      const rule = { allow: true, type: 'c', major: 240, minor, access: 'rw' };
      assert.is(apply(bed, { devices: [{ allow: false }, rule] }).code, 0);
    }
    const then = rounds();
    await eventually('rounds', () => rounds() > then);
    assert.is(bed.stdout(), 'begun\n');
    remove(bed);
  }),
);

test(
  'events --stats has the pressure of cpu, memory and io where the kernel has it, and counts of memory.events',
  onBed(async (bed) => {
    bed.config.linux.resources = { memory: { limit: 16 * MiB, swap: 16 * MiB }, cpu: { quota: 5000, period: 100000 } };
    bed.config.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'x', options: [] });
    bed.started(['/bin/sh', '-c', 'dd if=/dev/zero of=/tmp/f bs=1M count=64; echo $?; while :; do :; done']);
    await eventually('the end of dd', () => /^\d+$/m.test(bed.stdout()), 120_000);
    const { data } = JSON.parse(bed.runt(['events', '--stats', bed.id]).stdout);
    const events = value(bed, 'memory.events');
    assert.ok(field(events, 'max') > 0);
    assert.ok(data.memory.usage.failcnt > 0 && data.memory.usage.failcnt <= field(events, 'max'));
    for (const kind of ['cpu', 'memory', 'io'] as const) {
      const file = join(dir(bed), `${kind}.pressure`);
      if (!existsSync(file)) {
        assert.is((kind === 'io' ? data.blkio : data[kind]).psi, undefined, `${kind}: the kernel measures none`);
        continue;
      }
      const before = (kind === 'io' ? data.blkio : data[kind]).psi;
      const total = Number(/^some .* total=(\d+)$/m.exec(readFileSync(file, 'utf8'))![1]);
      assert.ok(
        before.some.total <= total && before.some.total + 60e6 > total,
        `${kind}: ${before.some.total} ${total}`,
      );
      for (const part of ['some', 'full'] as const) {
        for (const key of ['avg10', 'avg60', 'avg300'] as const) assert.type(before[part][key], 'number');
      }
    }
    remove(bed);
  }),
);

/** A container without a pid namespace of its own that forks faster than its processes can be listed. */
const forking = (bed: Bed): void => {
  bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== 'pid');
  bed.config.linux.resources = { pids: { limit: 60 } };
  bed.started([
    '/bin/sh',
    '-c',
    'for i in 1 2 3 4; do ( while :; do sleep 0.01 & sleep 0.01 & wait; done ) & done; sleep 1000',
  ]);
};

forks(
  'kill --all KILL ends all processes of a container that forks continuously',
  onBed(async (bed) => {
    forking(bed);
    await eventually('processes', () => value(bed, 'cgroup.procs').split('\n').length > 8);
    const r = bed.runt(['kill', '--all', bed.id, 'KILL']);
    assert.equal([r.code, r.stderr], [0, '']);
    await eventually('no process', () => field(value(bed, 'cgroup.events'), 'populated') === 0);
    assert.is(bed.state().status, 'stopped');
    assert.is(bed.delete().code, 0);
    forking(bed);
    await eventually('processes', () => value(bed, 'cgroup.procs').split('\n').length > 8);
    remove(bed);
    assert.equal(cgroupsNamed(bed.id), []);
  }),
);

test(
  'kill --all KILL writes cgroup.kill where the kernel has it, and opens no process',
  onBed((bed) => {
    if (spawnSync('strace', ['-V']).status !== 0) return;
    bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== 'pid');
    bed.started(['/bin/sh', '-c', 'sleep 1001 & sleep 1002 & wait']);
    if (!existsSync(join(dir(bed), 'cgroup.kill'))) return remove(bed);
    const file = join(bed.dir, 'calls');
    const wrapped = ['strace', '-f', '-o', file, '-e', 'trace=openat,open,pidfd_open,pidfd_send_signal'];
    const traced = bed.runt(['kill', '--all', bed.id, 'KILL'], { wrapped });
    assert.is(traced.code, 0, traced.stderr);
    const calls = readFileSync(file, 'utf8');
    assert.match(calls, `${dir(bed)}/cgroup.kill`);
    assert.not.match(calls, 'pidfd_send_signal');
    bed.until('stopped');
    assert.is(bed.delete().code, 0);
  }),
);

test(
  'below a frozen parent, kill and delete work, and the errors of pause and resume name the frozen cgroup',
  onBed(async (bed) => {
    const top = `/sys/fs/cgroup/${bed.id}-top`;
    mkdirSync(top);
    try {
      bed.config.linux.cgroupsPath = `/${bed.id}-top/box`;
      for (const own of [true, false]) {
        if (!own) bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== 'pid');
        bed.started(['/bin/sh', '-c', 'sleep 1001 & sleep 1002 & wait']);
        writeFileSync(join(top, 'cgroup.freeze'), '1');
        await eventually('frozen', () => readFileSync(join(top, 'box/cgroup.events'), 'utf8').includes('frozen 1'));
        assert.is(bed.kill('KILL').code, 0);
        bed.until('stopped');
        assert.is(bed.delete().code, 0);
        writeFileSync(join(top, 'cgroup.freeze'), '0');
        bed.started(['/bin/sh', '-c', 'sleep 1001 & sleep 1002 & wait']);
        assert.is(bed.runt(['pause', bed.id]).code, 0);
        writeFileSync(join(top, 'cgroup.freeze'), '1');
        remove(bed);
        assert.not.ok(existsSync(join(top, 'box')));
        writeFileSync(join(top, 'cgroup.freeze'), '0');
      }
      bed.started();
      writeFileSync(join(top, 'cgroup.freeze'), '1');
      assert.is(bed.runt(['pause', bed.id]).code, 0);
      assert.is(bed.state().status, 'paused');
      const resumed = bed.runt(['resume', bed.id]);
      assert.is(resumed.code, 1);
      assert.match(resumed.stderr, `stay frozen by the cgroup ${top}`);
      assert.is(bed.state().status, 'running', 'what is its own is thawed');
      writeFileSync(join(top, 'cgroup.freeze'), '0');
      remove(bed);
    } finally {
      writeFileSync(join(top, 'cgroup.freeze'), '0');
      rmdirSync(top);
    }
  }),
);

/** A container that moves itself below its cgroup and enables the controllers for children, as systemd does. */
const delegated = `
  mkdir -p /sys/fs/cgroup/init.scope /sys/fs/cgroup/work/deep /sys/fs/cgroup/thread
  echo 1 >/sys/fs/cgroup/init.scope/cgroup.procs
  echo "+memory +pids" >/sys/fs/cgroup/cgroup.subtree_control
  echo "+pids" >/sys/fs/cgroup/work/cgroup.subtree_control
  echo 7 >/sys/fs/cgroup/work/deep/pids.max
  sleep 1001 & echo $! >/sys/fs/cgroup/work/deep/cgroup.procs
  echo ready; sleep 1000`;

function delegate(bed: Bed): void {
  bed.config.linux.namespaces.push({ type: 'cgroup' });
  const mount = bed.config.mounts.find((m) => m.destination === '/sys/fs/cgroup')!;
  mount.options = ['nosuid', 'noexec', 'nodev', 'rw'];
  bed.config.process.args = ['/bin/sh', '-c', delegated];
}

test(
  'exec, update, pause, kill --all and delete reach all cgroups that the container made below its own',
  onBed(async (bed) => {
    delegate(bed);
    bed.started(bed.config.process.args);
    await eventually('the tree', () => bed.stdout().includes('ready'));
    assert.is(value(bed, 'cgroup.procs'), '', 'no process in the middle');
    assert.is(value(bed, 'work/deep/pids.max'), '7');
    assert.is(bed.runt(['exec', bed.id, 'cat', '/proc/self/cgroup']).stdout, '0::/init.scope\n');
    assert.is(
      bed.runt(['exec', '--cgroup', '/work/deep', bed.id, 'cat', '/proc/self/cgroup']).stdout,
      '0::/work/deep\n',
    );
    assert.match(
      bed.runt(['exec', '--cgroup', '/work', bed.id, 'true']).stderr,
      /EBUSY|no internal process|subtree_control/,
    );
    assert.is(bed.runt(['ps', '--format', 'json', bed.id]).stdout.split(',').length, 2);
    assert.is(apply(bed, { pids: { limit: 40 }, memory: { limit: 64 * MiB } }).code, 0);
    assert.is(value(bed, 'pids.max'), '40');
    assert.is(bed.runt(['pause', bed.id]).code, 0);
    assert.match(value(bed, 'work/deep/cgroup.events'), 'frozen 1');
    assert.is(bed.runt(['resume', bed.id]).code, 0);
    assert.match(value(bed, 'work/deep/cgroup.events'), 'frozen 0');
    assert.is(bed.runt(['kill', '--all', bed.id, 'KILL']).code, 0);
    bed.until('stopped');
    await eventually('no process', () => field(value(bed, 'cgroup.events'), 'populated') === 0);
    const path = dir(bed);
    assert.ok(readdirSync(path).includes('work'));
    assert.is(bed.delete().code, 0);
    assert.not.ok(existsSync(path));
    bed.started(bed.config.process.args);
    await eventually('the tree', () => bed.stdout().includes('ready'));
    remove(bed);
    assert.not.ok(existsSync(path));
  }),
);

test(
  'no command changes a setting of the cgroup that it was not asked to change',
  onBed((bed) => {
    bed.config.linux.resources = {
      ...bed.config.linux.resources,
      memory: { limit: 64 * MiB, reservation: MiB },
      cpu: { shares: 512, quota: 12345, period: 50000 },
      pids: { limit: 77 },
      unified: { 'memory.high': String(48 * MiB), 'memory.oom.group': '1', 'cgroup.max.depth': '5' },
    };
    bed.started();
    const before = cgroupSettings(dir(bed));
    assert.ok(Object.keys(before).length > 15, Object.keys(before).join(' '));
    for (const args of [
      ['state', bed.id],
      ['exec', bed.id, 'true'],
      // Only the pid column: with its usual columns, procps 4.0.2 fails in User Mode Linux.
      ['ps', bed.id, '-o', 'pid'],
      ['events', '--stats', bed.id],
      ['kill', bed.id, 'CONT'],
      ['pause', bed.id],
      ['resume', bed.id],
      ['update', '--pids-limit=77', bed.id],
      ['list'],
    ]) {
      const r = bed.runt(args);
      assert.is(r.code, 0, r.stderr);
      if (args[0] === 'pause') continue;
      assert.equal(cgroupSettings(dir(bed)), before, args.join(' '));
    }
    assert.is(apply(bed, { pids: { limit: 66 } }).code, 0);
    assert.equal(cgroupSettings(dir(bed)), { ...before, 'pids.max': '66' });
    remove(bed);
  }),
);

test(
  'exec works while the container moves its processes below its cgroup and back',
  onBed(async (bed) => {
    delegate(bed);
    const script = `cd /sys/fs/cgroup; mkdir init; echo ready
      while :; do
        for p in $(cat cgroup.procs); do echo $p >init/cgroup.procs; done
        echo +pids >cgroup.subtree_control; echo -pids >cgroup.subtree_control
        for p in $(cat init/cgroup.procs); do echo $p >cgroup.procs; done
      done`;
    bed.started(['/bin/sh', '-c', `(${script}) 2>/dev/null`]);
    await eventually('the tree', () => bed.stdout().includes('ready'));
    for (let i = 0; i < 60; i++) {
      const { code, stderr } = bed.runt(['exec', bed.id, 'true']);
      assert.is(code, 0, stderr);
    }
    remove(bed);
  }),
);

/** Moves a process of the host into a cgroup; resolves when it is there. */
async function hostProcess(path: string): Promise<{ pid: number; ended: () => boolean; kill: () => void }> {
  const child = spawn('/bin/sleep', ['1000'], { stdio: 'ignore' });
  writeFileSync(`${path}/cgroup.procs`, String(child.pid));
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  return { pid: child.pid!, ended, kill: () => child.kill('SIGKILL') };
}

for (const frozen of [false, true])
  test(
    `delete names a host process in the container's cgroup, and delete --force ends it${frozen ? ', below a frozen cgroup' : ''}`,
    onBed(async (bed) => {
      const top = `/sys/fs/cgroup/${bed.id}-top`;
      mkdirSync(top);
      bed.config.linux.cgroupsPath = `/${bed.id}-top/box`;
      bed.started();
      const other = await hostProcess(`${top}/box`);
      try {
        if (frozen) writeFileSync(`${top}/cgroup.freeze`, '1');
        else {
          bed.kill('KILL');
          bed.until('stopped');
          const r = bed.delete();
          assert.is(r.code, 1);
          assert.match(r.stderr, String(other.pid));
        }
        remove(bed);
        await eventually('its end', other.ended);
        assert.not.ok(existsSync(`${top}/box`));
      } finally {
        other.kill();
        writeFileSync(`${top}/cgroup.freeze`, '0');
        rmdirSync(top);
      }
    }),
  );

for (const own of [true, false])
  test(
    `delete --force refuses to end a container in a cgroup below, ${own ? 'with' : 'without'} a pid namespace, and names it`,
    onBed(async (bed) => {
      const [outer, inner] = [`${bed.id}-outer`, `${bed.id}-inner`];
      const create = (id: string, path: string): Result[] => {
        bed.config.linux.cgroupsPath = path;
        bed.config.process.args = ['/bin/sleep', '1000'];
        bed.write();
        return [bed.runt(['create', '--bundle', bed.bundle, id]), bed.runt(['start', id])];
      };
      if (!own) bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== 'pid');
      for (const r of [...create(outer, `/${outer}`), ...create(inner, `/${outer}/${inner}`)])
        assert.is(r.code, 0, r.stderr);
      const state = (id: string) => JSON.parse(bed.runt(['state', id]).stdout).status;
      const r = bed.runt(['delete', '--force', outer]);
      assert.is(r.code, 1);
      assert.match(r.stderr, new RegExp(`the container ${inner} is in it or below`));
      assert.is(state(inner), 'running');
      assert.is(bed.runt(['delete', '--force', inner]).code, 0);
      assert.is(bed.runt(['delete', '--force', outer]).code, 0);
      assert.not.ok(existsSync(`/sys/fs/cgroup/${outer}`));
    }),
  );

test(
  'kill --all reaches an init that was moved to another cgroup',
  onBed(async (bed) => {
    const elsewhere = `/sys/fs/cgroup/${bed.id}-elsewhere`;
    mkdirSync(elsewhere);
    try {
      const pid = bed.started(['/bin/sh', '-c', 'trap "echo got" USR1; echo up; while :; do sleep 0.05; done']);
      await eventually('it is up', () => bed.stdout().includes('up'));
      writeFileSync(`${elsewhere}/cgroup.procs`, String(pid));
      assert.is(bed.runt(['kill', '--all', bed.id, 'USR1']).code, 0);
      await eventually('the signal', () => bed.stdout().includes('got'));
      assert.is(bed.runt(['kill', '--all', bed.id, 'KILL']).code, 0);
      bed.until('stopped');
      assert.is(bed.runt(['kill', '--all', bed.id, 'KILL']).code, 0, 'one that has stopped');
      remove(bed);
    } finally {
      await eventually('its end', () => readFileSync(`${elsewhere}/cgroup.procs`, 'utf8') === '');
      rmdirSync(elsewhere);
    }
  }),
);

test(
  "exec enters the cgroup of init when the container's own was removed",
  onBed(async (bed) => {
    const pid = bed.started();
    const own = dir(bed);
    const elsewhere = `/sys/fs/cgroup/${bed.id}-elsewhere`;
    mkdirSync(elsewhere);
    try {
      writeFileSync(`${elsewhere}/cgroup.procs`, String(pid));
      rmdirSync(own);
      const r = bed.runt(['exec', bed.id, 'cat', '/proc/self/cgroup']);
      assert.equal([r.code, r.stdout, r.stderr], [0, `0::/${bed.id}-elsewhere\n`, '']);
    } finally {
      bed.delete('--force');
      await eventually('its end', () => readFileSync(`${elsewhere}/cgroup.procs`, 'utf8') === '');
      rmdirSync(elsewhere);
    }
  }),
);

compared(
  'exec into a cgroup with children joins the same cgroup as with runc',
  onBed(async (bed) => {
    delegate(bed);
    bed.config.root.readonly = false;
    const log = join(bed.rootfs, 'log');
    bed.config.process.args = ['/bin/sh', '-c', `exec >/log; ${delegated}`];
    bed.write();
    const places: string[] = [];
    for (const program of ['runc', undefined]) {
      const o = program === undefined ? {} : { program };
      writeFileSync(log, '');
      assert.is(bed.runt(['run', '-d', '--bundle', bed.bundle, bed.id], o).code, 0);
      await eventually('the tree', () => readFileSync(log, 'utf8').includes('ready'));
      places.push(bed.runt(['exec', bed.id, 'cat', '/proc/self/cgroup'], o).stdout);
      assert.is(bed.runt(['delete', '--force', bed.id], o).code, 0);
      assert.equal(cgroupsNamed(bed.id), []);
    }
    assert.is(places[1], places[0]);
  }),
);

compiled.run();
test.run();
forks.run();
compared.run();
