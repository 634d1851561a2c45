/**
 * `restore --systemd-cgroup`: systemd starts the scope with criu, and criu's children stay in it. With
 * test/integration/programs/fake-criu.c, and with the real criu compared with runc.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, eventually, needing, onBed, type Result } from '../bed/bed.js';
import { onSides } from '../bed/criu-side.js';
import { programs } from '../bed/place.js';

const test = needing('restore in a unit', 'root', 'programs', 'cgroup-v2', 'systemctl', 'systemd');
const real = needing(
  'restore in a unit by criu',
  'root',
  'programs',
  'cgroup-v2',
  'systemctl',
  'systemd',
  'runc',
  'criu',
);
const fake = join(programs, 'fake-criu');
/** ms; the machine with criu is emulated. */
const slow = 60_000;

const shown = (unit: string, name: string): string =>
  spawnSync('systemctl', ['show', unit, `--property=${name}`, '--value'], { encoding: 'utf8' }).stdout.trim();
const unitOf = (bed: Bed): string => `runt-${bed.id}.scope`;

/** `runt --systemd-cgroup restore FLAGS… ID` with the fake criu, for a container with a limit. */
function commandLine(bed: Bed, ...flags: string[]): string[] {
  bed.config.process.terminal = false;
  bed.config.linux.resources = { pids: { limit: 77 } };
  bed.write();
  const images = join(bed.dir, 'images');
  mkdirSync(images, { recursive: true });
  const paths = ['--bundle', bed.bundle, '--image-path', images];
  return ['--unsafe-annotations=allow', '--criu', fake, '--systemd-cgroup', 'restore', ...paths, ...flags, bed.id];
}
const restored = (bed: Bed, env: Record<string, string> = {}): Result =>
  bed.runt(commandLine(bed, '-d'), { env: { PATH: process.env.PATH ?? '', ...env } });

/** Asserts that nothing of the unit is left. */
async function gone(bed: Bed): Promise<void> {
  await eventually('the unit is gone', () => shown(unitOf(bed), 'LoadState') === 'not-found', slow);
  assert.not.ok(existsSync(`/sys/fs/cgroup/system.slice/${unitOf(bed)}`));
}

for (const [what, annotations, below] of [
  ['the unit’s cgroup', {}, ''],
  ['the cgroup of run.oci.systemd.subgroup', { 'run.oci.systemd.subgroup': 'sub' }, '/sub'],
  [
    'the cgroup of run.oci.delegate-cgroup',
    { 'run.oci.systemd.subgroup': 'sub', 'run.oci.delegate-cgroup': 'own' },
    '/sub/own',
  ],
] as const) {
  test(
    `restore -d into ${what} puts the process there with its limits, and update, pause and delete find the unit`,
    onBed(async (bed) => {
      bed.config.annotations = { ...annotations };
      const r = restored(bed);
      assert.equal([r.code, r.stderr], [0, '']);
      const unit = unitOf(bed);
      const { pid, status } = bed.state();
      assert.is(status, 'running');
      assert.is(readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim(), `0::/system.slice/${unit}${below}`);
      const directory = `/sys/fs/cgroup/system.slice/${unit}`;
      await eventually(
        'criu is gone',
        () => readFileSync(`${directory}${below}/cgroup.procs`, 'utf8').trim() === String(pid),
      );
      assert.equal([shown(unit, 'TasksMax'), shown(unit, 'SubState')], ['77', 'running']);
      assert.is(readFileSync(`${directory}${below && '/sub'}/pids.max`, 'utf8'), '77\n');
      assert.is(bed.runt(['update', '--pids-limit=44', bed.id]).code, 0);
      assert.is(shown(unit, 'TasksMax'), '44');
      assert.is(bed.runt(['pause', bed.id]).code, 0);
      assert.is(bed.runt(['resume', bed.id]).code, 0);
      const removed = bed.delete('--force');
      assert.equal([removed.code, removed.stderr], [0, '']);
      await gone(bed);
    }),
  );
}

test(
  'a foreground restore removes the unit at its end',
  onBed(async (bed) => {
    const running = bed.spawn(commandLine(bed));
    await eventually('it runs', () => bed.runt(['state', bed.id]).code === 0 && bed.state().status === 'running', slow);
    assert.is(bed.kill('KILL').code, 0);
    assert.is((await running.exit).code, 137);
    await gone(bed);
  }),
);

test(
  'a failed restore leaves no unit, and a restore into an existing unit is refused and leaves it unchanged',
  onBed(async (bed) => {
    const failed = restored(bed, { FAKE_ERROR: 'bad image' });
    assert.equal([failed.code, failed.stderr.includes('criu failed: bad image')], [1, true], failed.stderr);
    await gone(bed);
    assert.is(bed.runt(['state', bed.id]).code, 1);
    spawnSync('systemd-run', ['--scope', `--unit=${unitOf(bed)}`, 'sh', '-c', 'sleep 60 & sleep 0.1'], {
      stdio: 'ignore',
    });
    const busy = restored(bed);
    assert.is(busy.code, 1);
    assert.match(busy.stderr, `start ${unitOf(bed)}: the unit exists already`);
    assert.is(shown(unitOf(bed), 'SubState'), 'running');
    spawnSync('systemctl', ['stop', unitOf(bed)]);
    await gone(bed);
  }),
);

real(
  'a counter continues after a restore, in a scope with the same name, slice and limits as with runc',
  onSides(
    (side) => {
      side.bed.config.linux.resources.pids = { limit: 77 };
      side.started(['/kept', 'memory', '1']);
      side.goesOn();
      const unit = `${side.name}-${side.id}.scope`;
      const facts = () => {
        const place = readFileSync(`/proc/${side.state().pid}/cgroup`, 'utf8').trim().split('\n');
        assert.equal(place, [`0::/system.slice/${unit}`]);
        return ['TasksMax', 'SubState', 'Slice', 'Delegate'].map((name) => shown(unit, name));
      };
      const before = facts();
      side.checkpoint();
      side.restore();
      side.goesOn();
      const after = facts();
      assert.equal(after, before);
      side.ends();
      assert.is(shown(unit, 'LoadState'), 'not-found');
      return after;
    },
    ['--systemd-cgroup'],
  ),
);

test.run();
real.run();
