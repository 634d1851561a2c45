/** scheduler, ioPriority, execCPUAffinity, memoryPolicy and personality, for create, run and exec. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../bed/bed.js';
import { withUserNamespace } from '../bed/config.js';

const test = needing('scheduling', 'root');
const realTime = needing('scheduling in real time', 'root', 'real-time');
const numa = needing('memory policies', 'root', 'numa');
const linux32 = needing('personalities', 'root', 'linux32');
const allowed = (status: string): string => /^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? '';
/** The last CPU that this process may use. */
const lastCpu = allowed(readFileSync('/proc/self/status', 'utf8')).split(/[,-]/).pop() as string;

/** Nice value, real-time priority and policy of a process (proc_pid_stat(5)). */
function scheduling(pid: number | string): [nice: number, priority: number, policy: number] {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return [16, 37, 38].map((i) => Number(fields[i])) as [number, number, number];
}
const ionice = (pid: number | string): string =>
  execFileSync('ionice', ['-p', String(pid)], { encoding: 'utf8' }).trim();

const running = (body: (bed: Bed) => void) =>
  onBed((bed) => {
    try {
      body(bed);
    } finally {
      bed.delete('--force');
    }
  });

/** Runs a detached exec and returns its pid. */
function exec(bed: Bed, ...args: string[]): string {
  const file = join(bed.dir, 'pid');
  const r = bed.runt(['exec', '-d', '--pid-file', file, ...args]);
  assert.is(r.code, 0, r.stderr);
  return readFileSync(file, 'utf8');
}

/** Writes a file for --process. */
function processFile(bed: Bed, more: object): string {
  const path = join(bed.dir, 'process.json');
  const process = { user: { uid: 0, gid: 0 }, cwd: '/', args: ['/bin/sleep', '1000'], env: ['PATH=/bin'] };
  writeFileSync(path, JSON.stringify({ ...process, ...more }));
  return path;
}

test(
  'SCHED_BATCH, nice and I/O priority are set for the process, and for exec unless --process overrides them',
  running((bed) => {
    bed.config.process.scheduler = { policy: 'SCHED_BATCH', nice: 7 };
    bed.config.process.ioPriority = { class: 'IOPRIO_CLASS_BE', priority: 6 };
    const pid = bed.started();
    assert.equal(scheduling(pid), [7, 0, 3]);
    assert.is(ionice(pid), 'best-effort: prio 6');
    const second = exec(bed, bed.id, '/bin/sleep', '1000');
    assert.equal(scheduling(second), [7, 0, 3]);
    assert.is(ionice(second), 'best-effort: prio 6');
    const own = { scheduler: { policy: 'SCHED_IDLE' }, ioPriority: { class: 'IOPRIO_CLASS_IDLE' } };
    const third = exec(bed, '--process', processFile(bed, own), bed.id);
    assert.is(scheduling(third)[2], 5);
    assert.is(ionice(third), 'idle');
  }),
);

realTime(
  'real-time and deadline policies with flags are set, also in a user namespace',
  running((bed) => {
    withUserNamespace(bed.config);
    // v1 can have real-time runtime for each cgroup (CONFIG_RT_GROUP_SCHED), and a new cgroup has none.
    if (existsSync('/sys/fs/cgroup/cpu/cpu.rt_runtime_us'))
      bed.config.linux.resources.cpu = { realtimeRuntime: 20_000 };
    bed.config.process.scheduler = { policy: 'SCHED_FIFO', priority: 10, flags: ['SCHED_FLAG_RESET_ON_FORK'] };
    bed.config.process.ioPriority = { class: 'IOPRIO_CLASS_RT', priority: 3 };
    const pid = bed.started();
    assert.equal(scheduling(pid), [0, 10, 1]);
    assert.is(ionice(pid), 'realtime: prio 3');
    const scheduler = { policy: 'SCHED_DEADLINE', runtime: 1_000_000, deadline: 50_000_000, period: 100_000_000 };
    assert.equal(scheduling(exec(bed, '--process', processFile(bed, { scheduler }), bed.id)).slice(1), [0, 6]);
  }),
);

test(
  "scheduler and ioPriority apply from the process's first instruction, and to its children",
  onBed((bed) => {
    bed.config.process.scheduler = { policy: 'SCHED_OTHER', nice: 11 };
    bed.config.process.ioPriority = { class: 'IOPRIO_CLASS_IDLE' };
    assert.is(bed.out("cut -d' ' -f19 /proc/1/stat; ionice -p $$"), '11\nidle\n');
  }),
);

test(
  'a scheduler that the kernel refuses is an error with its JSON pointer, and nothing is left',
  onBed((bed) => {
    bed.config.process.scheduler = { policy: 'SCHED_DEADLINE', runtime: 1, deadline: 2, period: 3 };
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /scheduling policy SCHED_DEADLINE: EINVAL[\s\S]*\/process\/scheduler[\s\S]*1024 ns/);
    bed.config.process.scheduler = { policy: 'SCHED_ISO' };
    assert.match(bed.run().stderr, /no kernel has SCHED_ISO/);
  }),
);

test(
  'execCPUAffinity applies to exec only, and `final` is what the process keeps',
  running((bed) => {
    const all = allowed(readFileSync('/proc/self/status', 'utf8'));
    bed.config.process.execCPUAffinity = { initial: '0', final: lastCpu };
    const pid = bed.started();
    assert.is(allowed(readFileSync(`/proc/${pid}/status`, 'utf8')), all);
    const look = ['grep', 'Cpus_allowed_list', '/proc/self/status'];
    assert.is(allowed(bed.runt(['exec', bed.id, ...look]).stdout), lastCpu);
    const only = (list: object) => {
      const file = processFile(bed, {
        execCPUAffinity: list,
        args: ['/bin/grep', 'Cpus_allowed_list', '/proc/self/status'],
      });
      return bed.runt(['exec', '--process', file, bed.id]);
    };
    assert.is(allowed(only({ initial: lastCpu }).stdout), all);
    assert.is(allowed(only({ final: '0' }).stdout), '0');
    const refused = only({ final: '8000' });
    assert.is(refused.code, 255);
    assert.match(refused.stderr, /CPU affinity 8000: EINVAL/);
  }),
);

test(
  "runt's own CPU affinity is not passed to the container or an exec",
  running((bed) => {
    const all = allowed(readFileSync('/proc/self/status', 'utf8'));
    const wrapped = ['taskset', '--cpu-list', lastCpu];
    const look = ['/bin/grep', 'Cpus_allowed_list', '/proc/self/status'];
    bed.config.process.args = look;
    assert.is(allowed(bed.run([], { wrapped }).stdout), all);
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.started();
    assert.is(allowed(bed.runt(['exec', bed.id, ...look], { wrapped }).stdout), all);
  }),
);

numa(
  'a memory policy applies to the process, to an exec, and to their memory',
  running((bed) => {
    bed.config.linux.memoryPolicy = { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] };
    const pid = bed.started();
    assert.match(readFileSync(`/proc/${pid}/numa_maps`, 'utf8'), / bind=static:0 /);
    assert.match(readFileSync(`/proc/${exec(bed, bed.id, 'sleep', '1000')}/numa_maps`, 'utf8'), / bind=static:0 /);
  }),
);

numa(
  'a memory policy for missing nodes is refused by name',
  onBed((bed) => {
    bed.config.linux.memoryPolicy = { mode: 'MPOL_INTERLEAVE', nodes: '900-901' };
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(
      r.stderr,
      /memory policy MPOL_INTERLEAVE: EINVAL[\s\S]*\/linux\/memoryPolicy[\s\S]*name a node of the machine/,
    );
  }),
);

linux32(
  'personality LINUX32 reports a 32-bit machine, for exec too, and flags are refused',
  running((bed) => {
    const machine = { x64: 'i686', arm64: 'armv8l' }[process.arch as 'x64' | 'arm64'];
    bed.config.linux.personality = { domain: 'LINUX32' };
    const pid = bed.started();
    assert.is(readFileSync(`/proc/${pid}/personality`, 'utf8'), '00000008\n');
    assert.is(bed.runt(['exec', bed.id, 'uname', '-m']).stdout, `${machine}\n`);
    bed.delete('--force');
    bed.config.linux.personality = { domain: 'LINUX' };
    assert.not.match(bed.out('uname -m'), new RegExp(machine));
    bed.config.linux.personality = { domain: 'LINUX', flags: ['ADDR_NO_RANDOMIZE'] };
    assert.match(bed.run().stderr, /\/linux\/personality\/flags/);
  }),
);

test.run();
realTime.run();
numa.run();
linux32.run();
