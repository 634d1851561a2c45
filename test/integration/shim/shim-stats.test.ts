/** Statistics of the shim: the message's values are those of the cgroup's files. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { cgroup1, cgroup2, task } from '../../../src/shim/transport/protos.js';
import { needing } from '../bed/bed.js';
import { type Engine, onEngine } from '../bed/shim-engine.js';

const v1 = needing('statistics of the shim on v1', 'root', 'cgroup-v1');
const v2 = needing('statistics of the shim on v2', 'root', 'cgroup-v2');

async function stats(engine: Engine): Promise<Uint8Array> {
  const request = task.StatsRequest.encode({ id: engine.bed.id });
  return (await engine.call('Stats', request, task.StatsResponse)).stats!.value as Uint8Array;
}

/** Text of a file of the container's cgroup; undefined if this kernel does not have it. */
function cgroupFile(engine: Engine, name: string): string | undefined {
  const state = JSON.parse(
    readFileSync(`/run/containerd/runt/${engine.namespace}/${engine.bed.id}/state.json`, 'utf8'),
  ) as { cgroups: string[] };
  for (const cgroup of state.cgroups) {
    try {
      return readFileSync(join(cgroup, name), 'utf8');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // EOPNOTSUPP: PSI is off.
      if (code !== 'ENOENT' && code !== 'EOPNOTSUPP') throw error;
    }
  }
  return undefined;
}

const value = (text: string | undefined, key: string): number | undefined =>
  text === undefined ? undefined : Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
/** As the message has it: 0 without the file, the largest number for no limit. */
const limit = (text: string | undefined): number => (text === 'max\n' ? 2 ** 64 : Number(text ?? 0));

v2(
  'has the peaks, limits, events, bursts and pressure of the cgroup, and none that the kernel does not report',
  onEngine(async (engine, bed) => {
    // The shell survives the OOM killer: it has less memory than what it starts.
    bed.config.process.args = ['/bin/sh', '-c', 'dd if=/dev/zero of=/dev/null bs=64M count=1; sleep 1000'];
    bed.config.linux.resources = {
      memory: { limit: 8 << 20 },
      pids: { limit: 20 },
      unified: { 'memory.oom.group': '0' },
    };
    bed.write();
    engine.start();
    await engine.run();
    await engine.told('/tasks/oom');
    const m = cgroup2.Metrics.decode(await stats(engine));
    const file = (name: string) => cgroupFile(engine, name);
    const events = file('memory.events');
    const oom = m.memoryEvents!;
    assert.ok(oom.oomKill! > 0);
    assert.equal(
      [oom.low, oom.high, oom.oomKill, oom.oomGroupKill].map(Number),
      ['low', 'high', 'oom_kill', 'oom_group_kill'].map((key) => value(events, key)),
    );
    assert.is(Number(m.pids!.limit), 20);
    assert.is(Number(m.memory!.usageLimit), 8 << 20);
    const peak = file('memory.peak');
    assert.is(Number(m.memory!.maxUsage) > 4 << 20, peak !== undefined);
    assert.is(Number(m.memory!.swapLimit), limit(file('memory.swap.max')));
    assert.is(Number(m.cpu!.nrBursts), value(file('cpu.stat'), 'nr_bursts') ?? 0);
    for (const [psi, name] of [
      [m.cpu!.psi, 'cpu.pressure'],
      [m.memory!.psi, 'memory.pressure'],
      [m.io!.psi, 'io.pressure'],
    ] as const) {
      const text = file(name);
      assert.is(psi != null, text !== undefined, name);
      const total = Number(/^some .*total=(\d+)$/m.exec(text ?? '')?.[1] ?? 0);
      assert.ok(Number(psi?.some?.total ?? 0) <= total, name);
    }
    for (const { pagesize, max } of m.hugetlb as cgroup2.HugeTlbStat[])
      assert.is(Number(max), limit(file(`hugetlb.${pagesize}.max`)));
    await engine.over();
  }),
);

v1(
  'has the state of the OOM killer, and a path for each block device',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.config.linux.resources = { memory: { limit: 8 << 20, disableOOMKiller: true } };
    bed.write();
    engine.start();
    await engine.run();
    const m = cgroup1.Metrics.decode(await stats(engine));
    const control = cgroupFile(engine, 'memory.oom_control');
    assert.equal(
      [m.memoryOomControl!.oomKillDisable, m.memoryOomControl!.underOom, m.memoryOomControl!.oomKill].map(Number),
      [1, 0, value(control, 'oom_kill')],
    );
    const partitions = readFileSync('/proc/partitions', 'utf8');
    for (const { major, minor, device } of m.blkio!.ioServicedRecursive as cgroup1.BlkIOEntry[]) {
      const name = new RegExp(`^ *${major} +${minor} +\\d+ (\\S+)$`, 'm').exec(partitions)?.[1];
      assert.is(device, name === undefined ? '' : `/dev/${name}`);
    }
    await engine.over();
  }),
);

v1.run();
v2.run();
