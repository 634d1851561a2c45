/** Limits of a scope: systemd does not reset them, an update is all or nothing, errors name what failed. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { cgroupSettings } from '../bed/cgroup-files.js';
import { create, directory, loaded, shown, value } from '../bed/systemd-unit.js';

const test = needing('limits under systemd', 'root', 'cgroup-v2', 'systemctl', 'systemd');
const small = needing('a limit of 4 KiB under systemd', 'root', 'cgroup-v2', 'systemctl', 'systemd', 'not-uml');
const MiB = 1 << 20;

const version = Number(/systemd (\d+)/.exec(spawnSync('systemctl', ['--version'], { encoding: 'utf8' }).stdout)?.[1]);

/** Every setting of the scope. */
const held = (unit: string): { [file: string]: string } => cgroupSettings(directory(unit));

function started(bed: Bed): string {
  bed.config.process.args = ['sleep', '1000'];
  const made = create(bed);
  assert.equal([made.code, made.stderr], [0, '']);
  assert.is(bed.start().code, 0);
  return `runt-${bed.id}.scope`;
}

const update = (bed: Bed, resources: unknown) =>
  bed.runt(['update', '--resources=-', bed.id], { input: JSON.stringify(resources), timeout: 180_000 });

test(
  'daemon-reload, daemon-reexec, set-property and update change only the requested settings',
  onBed((bed) => {
    const unified: { [file: string]: string } = { 'memory.high': String(48 * MiB) };
    // An older one has no property for it; tested below.
    if (version >= 253) unified['memory.oom.group'] = '1';
    if (existsSync('/sys/fs/cgroup/system.slice/memory.zswap.max')) unified['memory.zswap.max'] = String(8 * MiB);
    if (existsSync('/sys/fs/cgroup/system.slice/memory.zswap.writeback')) unified['memory.zswap.writeback'] = '0';
    bed.config.linux.resources = {
      ...bed.config.linux.resources,
      memory: { limit: 64 * MiB, reservation: MiB },
      cpu: { quota: 25000, period: 50000 },
      pids: { limit: 77 },
      unified,
    };
    const unit = started(bed);
    let before = held(unit);
    const same = (what: string): void => assert.equal(held(unit), before, `${what}, systemd ${version}`);
    for (const args of [['daemon-reload'], ['daemon-reexec'], ['set-property', '--runtime', unit, 'TasksMax=66']]) {
      execFileSync('systemctl', args);
      if (args[0] === 'set-property') before = { ...before, 'pids.max': '66' };
      same(args[0]!);
    }
    // A value that another program wrote must stay too.
    writeFileSync(join(directory(unit), 'memory.low'), String(2 * MiB));
    writeFileSync(join(directory(unit), 'cpu.max'), '12345 50000');
    before = held(unit);
    assert.is(update(bed, { pids: { limit: 55 } }).stderr, '');
    before = { ...before, 'pids.max': '55' };
    same('update of pids');
    assert.is(update(bed, { memory: { limit: 72 * MiB, swap: 80 * MiB } }).stderr, '');
    before = { ...before, 'memory.max': String(72 * MiB), 'memory.swap.max': String(8 * MiB) };
    same('update of memory');
    assert.is(update(bed, { unified: { 'cpu.max': '20000' } }).stderr, '');
    before = { ...before, 'cpu.max': '20000 50000' };
    same('update of the quota in cpu.max');
    assert.is(bed.delete('--force').code, 0);
  }),
);

/** Makes systemd write the unit's limits again; from about 256 on it does so not on a reload, but on later changes. */
function disturb(unit: string): void {
  for (const command of ['daemon-reload', 'daemon-reexec']) {
    execFileSync('systemctl', [command]);
    execFileSync('systemctl', ['set-property', '--runtime', unit, `CPUWeight=${command.length}`, 'IOWeight=50']);
  }
}

for (const [what, resources, systemds] of [
  ['a CPU quota of 12.345 %', { cpu: { quota: 12345, period: 100000 } }, 'all'],
  ['a CPU quota in the files of cgroup v2', { unified: { 'cpu.max': '1001 100000' } }, 'all'],
  ['memory.oom.group', { unified: { 'memory.oom.group': '1' } }, 'before 253'],
] as const) {
  test(
    `${what} below the unit's cgroup, and an update of it, survive daemon-reload, daemon-reexec and set-property`,
    onBed((bed) => {
      bed.config.linux.resources = { ...bed.config.linux.resources, pids: { limit: 77 }, ...resources };
      const unit = started(bed);
      const place = readFileSync(`/proc/${bed.state().pid}/cgroup`, 'utf8').trim().slice('0::'.length);
      const below = systemds === 'all' || version < 253 ? '/container' : '';
      assert.is(place, `/system.slice/${unit}${below}`);
      const explained = bed.runt(['--systemd-cgroup', 'explain', bed.bundle]);
      assert.equal([explained.code, explained.stderr], [0, '']);
      assert.is(explained.stdout.replaceAll(/\s/g, '').includes('.scope/container'), below !== '', explained.stdout);
      const settings = () => {
        const { 'cpu.weight': _, 'cpu.weight.nice': __, ...others } = cgroupSettings(`/sys/fs/cgroup${place}`);
        return others;
      };
      const before = settings();
      if ('cpu' in resources) assert.is(before['cpu.max'], '12345 100000');
      disturb(unit);
      assert.equal(settings(), before, `systemd ${version}`);
      if ('cpu' in resources) {
        assert.is(update(bed, { cpu: { quota: 7777, period: 50000 } }).stderr, '');
        disturb(unit);
        assert.equal(settings(), { ...before, 'cpu.max': '7777 50000' }, `updated, systemd ${version}`);
      }
      assert.is(bed.runt(['exec', bed.id, 'true']).code, 0);
      assert.is(bed.delete('--force').code, 0);
      assert.is(loaded(unit), 'not-found');
    }),
  );
}

test(
  "from systemd 257 on, a CPU quota in steps of 0.01 % survives them in the unit's own cgroup",
  onBed((bed) => {
    bed.config.linux.resources = { ...bed.config.linux.resources, cpu: { quota: 24690, period: 100000 } };
    const unit = started(bed);
    const place = version >= 257 ? unit : `${unit}/container`;
    assert.is(value(place, 'cgroup.procs'), String(bed.state().pid));
    disturb(unit);
    assert.is(value(place, 'cpu.max'), '24690 100000');
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  "after an update, systemd rounds the quota in the unit's own cgroup up to 0.01 %, before 257 to 1 %",
  onBed((bed) => {
    bed.config.linux.resources = { ...bed.config.linux.resources, cpu: { quota: 20000, period: 100000 } };
    const unit = started(bed);
    for (const [quota, fine, coarse] of [
      [12350, 12350, 13000],
      [12345, 12350, 13000],
      [1001, 1010, 2000],
    ] as const) {
      assert.is(update(bed, { cpu: { quota } }).stderr, '');
      assert.is(value(unit, 'cpu.max'), `${quota} 100000`);
      disturb(unit);
      assert.is(value(unit, 'cpu.max'), `${version >= 257 ? fine : coarse} 100000`, `systemd ${version}`);
    }
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  "an empty run.oci.systemd.subgroup puts the container into the unit's own cgroup with any quota",
  onBed((bed) => {
    bed.config.annotations = { 'run.oci.systemd.subgroup': '' };
    bed.config.linux.resources = { ...bed.config.linux.resources, cpu: { quota: 12345, period: 100000 } };
    const unit = started(bed);
    assert.is(value(unit, 'cgroup.procs'), String(bed.state().pid));
    assert.is(value(unit, 'cpu.max'), '12345 100000');
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  'a change that systemd refuses is not made in the kernel either',
  onBed((bed) => {
    bed.config.linux.resources = { ...bed.config.linux.resources, pids: { limit: 77 }, memory: { limit: 64 * MiB } };
    const unit = started(bed);
    const before = held(unit);
    // The kernel accepts a limit of no pids, systemd does not.
    const r = update(bed, { memory: { limit: 32 * MiB }, unified: { 'pids.max': '0' } });
    assert.is(r.code, 1);
    assert.match(r.stderr, /TasksMax/);
    assert.match(r.stderr, /no limit was changed/);
    assert.equal(held(unit), before);
    assert.is(update(bed, { pids: { limit: 55 } }).code, 0);
    assert.equal(held(unit), { ...before, 'pids.max': '55' });
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  'an update with a hanging bus fails and changes no file, and the next one succeeds',
  onBed((bed) => {
    bed.config.linux.resources = { ...bed.config.linux.resources, pids: { limit: 77 }, memory: { limit: 64 * MiB } };
    const unit = started(bed);
    const before = held(unit);
    const daemon = Number(shown('dbus.service', 'MainPID').MainPID);
    assert.ok(daemon > 0);
    process.kill(daemon, 'SIGSTOP');
    try {
      const r = update(bed, { pids: { limit: 55 } });
      assert.is(r.code, 1);
      assert.match(r.stderr, /no answer within 30 seconds/);
      assert.match(
        r.stderr,
        /repeat the update, because systemd may still apply the values of this one; no limit was changed/,
      );
      assert.equal(held(unit), before);
    } finally {
      process.kill(daemon, 'SIGCONT');
    }
    assert.is(update(bed, { memory: { limit: 72 * MiB } }).stderr, '');
    assert.equal(held(unit), { ...before, 'memory.max': String(72 * MiB) });
    execFileSync('systemctl', ['daemon-reload']);
    assert.equal(held(unit), { ...before, 'memory.max': String(72 * MiB) });
    assert.is(shown(unit, 'TasksMax').TasksMax, '77');
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  'create, update and exec succeed during daemon-reexec, daemon-reload and set-property, and lose no limit',
  onBed(async (bed) => {
    bed.config.process.args = ['sleep', '1000'];
    bed.config.linux.resources = {
      ...bed.config.linux.resources,
      cpu: { quota: 12345, period: 100000 },
      memory: { limit: 64 * MiB },
    };
    const unit = `runt-${bed.id}.scope`;
    const set = `systemctl set-property --runtime ${unit}`;
    const loop = `i=0; while :; do
      systemctl daemon-reexec; ${set} CPUWeight=$((i = i % 99 + 1))
      systemctl daemon-reload; ${set} IOWeight=$i MemoryLow=$i"M"
    done`;
    const disturber = spawn('/bin/sh', ['-c', loop], { stdio: 'ignore', detached: true });
    try {
      for (let i = 0; i < 5; i++) {
        const made = create(bed);
        assert.is(made.code, 0, made.stderr);
        const begun = bed.start();
        assert.is(begun.code, 0, begun.stderr);
        const changed = update(bed, { pids: { limit: 40 + i } });
        assert.is(changed.code, 0, changed.stderr);
        const executed = bed.runt(['exec', bed.id, 'true']);
        assert.is(executed.code, 0, executed.stderr);
        assert.equal(
          ['cpu.max', 'pids.max', 'memory.max'].map((file) => value(unit, `container/${file}`)),
          ['12345 100000', String(40 + i), String(64 * MiB)],
        );
        await eventually(
          'the limits that systemd knows are those of the update',
          () => value(unit, 'pids.max') === String(40 + i) && value(unit, 'memory.max') === String(64 * MiB),
        );
        const removed = bed.delete('--force');
        assert.equal([removed.code, removed.stderr], [0, '']);
      }
    } finally {
      process.kill(-disturber.pid!, 'SIGKILL');
      // The last daemon-reexec may still be running.
      await eventually('systemd answers', () => spawnSync('systemctl', ['daemon-reload']).status === 0);
    }
  }),
);

test(
  'create in a frozen slice or below a frozen cgroup fails at once and names it',
  onBed((bed) => {
    const slice = `test${bed.id.replaceAll('-', '')}.slice`;
    execFileSync('systemd-run', ['--quiet', `--slice=${slice}`, '--scope', '/bin/true']);
    const top = `/sys/fs/cgroup/${bed.id}-top`;
    mkdirSync(top);
    execFileSync('systemctl', ['start', slice]);
    try {
      for (const frozen of [`/sys/fs/cgroup/${slice}`, top]) {
        writeFileSync(`${frozen}/cgroup.freeze`, '1');
        bed.config.linux.cgroupsPath = frozen === top ? `/${bed.id}-top/box` : `${slice}:runt:${bed.id}`;
        const begin = Date.now();
        const r = frozen === top ? bed.create() : create(bed);
        assert.is(r.code, 1);
        assert.ok(Date.now() - begin < 20_000, `${Date.now() - begin} ms`);
        assert.match(r.stderr, `container's cgroup unexpectedly frozen by the cgroup ${frozen}: `);
        assert.is(loaded(`runt-${bed.id}.scope`), 'not-found');
        writeFileSync(`${frozen}/cgroup.freeze`, '0');
      }
    } finally {
      spawnSync('systemctl', ['stop', slice]);
      rmdirSync(top);
    }
  }),
);

test(
  "systemd's error about a property refers to its annotation, and limits by annotation apply at once",
  onBed((bed) => {
    bed.config.annotations = { 'org.systemd.property.NoSuchThing': "'x'" };
    assert.match(create(bed).stderr, /at {2}\/annotations\/org\.systemd\.property\.NoSuchThing in config\.json/);
    bed.config.annotations = { 'org.systemd.property.TasksMax': 'uint64 0' };
    assert.match(create(bed).stderr, /at {2}\/annotations\/org\.systemd\.property\.TasksMax in config\.json/);
    bed.config.annotations = {
      'org.systemd.property.MemoryMax': `uint64 ${32 * MiB}`,
      'org.systemd.property.TasksMax': 'uint64 44',
    };
    const unit = started(bed);
    assert.equal([value(unit, 'memory.max'), value(unit, 'pids.max')], [String(32 * MiB), '44']);
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  'cpu.idle with shares is set and cleared, and a path without a prefix works',
  onBed((bed) => {
    bed.config.linux.resources = { ...bed.config.linux.resources, cpu: { idle: 1, shares: 512 } };
    bed.config.linux.cgroupsPath = `system.slice::${bed.id}`;
    bed.config.process.args = ['sleep', '1000'];
    const made = create(bed);
    assert.equal([made.code, made.stderr], [0, '']);
    assert.is(value(`-${bed.id}.scope`, 'cpu.idle'), '1');
    assert.is(bed.start().code, 0);
    assert.is(update(bed, { cpu: { idle: 0 } }).stderr, '');
    const after = ['cpu.idle', 'cpu.weight'].map((file) => value(`-${bed.id}.scope`, file));
    assert.equal(after, ['0', '100'], 'as without systemd');
    assert.is(bed.delete('--force').code, 0);
  }),
);

small(
  'the error names a memory limit that is too small for one process',
  onBed((bed) => {
    bed.config.linux.resources = { ...bed.config.linux.resources, memory: { limit: 4096 } };
    bed.config.process.args = ['sleep', '1000'];
    const r = create(bed);
    assert.is(r.code, 1);
    assert.match(r.stderr, /was killed, and systemd removed its cgroup/);
    assert.match(r.stderr, /at {2}\/linux\/resources\/memory\/limit/);
    assert.is(loaded(`runt-${bed.id}.scope`), 'not-found');
  }),
);

test.run();
small.run();
