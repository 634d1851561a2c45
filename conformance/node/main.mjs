// One handler's run, in the root of conformance/engines/enter: main.mjs HANDLER [--exactly] [NAME…]
//
// With the HANDLER "install" it is what `runt install` writes. Progress goes to standard error, the report to standard
// output.

import { availableParallelism } from 'node:os';
import { ApiNode } from './api.mjs';
import { apiScenarios, evictions } from './api-scenarios.mjs';
import { disruptions, disrupts } from './disruption.mjs';
import { installations } from './install.mjs';
import { measures } from './measure.mjs';
import { config, driver, eventually, Node, output, program } from './node.mjs';
import { lastEnds } from './pods.mjs';
import { scenarios } from './scenarios.mjs';

const [handler, ...rest] = process.argv.slice(2);
const isExact = rest[0] === '--exactly';
const only = isExact ? rest.slice(1) : rest;
/** Pods at once. */
const batch = 3 * availableParallelism();
const wanted = (all) =>
  [...all.keys()].filter(
    (name) => only.length === 0 || only.some((part) => (isExact ? name === part : name.includes(part))),
  );
const node = new Node();
const report = { handler, versions: '', results: {}, measured: {} };

/** Removes what differs from run to run, and the runtime's own words of an error. */
const normal = (line) =>
  line
    .replaceAll(/\b[0-9a-f]{64}\b|\b[0-9a-f]{32}\b|[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID')
    .replaceAll(/10\.88\.\d+\.\d+/g, 'ADDRESS')
    .replaceAll(/\b(failed to (?:create|start) (?:containerd task|containerd container|exec)).*/g, '$1 …')
    .trimEnd();

function keeps(name, lines, from) {
  const seconds = (Date.now() - from) / 1000;
  report.results[name] = { seconds, lines: lines.flatMap((line) => line.split('\n')).map(normal) };
  process.stderr.write(`${handler}: ${name} ${seconds.toFixed(1)} s\n`);
}

/** One static pod, from its file to the end of its last container. */
async function runs(name) {
  const { pod, until, seconds, says, show, before, after } = scenarios.get(name);
  before?.();
  const from = node.applies(pod);
  const reached = await node.reaches(name, until, seconds);
  const last = reached ?? (await node.pod(name));
  if (reached && says) await eventually(() => logsOf(name).some((line) => line.endsWith(says)));
  const lines = reached ? [] : ['NOT REACHED'];
  lines.push(...(last?.status ? show(last) : ['no status']));
  // Of containers that are restarted, the kubelet keeps the last logs.
  if (show !== lastEnds) lines.push(...logsOf(name));
  try {
    if (reached && after) lines.push(...(await after(node)));
  } catch (error) {
    lines.push(`after: ${error.message}`);
  }
  await node.removes(name);
  keeps(name, lines, from);
}

/** Each stream of each container: their order is not kept. */
function logsOf(name) {
  const lines = node.logs(name).map(({ container, stream, text }) => [`${container} ${stream}>`, text]);
  return lines.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map((line) => line.join(' '));
}

/** Runs that of each name, several at once. */
async function several(names, work) {
  const left = [...names];
  const workers = Array.from({ length: batch }, async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) await work(name);
  });
  await Promise.all(workers);
}

/** The scenarios of an API server, then the evictions, each alone. */
async function runsWithApi() {
  const api = new ApiNode(handler);
  const runs = (all) => async (name) => {
    const from = Date.now();
    const lines = await all
      .get(name)(api, name)
      .catch((error) => [`error: ${error.message}`]);
    const gone = await api.removes(name);
    keeps(name, [...lines, ...(gone ? [] : ['its pod is left'])], from);
  };
  await api.starts();
  await several(wanted(apiScenarios), runs(apiScenarios));
  for (const name of wanted(evictions)) await runs(evictions)(name);
}

if (handler === 'install') {
  for (const name of wanted(installations)) {
    const from = Date.now();
    const { problems, said } = await installations.get(name)(node);
    process.stderr.write(said.join('').replaceAll(/^/gm, '    '));
    keeps(name, problems, from);
  }
} else {
  if (handler === 'serve') await node.serverStarts();
  const names = wanted(scenarios);
  const kills = wanted(disruptions);
  // Systemd is that of User Mode Linux, whose latency tells nothing of other machines.
  const isMeasured = only.includes('measure') || (only.length === 0 && driver === 'cgroupfs');
  if (names.length > 0 || kills.length > 0 || isMeasured) {
    await node.starts(config(handler));
    await several(names, runs);
    if (kills.length > 0) await disrupts(node, (name, ...more) => kills.includes(name) && keeps(name, ...more));
    if (isMeasured) report.measured = await measures(node);
    await node.kubeletEnds();
    await node.containerdEnds();
  }
  if (wanted(apiScenarios).length > 0 || wanted(evictions).length > 0) await runsWithApi();
}
const kubelet = output(program('kubelet'), '--version').trim();
const first = (program) => output(program, '--version').split('\n')[0].trim();
report.versions = [first('containerd').replace(/\S+\/\S+ /, ''), kubelet, first('runc')].join(', ');
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit());
