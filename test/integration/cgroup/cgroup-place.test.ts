/** The default cgroup on v2 under systemd, when the config has no cgroupsPath: outside of what systemd manages. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { COMMAND_LIMIT } from '../../deadline.js';
import { type Bed, needing, onBed } from '../bed/bed.js';
import { runtPath } from '../bed/place.js';

const test = needing('default cgroup', 'root', 'cgroup-v2', 'systemctl', 'systemd');

/** Runs runt in a transient service and returns its status and output. */
function inService(bed: Bed, properties: readonly string[], shell: string): { status: number | null; said: string } {
  const unit = `${bed.id}.service`;
  const args = ['--quiet', '--pipe', '--wait', `--unit=${unit}`, ...properties.map((p) => `--property=${p}`)];
  // A script file, because systemd expands $$ in the arguments of a command.
  const script = join(bed.dir, 'script');
  writeFileSync(script, shell);
  const r = spawnSync('systemd-run', [...args, '/bin/sh', script], { encoding: 'utf8', timeout: COMMAND_LIMIT });
  return { status: r.status, said: `${r.stdout}${r.stderr}` };
}

const placeOf = (bed: Bed): string => {
  const { pid } = bed.state();
  return readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().slice('0::'.length);
};

test(
  'in a service, the default cgroup is at the root of the hierarchy, and systemd keeps its controllers',
  onBed((bed) => {
    delete bed.config.linux.cgroupsPath;
    bed.config.linux.resources = { cpu: { shares: 512 }, pids: { limit: 33 } };
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const create = `${runtPath} --root ${bed.root} create --bundle ${bed.bundle} ${bed.id} </dev/null >/dev/null 2>&1`;
    const { status, said } = inService(bed, ['KillMode=process'], create);
    assert.is(status, 0, said);
    assert.is(placeOf(bed), `/${bed.id}`);
    const weight = (): string => readFileSync(`/sys/fs/cgroup/${bed.id}/cpu.weight`, 'utf8').trim();
    const before = weight();
    execFileSync('systemctl', ['daemon-reload']);
    execFileSync('systemd-run', ['--quiet', '--wait', '/bin/true']);
    assert.is(weight(), before);
    assert.is(readFileSync(`/sys/fs/cgroup/${bed.id}/pids.max`, 'utf8').trim(), '33');
    assert.is(bed.delete('--force').code, 0);
    assert.not.ok(existsSync(`/sys/fs/cgroup/${bed.id}`));
  }),
);

test(
  'in a cgroup below a delegated service, the default cgroup is in that service, and its limits apply',
  onBed((bed) => {
    delete bed.config.linux.cgroupsPath;
    bed.config.linux.resources = { pids: { limit: 33 } };
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const runt = `${runtPath} --root ${bed.root}`;
    const shell = `c=/sys/fs/cgroup$(sed s/0:://  /proc/self/cgroup); mkdir $c/own && echo $$ >$c/own/cgroup.procs &&
      ${runt} create --bundle ${bed.bundle} ${bed.id} </dev/null >/dev/null 2>&1 && cat /proc/$(${runt} state ${bed.id} | sed -n 's/.*"pid": *\\([0-9]*\\).*/\\1/p')/cgroup
      ${runt} delete --force ${bed.id}; cat $c/pids.max`;
    const { said } = inService(bed, ['Delegate=yes', 'TasksMax=55'], shell);
    assert.is(said, `0::/system.slice/${bed.id}.service/${bed.id}\n55\n`);
  }),
);

test(
  "a relative cgroupsPath is a sibling of the caller's cgroup",
  onBed((bed) => {
    const own = readFileSync('/proc/self/cgroup', 'utf8').trim().slice('0::'.length);
    const parent = own.slice(0, own.lastIndexOf('/'));
    bed.config.linux.cgroupsPath = `${bed.id}-named`;
    bed.started();
    assert.is(placeOf(bed), `${parent}/${bed.id}-named`);
    bed.delete('--force');
  }),
);

test.run();
