// How long a pod takes, what its exec probes take, and its memory: numbers for a comparison on the same machine.
import { readFileSync } from 'node:fs';
// For the time of a measurement.
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, processes, unlessGone } from './node.mjs';
import { container, pod, ready } from './pods.mjs';

const count = 10;

/** The sum and the count of a histogram of the kubelet's. */
async function histogram(node, name, label) {
  const lines = (await node.get('/metrics')).split('\n');
  const [sum, times] = ['sum', 'count'].map((of) => {
    const line = lines.find((l) => l.startsWith(`${name}_${of}{`) && l.includes(label));
    return Number(line?.split(' ').at(-1) ?? 0);
  });
  return { sum, times };
}

/** PSS in kB of the processes that serve pods: shims, runt's supervisors, its server and the keeper of that. */
function memory() {
  let all = 0;
  for (const { pid, words, comm } of processes())
    if (words[0]?.includes('containerd-shim') || comm.startsWith('runt')) {
      const text = unlessGone(() => readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? '';
      all += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0);
    }
  return all;
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** @returns milliseconds and kB */
export async function measures(node) {
  const latencies = [];
  const before = memory();
  for (let i = 0; i <= count; i++) {
    const name = `m${i}`;
    const from = node.applies(
      pod(
        name,
        container('c', 'echo starts; exec sleep 100000', {
          readinessProbe: { exec: { command: ['true'] }, periodSeconds: 1 },
        }),
        { restartPolicy: 'Always', terminationGracePeriodSeconds: 0 },
      ),
    );
    const first = await eventually(() => node.logs(name)[0]);
    if (!first) throw new Error(`${name} has no log`);
    // The first pod pulls the image.
    if (i > 0) latencies.push(first.time - from);
    await node.reaches(name, ready);
  }
  const names = latencies.map((_, i) => `m${i}`).concat(`m${count}`);
  const runtime = 'kubelet_runtime_operations_duration_seconds';
  const probes = await histogram(node, runtime, '"exec_sync"');
  // What is measured are the probes of fifteen seconds.
  await sleep(15_000);
  const later = await histogram(node, runtime, '"exec_sync"');
  const pss = (memory() - before) / names.length;
  const made = await histogram(node, runtime, '"run_podsandbox"');
  for (const name of names) await node.removes(name);
  return {
    'pod, from its file to its first line': median(latencies),
    'sandbox, as the kubelet waits for it': (made.sum / made.times) * 1000,
    'exec probe': ((later.sum - probes.sum) / (later.times - probes.times)) * 1000,
    'memory of a pod (PSS)': pss,
  };
}
