/** What a shim holds in memory, as the kernel shares it out (PSS): with one container, and for each more of a pod. */
import { closeSync, constants, cpSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { task } from '../../src/shim/protos.js';
import { DEADLINE } from '../deadline.js';
import { needing } from './bed.js';
import { onEngine } from './shim-engine.js';

const test = needing('shim memory', 'root', 'cgroups');

/** kB of a process, its share of what it shares with others included. */
const pss = (pid: number): number =>
  Number(/^Pss: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);

/** Waits until the shim holds at most that, which a busy machine may bring about late; kB. */
async function settled(shim: number, limit = 0): Promise<number> {
  await new Promise((next) => setTimeout(next, 500));
  for (const end = Date.now() + DEADLINE / 2; pss(shim) > limit && limit > 0 && Date.now() < end; )
    await new Promise((next) => setTimeout(next, 100));
  return pss(shim);
}

test(
  'an idle shim with one container holds at most 5 MB; each of ten in a pod adds at most 1 MB, its supervisor included',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.config.annotations = { 'io.kubernetes.cri.sandbox-id': bed.id };
    bed.write();
    engine.start();
    const { shimPid } = await engine.call('Connect', task.ConnectRequest.encode({ id: bed.id }), task.ConnectResponse);
    const idle = pss(shimPid);
    const ids = Array.from({ length: 10 }, (_, i) => `${bed.id}-${i}`);
    const supervisors: number[] = [];
    const readers: number[] = [];
    const run = async (id: string): Promise<void> => {
      const bundle = join(bed.dir, id);
      cpSync(join(bed.bundle, 'config.json'), join(bundle, 'config.json'), { recursive: true });
      const config = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'));
      config.root.path = bed.rootfs;
      writeFileSync(join(bundle, 'config.json'), JSON.stringify({ ...config, hostname: id }));
      const [stdout, stderr] = [engine.fifo(`${id}-out`), engine.fifo(`${id}-err`)];
      // Create waits for seconds for a reader that is not there.
      for (const path of [stdout, stderr]) readers.push(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
      await engine.call('Create', task.CreateTaskRequest.encode({ id, bundle, stdout, stderr }));
      await engine.call('Start', task.StartRequest.encode({ id }));
      const state = JSON.parse(readFileSync(`/run/containerd/runt/${engine.namespace}/${id}/state.json`, 'utf8'));
      supervisors.push(state.supervisor.pid);
    };
    try {
      await run(ids[0] as string);
      const one = await settled(shimPid, 5000);
      for (const id of ids.slice(1)) await run(id);
      const ten = await settled(shimPid, one + 4500);
      const all = ten + supervisors.reduce((sum, pid) => sum + pss(pid), 0);
      const each = (all - one - pss(supervisors[0] as number)) / 9;
      assert.ok(one <= 5000, `one container: ${one} kB`);
      assert.ok(each <= 1000, `each more: ${each} kB`);
      // What comes and goes leaves nothing behind.
      for (let i = 0; i < 30; i++) {
        await engine.call(
          'Exec',
          task.ExecProcessRequest.encode({
            id: ids[0] as string,
            execId: `e${i}`,
            spec: { value: new TextEncoder().encode(JSON.stringify({ ...bed.config.process, args: ['/bin/true'] })) },
          }),
        );
        const which = { id: ids[0] as string, execId: `e${i}` };
        await engine.call('Start', task.StartRequest.encode(which));
        await engine.call('Wait', task.WaitRequest.encode(which));
        await engine.call('Delete', task.DeleteRequest.encode(which));
        if (i === 9) await settled(shimPid);
      }
      const after = await settled(shimPid, ten + 2000);
      const kB = `no container ${idle}, one ${one}, ten ${ten}, after 30 execs ${after}; each more ${each.toFixed(0)}`;

      console.log(`\n# note PSS in kB: ${kB}`);
      assert.ok(after <= ten + 2000, `after 30 execs: ${after} kB, ${ten} kB before`);
    } finally {
      for (const fd of readers) closeSync(fd);
      for (const id of ids) {
        await engine.call('Kill', task.KillRequest.encode({ id, signal: 9 })).catch(() => {});
        await engine.call('Wait', task.WaitRequest.encode({ id })).catch(() => {});
        await engine.call('Delete', task.DeleteRequest.encode({ id })).catch(() => {});
      }
      await engine.call('Shutdown', task.ShutdownRequest.encode({ id: bed.id }));
    }
  }),
);

test.run();
