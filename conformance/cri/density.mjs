// Pods a second, and the memory of what runs for 10 and for 100 pods: density.mjs SOCKET IMAGE HANDLER…
//
// A pod has the host's network, so that no CNI plugin is measured, and one container. For each HANDLER a line
// "HANDLER PODS-A-SECOND KB-FOR-10 KB-FOR-100": PSS of the shims or the server, of the supervisors and of the pods'
// first processes; without containerd and what the containers run.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { credentials, loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const [socket, image, ...handlers] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const { runtime } = loadPackageDefinition(loadSync(join(here, 'density.proto'), { keepCase: true }));
const client = new runtime.v1.RuntimeService(`unix://${socket}`, credentials.createInsecure());
const call = (method, request) =>
  new Promise((settle, fail) => client[method](request, (error, answer) => (error ? fail(error) : settle(answer))));

const host = { network: 2, pid: 1 };
async function pod(handler, name) {
  const config = {
    metadata: { name, uid: name, namespace: handler },
    linux: { security_context: { namespace_options: host } },
  };
  const { pod_sandbox_id } = await call('RunPodSandbox', { config, runtime_handler: handler });
  const { container_id } = await call('CreateContainer', {
    pod_sandbox_id,
    config: {
      metadata: { name: 'c' },
      image: { image },
      command: ['sleep', '100000'],
      linux: { security_context: { namespace_options: host } },
    },
    sandbox_config: config,
  });
  await call('StartContainer', { container_id });
  return pod_sandbox_id;
}

/** Does `work` for the numbers from `from` to `to`, four at a time. */
async function each(from, to, work) {
  let next = from;
  const results = [];
  const worker = async () => {
    while (next < to) results.push(await work(next++));
  };
  await Promise.all([1, 2, 3, 4].map(worker));
  return results;
}

/** The arguments of a process; none if it has ended. */
function argumentsOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return [];
    throw error;
  }
}

const counts = (args) =>
  /containerd-shim-|runt-init|pause$/.test(args[0] ?? '') || (/runt$/.test(args[0] ?? '') && args.includes('serve'));

/** PSS in KB of the processes that count; a process that has ended has none. */
function memory() {
  let sum = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (!counts(argumentsOf(pid))) continue;
    try {
      sum += Number(/^Pss: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    } catch (error) {
      if (error.code !== 'ENOENT' && error.code !== 'ESRCH') throw error;
    }
  }
  return sum;
}

/** The memory once it has been the same for a second, within 1 %: a server gives back what it does not use. */
async function settled() {
  let last = memory();
  for (let i = 0; i < 30; i++) {
    // What is measured is that nothing changes in this time.
    await new Promise((settle) => setTimeout(settle, 1000));
    const now = memory();
    if (Math.abs(now - last) <= last / 100) return now;
    last = now;
  }
  return last;
}

for (const handler of handlers) {
  const made = await each(0, 10, (n) => pod(handler, `p${n}`));
  const ten = await settled();
  const from = performance.now();
  made.push(...(await each(10, 100, (n) => pod(handler, `p${n}`))));
  const seconds = (performance.now() - from) / 1000;
  const hundred = await settled();
  await each(0, made.length, (n) => call('RemovePodSandbox', { pod_sandbox_id: made[n] }));
  process.stdout.write(`${handler} ${(90 / seconds).toFixed(1)} ${ten} ${hundred}\n`);
}
client.close();
