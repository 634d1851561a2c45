/** The v1 freezer mounted under another name, absent, or frozen below the container's cgroup. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { cgroupsNamed } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { runtPath } from '../bed/place.js';

const test = needing('freezer', 'root', 'cgroup-v1', 'mount', 'unshare', 'nsenter');

/** Hierarchies by directory, in a private tmpfs over /sys/fs/cgroup: the machine's own mounts do not change. */
type Hierarchies = Record<string, string>;

/** Calls `use` with a function that runs a program where only these hierarchies are mounted. */
async function mounted(hierarchies: Hierarchies, use: (sh: (...words: string[]) => string) => Promise<void> | void) {
  const mounts = Object.entries(hierarchies).map(([name, options]) => {
    const type = options === 'v2' ? '-t cgroup2' : `-t cgroup -o ${options}`;
    return `mkdir /sys/fs/cgroup/${name}; mount ${type} none /sys/fs/cgroup/${name}`;
  });
  const script = ['mount -t tmpfs none /sys/fs/cgroup', ...mounts, 'echo ready', 'exec sleep 1000'].join('; ');
  const keeper: ChildProcess = spawn('unshare', ['-m', '--propagation', 'private', 'sh', '-ec', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  keeper.stdout!.on('data', (data) => {
    said += data;
  });
  try {
    await eventually('the mounts', () => said.includes('ready'));
    await use((...words) => {
      const all = ['-t', String(keeper.pid), '-m', ...words];
      const r = spawnSync('nsenter', all, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
      return r.stdout + r.stderr;
    });
  } finally {
    keeper.kill('SIGKILL');
  }
}

/** Starts a container that sleeps, and returns a function that runs commands of the program on it. */
function sleeper(bed: Bed, sh: (...words: string[]) => string): (...words: string[]) => string {
  bed.config.process.args = ['/bin/sleep', '1000'];
  // Its device rules would need a hierarchy that is not mounted.
  bed.config.linux.resources = {};
  bed.config.mounts = bed.config.mounts.filter((m) => m.type !== 'cgroup');
  bed.write();
  const runt = (...words: string[]) => sh(runtPath, '--root', bed.root, ...words);
  // Output goes to a file: the container would hold a pipe open.
  const run = [runtPath, '--root', bed.root, 'run', '-d', '-b', bed.bundle, bed.id];
  sh('sh', '-c', 'out=$1; shift; exec "$@" >"$out" 2>&1', 'sh', join(bed.dir, 'out'), ...run);
  assert.is(readFileSync(join(bed.dir, 'out'), 'utf8'), '');
  return runt;
}

const status = (text: string) => (JSON.parse(text) as { status: string }).status;

/** The files called `name`, with their content, of the container's cgroups; other tests' cgroups vanish under find. */
const files = (bed: Bed, sh: (...words: string[]) => string, name: string) => {
  const find = `find /sys/fs/cgroup -path '*${bed.id}*' -name ${name} -exec sh -c 'echo $0 $(cat $0)' {} ';'`;
  return sh('sh', '-c', `${find} 2>/dev/null`).trim();
};

for (const [name, hierarchies, file, frozen] of [
  [
    'under another name',
    { ice: 'freezer', 'pids,devices': 'pids', dev: 'devices', manager: 'none,name=systemd' },
    'freezer.state',
    'FROZEN',
  ],
  [
    "under the name pids, and pids under the freezer's",
    { pids: 'freezer', freezer: 'pids' },
    'freezer.state',
    'FROZEN',
  ],
  [
    'mounted last, after a v2 mount with another name',
    { one: 'v2', pids: 'pids', zero: 'freezer' },
    'freezer.state',
    'FROZEN',
  ],
  ['absent and v2 mounted, which freezes instead', { freezer: 'pids', any: 'v2' }, 'cgroup.freeze', '1'],
] as [string, Hierarchies, string, string][]) {
  test(
    `with the freezer ${name}, pause, state, resume and delete --force of a paused container work`,
    onBed((bed) =>
      mounted(hierarchies, (sh) => {
        const runt = sleeper(bed, sh);
        assert.is(status(runt('state', bed.id)), 'running');
        assert.is(runt('pause', bed.id), '');
        assert.match(files(bed, sh, file), new RegExp(` ${frozen}$`));
        assert.is(status(runt('state', bed.id)), 'paused');
        assert.is(runt('resume', bed.id), '');
        assert.is(status(runt('state', bed.id)), 'running');
        assert.is(runt('pause', bed.id), '');
        assert.is(runt('delete', '--force', bed.id), '');
        assert.is(files(bed, sh, 'cgroup.procs'), '');
      }),
    ),
  );
}

test(
  'without a freezer, pause fails and writes nothing, and state and delete --force work',
  onBed((bed) =>
    mounted({ freezer: 'pids', manager: 'none,name=systemd' }, (sh) => {
      const runt = sleeper(bed, sh);
      assert.match(runt('pause', bed.id), /pause \S+: none of the container's cgroups has a freezer/);
      assert.is(files(bed, sh, 'cgroup.freeze'), '');
      assert.is(status(runt('state', bed.id)), 'running');
      assert.match(runt('resume', bed.id), /container not paused/);
      assert.is(runt('delete', '--force', bed.id), '');
      assert.is(files(bed, sh, 'cgroup.procs'), '');
    }),
  ),
);

for (const own of [true, false]) {
  for (const above of [true, false]) {
    test(
      `delete --force ends processes in frozen cgroups below, ${own ? 'with' : 'without'} a pid namespace${above ? ', while paused' : ''}`,
      onBed(async (bed) => {
        if (!own) bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== 'pid');
        bed.started(['/bin/sh', '-c', 'sleep 1001 & sleep 1002 & wait']);
        const freezer = cgroupsNamed(bed.id).find((path) => existsSync(join(path, 'freezer.state')))!;
        const procs = () => readFileSync(join(freezer, 'cgroup.procs'), 'utf8').trim().split('\n');
        const all = await eventually('three processes', () => procs().length === 3 && procs());
        const deep = join(freezer, 'a', 'b');
        mkdirSync(deep, { recursive: true });
        for (const [directory, pid] of [
          [deep, all[1]],
          [join(freezer, 'a'), all[2]],
        ] as const) {
          writeFileSync(join(directory, 'cgroup.procs'), pid!);
          writeFileSync(join(directory, 'freezer.state'), 'FROZEN');
        }
        if (above) assert.is(bed.runt(['pause', bed.id]).code, 0);
        const r = bed.delete('--force');
        assert.is(r.code, 0, r.stderr);
        assert.is(existsSync(freezer), false);
      }),
    );
  }
}

test.run();
