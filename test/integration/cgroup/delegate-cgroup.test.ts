/** `run.oci.delegate-cgroup`: what the container can and cannot do with its cgroup, compared with crun. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';

const test = needing('a delegated cgroup', 'root', 'cgroup-v2');
const withSystemd = needing('a delegated cgroup in a unit', 'root', 'cgroup-v2', 'systemctl', 'systemd');
const withCrun = needing('a delegated cgroup beside crun', 'root', 'cgroup-v2', 'systemctl', 'systemd', 'crun');
const MiB = 1 << 20;

/** Adds limits and delegates /sys/fs/cgroup/…/own, which the process can write and which is the root it sees. */
function delegated(bed: Bed, cgroupsPath: string): void {
  const { config } = bed;
  config.process.terminal = false;
  config.process.args = ['sleep', '1000'];
  config.annotations = { 'run.oci.delegate-cgroup': 'own' };
  config.linux.cgroupsPath = cgroupsPath;
  config.linux.resources = { memory: { limit: 64 * MiB }, pids: { limit: 50 } };
  if (!config.linux.namespaces!.some((n) => n.type === 'cgroup')) config.linux.namespaces!.push({ type: 'cgroup' });
  config.mounts = config.mounts!.filter((m) => m.destination !== '/sys/fs/cgroup');
  config.mounts.push({ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'rw'] });
  bed.write();
}

/** A container that uses its cgroup: moves itself, enables controllers for children, sets a limit. */
const manage = `cd /sys/fs/cgroup && mkdir leaf sub && for p in $(cat cgroup.procs); do echo $p >leaf/cgroup.procs || :; done 2>/dev/null &&
  echo "+memory +pids" >cgroup.subtree_control && echo 7 >sub/pids.max && cat sub/pids.max`;

for (const [by, suite, flags, path, at] of [
  ['by cgroupfs', test, [], (id: string) => `/${id}`, (id: string) => id],
  [
    'by systemd',
    withSystemd,
    ['--systemd-cgroup'],
    (id: string) => `system.slice:runt:${id}`,
    (id: string) => `system.slice/runt-${id}.scope`,
  ],
] as const) {
  suite(
    `${by}: the container manages its delegated cgroup, and the limits are on the cgroup above`,
    onBed(async (bed) => {
      delegated(bed, path(bed.id));
      const made = bed.runt(['--unsafe-annotations=allow', ...flags, 'create', '--bundle', bed.bundle, bed.id]);
      assert.equal([made.code, made.stderr], [0, '']);
      assert.is(bed.start().code, 0);
      const limited = `/sys/fs/cgroup/${at(bed.id)}`;
      const value = (file: string) => readFileSync(join(limited, file), 'utf8').trim();
      assert.equal([value('memory.max'), value('pids.max')], [String(64 * MiB), '50']);
      assert.equal([value('own/memory.max'), value('own/pids.max')], ['max', 'max']);
      assert.equal([value('cgroup.procs'), value('own/cgroup.procs')], ['', String(bed.state().pid)]);
      const exec = (script: string) => bed.runt(['exec', bed.id, 'sh', '-c', script]);
      assert.is(exec('cat /proc/self/cgroup').stdout, '0::/\n', 'an exec is in it too');
      assert.is(exec('cat /sys/fs/cgroup/pids.max').stdout, 'max\n');
      const managed = exec(manage);
      assert.equal([managed.code, managed.stdout], [0, '7\n'], managed.stderr);
      assert.equal([value('own/cgroup.procs'), value('own/sub/pids.max')], ['', '7']);
      assert.is(exec('cat /proc/self/cgroup').stdout, '0::/leaf\n', 'and where the container has gone');

      const updated = bed.runt(['update', '--pids-limit=44', bed.id]);
      assert.equal([updated.code, updated.stderr], [0, '']);
      assert.equal([value('pids.max'), value('own/sub/pids.max')], ['44', '7']);
      assert.is(bed.runt(['pause', bed.id]).code, 0);
      assert.is(bed.state().status, 'paused');
      assert.is(bed.runt(['resume', bed.id]).code, 0);
      assert.is(JSON.parse(bed.runt(['events', '--stats', bed.id]).stdout).data.pids.limit, 44);
      const removed = bed.delete('--force');
      assert.equal([removed.code, removed.stderr], [0, '']);
      await eventually('the cgroups are gone', () => !existsSync(limited));
    }),
  );
}

test(
  'the root of a user namespace owns the delegated cgroup, not the one with the limits',
  onBed((bed) => {
    delegated(bed, `/${bed.id}`);
    bed.config.linux.namespaces!.push({ type: 'user' });
    bed.config.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 1000 }];
    bed.config.linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 1000 }];
    spawnSync('chown', ['-R', '100000:100000', bed.rootfs]);
    bed.write();
    const made = bed.runt(['--unsafe-annotations=allow', 'create', '--bundle', bed.bundle, bed.id]);
    assert.equal([made.code, made.stderr], [0, '']);
    assert.is(bed.start().code, 0);
    const owners = (dir: string) =>
      spawnSync('stat', ['-c', '%u', dir, `${dir}/cgroup.procs`, `${dir}/pids.max`], { encoding: 'utf8' }).stdout;
    assert.is(owners(`/sys/fs/cgroup/${bed.id}`), '0\n0\n0\n');
    assert.is(owners(`/sys/fs/cgroup/${bed.id}/own`), '100000\n100000\n0\n');
    const managed = bed.runt(['exec', bed.id, 'sh', '-c', manage]);
    assert.equal([managed.code, managed.stdout], [0, '7\n'], managed.stderr);
    assert.is(bed.delete('--force').code, 0);
  }),
);

withCrun(
  'paths and controllers equal those of crun, with run.oci.systemd.subgroup too',
  onBed((bed) => {
    for (const subgroup of ['', 'container']) {
      delegated(bed, `system.slice:a:${bed.id}`);
      bed.config.annotations!['run.oci.systemd.subgroup'] = subgroup;
      bed.write();
      /**
       * One line for each cgroup of the container: its controllers, its subtree_control, its pids limit, its number of
       * processes.
       */
      const facts = (unit: string): string[] => {
        const top = `/sys/fs/cgroup/system.slice/${unit}`;
        const all = spawnSync('find', [top, '-type', 'd'], { encoding: 'utf8' }).stdout.trim().split('\n').sort();
        return all.map((dir) => {
          // crun does not enable rdma for the cgroups below.
          const of = (file: string) =>
            readFileSync(join(dir, file), 'utf8')
              .replace(/ ?\brdma\b/, '')
              .trim();
          const processes = of('cgroup.procs').split('\n').filter(Boolean).length;
          return `${dir.slice(top.length)}: ${of('cgroup.controllers')}; ${of('cgroup.subtree_control')}; ${of('pids.max')}; ${processes}`;
        });
      };
      const made = bed.runt([
        '--unsafe-annotations=allow',
        '--systemd-cgroup',
        'create',
        '--bundle',
        bed.bundle,
        bed.id,
      ]);
      assert.equal([made.code, made.stderr], [0, '']);
      const ours = facts(`a-${bed.id}.scope`);
      assert.is(bed.delete('--force').code, 0);
      const root = join(bed.dir, 'crun');
      const crun = (...args: string[]) =>
        spawnSync('crun', ['--root', root, '--systemd-cgroup', ...args], {
          encoding: 'utf8',
          stdio: ['ignore', 'ignore', 'ignore'],
        });
      try {
        assert.is(crun('create', '--bundle', bed.bundle, bed.id).status, 0);
        assert.equal(ours, facts(`a-${bed.id}.scope`), `subgroup "${subgroup}"`);
      } finally {
        crun('delete', '--force', bed.id);
      }
    }
  }),
);

test(
  'delete --force ends and removes the delegated cgroup even if state.json lists no cgroups',
  onBed((bed) => {
    delegated(bed, `/${bed.id}`);
    assert.is(bed.runt(['--unsafe-annotations=allow', 'create', '--bundle', bed.bundle, bed.id]).code, 0);
    const file = join(bed.root, bed.id, 'state.json');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.slice(0, text.indexOf('"cgroups"')));
    assert.is(bed.delete('--force').code, 0);
    assert.not.ok(existsSync(`/sys/fs/cgroup/${bed.id}`));
  }),
);

test.run();
withSystemd.run();
withCrun.run();
