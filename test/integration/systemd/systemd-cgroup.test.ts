/** `--systemd-cgroup`: the container's scope as systemd, the kernel and runc see it, from its start to its end. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { COMMAND_LIMIT } from '../../deadline.js';
import { cgroupsNamed } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { create, directory, loaded, shown, value } from '../bed/systemd-unit.js';

const test = needing('systemd manages the cgroup', 'root', 'cgroup-v2', 'systemctl', 'systemd');
const withRunc = needing(
  'systemd manages the cgroup as with runc',
  'root',
  'cgroup-v2',
  'systemctl',
  'systemd',
  'runc',
);
const MiB = 1 << 20;

const limited = (bed: Bed): void => {
  bed.config.process.args = ['sleep', '1000'];
  bed.config.linux.resources = {
    ...bed.config.linux.resources,
    memory: { limit: 64 * MiB, swap: 96 * MiB, reservation: MiB },
    cpu: { shares: 1024, quota: 13000, period: 100000 },
    pids: { limit: 77 },
  };
};

test(
  'under a pids limit of 1, a container that joins a pid namespace fits into its scope',
  onBed((bed) => {
    const holder = `${bed.id}-holder`;
    bed.config.process.args = ['sleep', '1000'];
    bed.write();
    assert.is(bed.runt(['--systemd-cgroup', 'create', '--bundle', bed.bundle, holder]).code, 0);
    try {
      assert.is(bed.runt(['start', holder]).code, 0);
      const path = `/proc/${JSON.parse(bed.runt(['state', holder]).stdout).pid}/ns/pid`;
      bed.config.linux.namespaces = [
        ...bed.config.linux.namespaces.filter((n) => n.type !== 'pid'),
        { type: 'pid', path },
      ];
      bed.config.linux.resources = { ...bed.config.linux.resources, pids: { limit: 1 } };
      const r = create(bed);
      assert.is(r.code, 0, r.stderr);
      assert.is(bed.start().code, 0);
      const unit = `runt-${bed.id}.scope`;
      assert.is(value(unit, 'cgroup.procs'), String(bed.state().pid));
      assert.is(value(unit, 'pids.max'), '1');
      assert.is(bed.delete('--force').code, 0);
    } finally {
      bed.runt(['delete', '--force', holder]);
    }
  }),
);

test(
  "the scope has the config's limits, update changes systemd's too, daemon-reload none, and delete removes it",
  onBed((bed) => {
    limited(bed);
    bed.config.annotations = {
      'org.systemd.property.TimeoutStopUSec': 'uint64 123456789',
      'org.systemd.property.CollectMode': "'inactive-or-failed'",
    };
    const made = create(bed);
    assert.equal([made.code, made.stderr], [0, '']);
    const unit = `runt-${bed.id}.scope`;
    assert.is(bed.start().code, 0);
    const state = bed.state();
    assert.equal(value(unit, 'cgroup.procs'), String(state.pid), 'the container alone is in it');
    const names = [
      'MemoryMax',
      'MemorySwapMax',
      'MemoryLow',
      'CPUWeight',
      'TasksMax',
      'Delegate',
      'Slice',
      'ControlGroup',
      'TimeoutStopUSec',
      'CollectMode',
      'DevicePolicy',
      'CPUQuotaPerSecUSec',
      'SubState',
    ];
    assert.equal(shown(unit, ...names), {
      CPUQuotaPerSecUSec: '130ms',
      CPUWeight: '100',
      CollectMode: 'inactive-or-failed',
      ControlGroup: `/system.slice/${unit}`,
      Delegate: 'yes',
      DevicePolicy: 'strict',
      MemoryLow: String(MiB),
      MemoryMax: String(64 * MiB),
      MemorySwapMax: String(32 * MiB),
      Slice: 'system.slice',
      SubState: 'running',
      TasksMax: '77',
      TimeoutStopUSec: '2min 3.456789s',
    });
    assert.equal(
      ['memory.max', 'memory.swap.max', 'cpu.max', 'pids.max'].map((f) => value(unit, f)),
      [String(64 * MiB), String(32 * MiB), '13000 100000', '77'],
    );

    const flags = ['--memory=128m', '--memory-swap=256m', '--cpu-quota=50000', '--pids-limit=33'];
    const updated = bed.runt(['update', ...flags, bed.id]);
    assert.equal([updated.code, updated.stderr], [0, '']);
    spawnSync('systemctl', ['daemon-reload']);
    assert.equal(shown(unit, 'MemoryMax', 'MemorySwapMax', 'TasksMax', 'CPUQuotaPerSecUSec', 'MemoryLow'), {
      CPUQuotaPerSecUSec: '500ms',
      MemoryLow: String(MiB),
      MemoryMax: String(128 * MiB),
      MemorySwapMax: String(128 * MiB),
      TasksMax: '33',
    });
    assert.equal(
      ['memory.max', 'memory.swap.max', 'cpu.max', 'pids.max'].map((f) => value(unit, f)),
      [String(128 * MiB), String(128 * MiB), '50000 100000', '33'],
    );

    assert.is(bed.runt(['exec', bed.id, 'cat', '/proc/self/cgroup']).code, 0);
    assert.is(bed.runt(['pause', bed.id]).code, 0);
    assert.is(bed.state().status, 'paused');
    assert.is(bed.runt(['resume', bed.id]).code, 0);
    assert.is(JSON.parse(bed.runt(['events', '--stats', bed.id]).stdout).data.memory.usage.limit, 128 * MiB);
    assert.is(bed.delete('--force').code, 0);
    assert.is(loaded(unit), 'not-found');
    assert.not.ok(existsSync(directory(unit)));
  }),
);

test(
  'a foreground run removes the unit at its end',
  onBed((bed) => {
    bed.config.process.args = ['cat', '/proc/self/cgroup'];
    bed.write();
    const r = bed.runt(['--systemd-cgroup', 'run', '--bundle', bed.bundle, bed.id]);
    assert.equal([r.code, r.stderr], [0, '']);
    assert.is(loaded(`runt-${bed.id}.scope`), 'not-found');
  }),
);

test(
  'device rules are enforced, and update changes them for systemd too',
  onBed((bed) => {
    bed.config.process.args = ['sleep', '1000'];
    bed.config.linux.devices = [{ path: '/dev/kmsg', type: 'c', major: 1, minor: 11, fileMode: 0o666 }];
    bed.config.linux.resources = {
      devices: [
        { allow: false, access: 'rwm' },
        { allow: true, type: 'c', major: 1, minor: 11, access: 'rw' },
      ],
    };
    assert.is(create(bed).stderr, '');
    assert.is(bed.start().code, 0);
    const unit = `runt-${bed.id}.scope`;
    const opens = () => bed.runt(['exec', bed.id, 'sh', '-c', ': >/dev/kmsg']).code === 0;
    assert.ok(opens());
    assert.match(
      spawnSync('systemctl', ['show', unit, '--property=DeviceAllow'], { encoding: 'utf8' }).stdout,
      'DeviceAllow=/dev/char/1:11 rw\n',
    );
    const resources = { devices: [{ allow: false, access: 'rwm' }] };
    const r = bed.runt(['update', '--resources=-', bed.id], { input: JSON.stringify(resources) });
    assert.equal([r.code, r.stderr], [0, '']);
    assert.not.ok(opens());
    assert.not.match(
      spawnSync('systemctl', ['show', unit, '--property=DeviceAllow'], { encoding: 'utf8' }).stdout,
      '1:11',
    );
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  'slice:prefix:name makes slices, and a killed supervised container leaves no failed unit',
  onBed((bed) => {
    const slice = `test-${bed.id.replaceAll('-', '')}.slice`;
    bed.config.linux.cgroupsPath = `${slice}:pre:${bed.id}`;
    bed.config.process.args = ['sleep', '1000'];
    const made = create(bed, '--supervise');
    assert.equal([made.code, made.stderr], [0, '']);
    const unit = `pre-${bed.id}.scope`;
    assert.is(shown(unit, 'ControlGroup').ControlGroup, `/test.slice/${slice}/${unit}`);
    assert.is(bed.start().code, 0);
    assert.is(bed.kill(9).code, 0);
    assert.is(bed.runt(['wait', bed.id]).stdout.trim(), '137');
    assert.is(bed.delete().code, 0);
    assert.is(loaded(unit), 'not-found');
    spawnSync('systemctl', ['stop', slice, 'test.slice']);
  }),
);

test(
  'a failed create leaves no unit, and an existing unit is refused',
  onBed((bed) => {
    const unit = `runt-${bed.id}.scope`;
    bed.config.mounts.push({ destination: '/x', type: 'bind', source: '/not/there', options: ['bind'] });
    assert.is(create(bed).code, 1);
    assert.is(loaded(unit), 'not-found');
    bed.config.mounts.pop();

    bed.config.annotations = { 'org.systemd.property.NoSuchThing': "'x'" };
    const unknown = create(bed);
    assert.is(unknown.code, 1);
    assert.match(unknown.stderr, /NoSuchThing.*\(org\.freedesktop\.DBus\.Error\.PropertyReadOnly\)|NoSuchThing/);
    assert.equal([loaded(unit), existsSync(join(bed.root, bed.id))], ['not-found', false]);

    delete bed.config.annotations;
    spawnSync('systemd-run', ['--scope', `--unit=${unit}`, 'sh', '-c', 'sleep 60 & sleep 0.1'], { stdio: 'ignore' });
    const busy = create(bed);
    assert.is(busy.code, 1);
    assert.match(busy.stderr, `start ${unit}: the unit exists already`);
    assert.is(shown(unit, 'SubState').SubState, 'running');
    spawnSync('systemctl', ['stop', unit]);
    assert.equal(cgroupsNamed(bed.id), []);
  }),
);

test(
  "run.oci.systemd.subgroup puts the container, its limits and execs below the unit's cgroup, as with crun",
  onBed((bed) => {
    limited(bed);
    bed.config.annotations = { 'run.oci.systemd.subgroup': 'container' };
    const made = create(bed);
    assert.equal([made.code, made.stderr], [0, '']);
    assert.is(bed.start().code, 0);
    const unit = `runt-${bed.id}.scope`;
    assert.equal([value(unit, 'cgroup.procs'), value(unit, 'container/cgroup.procs')], ['', String(bed.state().pid)]);
    assert.equal([value(unit, 'container/memory.max'), value(unit, 'container/pids.max')], [String(64 * MiB), '77']);
    assert.match(value(unit, 'cgroup.subtree_control'), /\bmemory\b.*\bpids\b/);
    assert.is(bed.runt(['update', '--pids-limit=44', bed.id]).code, 0);
    assert.equal([value(unit, 'container/pids.max'), shown(unit, 'TasksMax').TasksMax], ['44', '44']);
    const place = bed.runt(['exec', bed.id, 'sh', '-c', 'cat /proc/self/cgroup; sleep 0.5']).stdout;
    assert.ok(place === '0::/\n' || place.endsWith(`/${unit}/container\n`), place);
    assert.is(bed.delete('--force').code, 0);
    assert.equal([loaded(unit), existsSync(directory(unit))], ['not-found', false]);
    for (const name of ['a/b', '..', 'memory.max']) {
      bed.config.annotations['run.oci.systemd.subgroup'] = name;
      const refused = create(bed);
      assert.is(refused.code, 1);
      assert.match(refused.stderr, '/annotations/run.oci.systemd.subgroup');
    }
  }),
);

test(
  'delete --force of a container with a damaged state stops its unit too',
  onBed(async (bed) => {
    bed.config.process.args = ['sleep', '1000'];
    assert.is(create(bed).stderr, '');
    assert.is(bed.start().code, 0);
    const file = join(bed.root, bed.id, 'state.json');
    const text = readFileSync(file, 'utf8');
    // Truncated after the unit, which only systemd can stop: its cgroup cannot be removed while it has processes.
    writeFileSync(file, text.slice(0, -3));
    const unit = `runt-${bed.id}.scope`;
    const r = bed.delete('--force');
    assert.equal([r.code, r.stderr], [0, '']);
    // systemd unloads a stopped unit with a delay.
    await eventually('the unit is gone', () => loaded(unit) === 'not-found');
    assert.not.ok(existsSync(directory(unit)));
  }),
);

for (const [what, damage] of [
  ['has no process', (text: string) => text.replace(/"pid":\d+/g, '"pid":"?"')],
  ['has neither cgroups nor unit', (text: string) => text.slice(0, text.indexOf('"cgroups"'))],
] as const) {
  test(
    `delete --force ends all processes below the unit's cgroup even if the state ${what}`,
    onBed(async (bed) => {
      bed.config.process.args = ['sh', '-c', 'sleep 1000 & exec sleep 1001'];
      bed.config.linux.resources = { ...bed.config.linux.resources, cpu: { quota: 12345 } };
      bed.config.linux.namespaces = bed.config.linux.namespaces!.filter(({ type }) => type !== 'pid');
      assert.is(create(bed).stderr, '');
      assert.is(bed.start().code, 0);
      const unit = `runt-${bed.id}.scope`;
      assert.ok(existsSync(join(directory(unit), 'container')));
      await eventually('both processes', () => value(unit, 'container/cgroup.procs').split('\n').length === 2);
      const file = join(bed.root, bed.id, 'state.json');
      writeFileSync(file, damage(readFileSync(file, 'utf8')));
      assert.is(bed.delete('--force').code, 0);
      await eventually('the unit is gone', () => loaded(unit) === 'not-found');
      assert.not.ok(existsSync(directory(unit)));
    }),
  );
}

for (const quota of [20000, 12345])
  test(
    `delete refuses to stop a unit with another container ${quota === 12345 ? 'beside the cgroup of' : 'below'} its own`,
    onBed((bed) => {
      const inner = `${bed.id}-inner`;
      const unit = `runt-${bed.id}.scope`;
      bed.config.process.args = ['sleep', '1000'];
      bed.config.linux.resources = { ...bed.config.linux.resources, cpu: { quota } };
      assert.is(create(bed).stderr, '');
      assert.is(bed.start().code, 0);
      bed.config.linux.cgroupsPath = `/system.slice/${unit}/inner`;
      // A cgroup with processes cannot enable controllers, so the inner one needs none.
      delete (bed.config.linux as { resources?: unknown }).resources;
      bed.write();
      const made = bed.runt(['create', '--bundle', bed.bundle, inner]);
      assert.is(made.code, 0, made.stderr);
      assert.is(bed.runt(['start', inner]).code, 0);
      const r = bed.delete('--force');
      assert.is(r.code, 1);
      assert.match(r.stderr, `the container ${inner} is in it or below`);
      assert.is(JSON.parse(bed.runt(['state', inner]).stdout).status, 'running');
      assert.is(bed.state().status, 'running');
      assert.is(bed.runt(['delete', '--force', inner]).code, 0);
      assert.is(bed.delete('--force').code, 0);
      assert.is(loaded(unit), 'not-found');
    }),
  );

/** Starts a detached container with this script under a supervisor, in 16 MiB; returns the supervisor's pid. */
function supervised(bed: Bed, script: string): number {
  bed.config.process.terminal = false;
  bed.config.process.args = ['sh', '-c', script];
  bed.config.linux.resources = { ...bed.config.linux.resources, memory: { limit: 16 * MiB, swap: 16 * MiB } };
  bed.write();
  const flags = ['--unsafe-annotations=allow', '--systemd-cgroup'];
  const r = bed.runt([...flags, 'run', '--detach', '--supervise', '--bundle', bed.bundle, bed.id]);
  assert.equal([r.code, r.stderr], [0, '']);
  return (JSON.parse(readFileSync(join(bed.root, bed.id, 'state.json'), 'utf8')) as { supervisor: { pid: number } })
    .supervisor.pid;
}
const ended = (bed: Bed): { status: number; oom: boolean } => {
  const { status, oom } = JSON.parse(bed.runt(['wait', '--format', 'json', bed.id]).stdout);
  return { status, oom };
};
const exhaust = 'x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done';

/** Stops a supervisor during an action, until systemd has removed the cgroup. */
async function tooLate(bed: Bed, supervisor: number, during: () => void): Promise<void> {
  process.kill(supervisor, 'SIGSTOP');
  try {
    during();
    await eventually('systemd removes the cgroup', () => !existsSync(directory(`runt-${bed.id}.scope`)));
  } finally {
    process.kill(supervisor, 'SIGCONT');
  }
}

for (const subgroup of ['', 'container']) {
  test(
    `a supervisor that is too late to read the count of OOM kills still reports one${subgroup && " below the unit's cgroup"}`,
    onBed(async (bed) => {
      if (subgroup) bed.config.annotations = { 'run.oci.systemd.subgroup': subgroup };
      const supervisor = supervised(bed, `until [ -e /go ]; do sleep 0.05; done; ${exhaust}`);
      await tooLate(bed, supervisor, () => writeFileSync(join(bed.rootfs, 'go'), ''));
      assert.equal(ended(bed), { status: 137, oom: true });
      assert.is(bed.delete().code, 0);
    }),
  );
}

test(
  'an OOM kill is always recorded, whether the supervisor or systemd is first',
  onBed((bed) => {
    for (let i = 0; i < 8; i++) {
      supervised(bed, exhaust);
      assert.equal(ended(bed), { status: 137, oom: true }, `container ${i}`);
      assert.is(bed.delete().code, 0);
    }
  }),
);

test(
  'an OOM kill in another cgroup does not count for a killed container whose count could not be read',
  onBed(async (bed) => {
    const supervisor = supervised(bed, 'exec sleep 1000');
    await tooLate(bed, supervisor, () => {
      const limits = ['--property=MemoryMax=16M', '--property=MemorySwapMax=0'];
      const other = spawnSync('systemd-run', ['--scope', ...limits, `--unit=other-${bed.id}`, 'sh', '-c', exhaust]);
      assert.is(other.signal ?? other.status, 'SIGKILL');
      assert.is(bed.kill('KILL').code, 0);
    });
    assert.equal(ended(bed), { status: 137, oom: false });
    assert.is(bed.delete().code, 0);
  }),
);

withRunc(
  "systemd shows the same properties as for runc's scope",
  onBed((bed) => {
    limited(bed);
    bed.config.linux.resources!.cpu = { quota: 13000, period: 100000 };
    // Without a cgroup namespace, runc 1.1 changes the options of the host's cgroup mount (cgroup_namespaces(7)).
    bed.config.linux.namespaces.push({ type: 'cgroup' });
    assert.is(create(bed).stderr, '');
    const root = join(bed.dir, 'runc');
    const args = ['--root', root, '--systemd-cgroup', 'create', '--bundle', bed.bundle, bed.id];
    // Not a pipe: the container would hold it open.
    assert.is(spawnSync('runc', args, { stdio: 'ignore', timeout: COMMAND_LIMIT }).status, 0);
    const names = [
      'Slice',
      'Delegate',
      'DefaultDependencies',
      'MemoryMax',
      'MemorySwapMax',
      'MemoryLow',
      'CPUQuotaPerSecUSec',
      'CPUQuotaPeriodUSec',
      'TasksMax',
      'DevicePolicy',
      'CPUAccounting',
      'IOAccounting',
      'MemoryAccounting',
      'TasksAccounting',
      'KillMode',
      'CollectMode',
      'SubState',
    ];
    const ours = shown(`runt-${bed.id}.scope`, ...names);
    assert.equal(ours, shown(`runc-${bed.id}.scope`, ...names));
    // systemd 262 always accounts CPU time.
    assert.equal(
      names.filter((name) => !(name in ours) && name !== 'CPUAccounting'),
      [],
    );
    spawnSync('runc', ['--root', root, 'delete', '--force', bed.id]);
    assert.is(bed.delete('--force').code, 0);
  }),
);

test.run();
withRunc.run();
