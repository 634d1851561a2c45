// Kills of what serves a pod: what is restarted, with which status, and that the rest goes on.
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { eventually, processes, served, shims, unlessGone } from './node.mjs';
import { container, exec, lastEnds, pod, ready, restarted } from './pods.mjs';

const always = { restartPolicy: 'Always', terminationGracePeriodSeconds: 1 };
const one = pod(
  'one',
  container('c', 'trap "exit 5" USR1; touch /tmp/traps; while :; do sleep 0.1; done', {
    readinessProbe: { ...exec('test -e /tmp/traps'), periodSeconds: 1, timeoutSeconds: 10 },
  }),
  always,
);
const two = pod('two', [container('a', 'exec sleep 100000'), container('b', 'exec sleep 100000')], always);

const ids = ({ status }) => status.containerStatuses.map(({ containerID }) => containerID).join(' ');
const isAlive = (pid) => unlessGone(() => process.kill(pid, 0)) === true;
/** Sends the signal, and waits until the process has ended. */
async function ends(pid, signal) {
  process.kill(pid, signal);
  if (!(await eventually(() => !isAlive(pid)))) throw new Error(`the process does not end by ${signal}`);
}
const dies = (pid) => ends(pid, 'SIGKILL');
/** Has the container exit with 5. */
const exits = (pid) => ends(pid, 'SIGUSR1');

/**
 * Each gives lines; the pods "one" and "two" run and are ready before each.
 * @type {Map<string, (node: import('./node.mjs').Node) => Promise<string[]>>}
 */
export const disruptions = new Map();

/** The pod goes on with the same containers, and a command runs in it. */
async function unchanged(node, before) {
  const after = await node.reaches('one', (of) => ready(of) && ids(of) === before);
  // The kubelet connects to containerd again after a moment.
  const runs = await eventually(async () => (await node.runs('one', 'c', 'echo', 'runs')) === 'runs\n');
  return [`same containers: ${after !== undefined}`, `a command runs: ${runs === true}`];
}

/** The pod's container was restarted after `times` restarts: how it ended. */
async function restartedAfter(node, before) {
  const times = before.status.containerStatuses[0].restartCount;
  const after = await node.reaches('one', (of) => restarted(times + 1)(of) && ready(of));
  return after ? lastEnds(after) : ['it was not restarted'];
}

disruptions.set('kubelet-is-killed', async (node) => {
  const before = ids(await node.pod('one'));
  await node.kubeletEnds();
  await node.kubeletStarts();
  return unchanged(node, before);
});
disruptions.set('containerd-is-killed', async (node) => {
  const before = ids(await node.pod('one'));
  await node.containerdEnds();
  await node.containerdStarts();
  return unchanged(node, before);
});
disruptions.set('server-is-killed', async (node) => {
  const before = ids(await node.pod('one'));
  // Of the handler "serve": it is started again.
  if (existsSync(served)) await dies(Number(readFileSync(`${served}.pid`, 'utf8')));
  return unchanged(node, before);
});
disruptions.set('first-process-is-killed', async (node) => {
  const before = await node.pod('one');
  await dies(node.pid('one', 'c'));
  return restartedAfter(node, before);
});
disruptions.set('ends-while-kubelet-is-away', async (node) => {
  const before = await node.pod('one');
  const pid = node.pid('one', 'c');
  await node.kubeletEnds();
  await exits(pid);
  await node.kubeletStarts();
  return restartedAfter(node, before);
});
disruptions.set('ends-while-containerd-is-away', async (node) => {
  const before = await node.pod('one');
  const pid = node.pid('one', 'c');
  await node.containerdEnds();
  await exits(pid);
  await node.containerdStarts();
  return restartedAfter(node, before);
});
disruptions.set('ends-while-both-are-away', async (node) => {
  const before = await node.pod('one');
  const pid = node.pid('one', 'c');
  await node.containerdEnds();
  await node.kubeletEnds();
  await exits(pid);
  await node.containerdStarts();
  await node.kubeletStarts();
  return restartedAfter(node, before);
});

const network = (pid) => unlessGone(() => readlinkSync(`/proc/${pid}/ns/net`));
/** The pid of the first process of the pod "two", which shares the network of its containers. */
function pause(node) {
  const pid = node.pid('two', 'a');
  if (pid === undefined) return undefined;
  const of = network(pid);
  if (of === undefined) return undefined;
  return processes().find((p) => p.comm.includes('pause') && network(p.pid) === of)?.pid;
}

/** Both containers of the pod "two" run again, in another sandbox. */
async function madeAnew(node, before) {
  const isNew = (of) => ready(of) && ids(of) !== before.ids && ![undefined, before.pause].includes(pause(node));
  const after = await node.reaches('two', isNew);
  const left = () => before.pids.filter(isAlive).length;
  await eventually(() => left() === 0, 30);
  return [`both containers run: ${after !== undefined}`, `processes of before: ${left()}`];
}
async function state(node) {
  const first = pause(node);
  return { ids: ids(await node.pod('two')), pause: first, pids: [first, node.pid('two', 'a'), node.pid('two', 'b')] };
}
disruptions.set('shim-is-killed', async (node) => {
  const before = await state(node);
  const sandboxes = node.containers('two').filter(({ name }) => name === undefined);
  const all = sandboxes.flatMap(({ id }) => shims(id));
  if (all.length === 0) return ['there is no shim'];
  for (const { pid } of all) await dies(pid);
  return [`shims: ${all.length}`, ...(await madeAnew(node, before))];
});
disruptions.set('pause-is-killed', async (node) => {
  const before = await state(node);
  await dies(before.pause);
  return madeAnew(node, before);
});

disruptions.set('nothing-is-left', async (node) => {
  const gone = (await node.removes('one')) && (await node.removes('two'));
  // One of runc's shims sometimes is left after the kills.
  const own = () => shims().filter(({ words }) => !words[0]?.endsWith('containerd-shim-runc-v2'));
  await eventually(() => own().length === 0);
  return [`gone: ${gone}`, `shims of runt: ${own().length}`];
});

/**
 * Runs all: each finds what those before have left.
 * @param report gets the name and lines of each, and when it began
 */
export async function disrupts(node, report) {
  for (const of of [one, two]) node.applies(of);
  for (const [name, disruption] of disruptions) {
    const from = Date.now();
    const up = (await node.reaches('one', ready)) && (await node.reaches('two', ready));
    const lines = up
      ? disruption(node).catch((error) => [`error: ${error.message}`])
      : ['the pods are not ready before'];
    report(name, await lines, from);
  }
}
