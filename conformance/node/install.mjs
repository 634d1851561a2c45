// A pod on the handler that `runt install --containerd` writes, and the files byte for byte as before after its undo;
// and the same by the DaemonSet of deploy/ (rollout.mjs).
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { config, driver, handlers, output, shims } from './node.mjs';
import { container, ended, facts, pod, waits } from './pods.mjs';
import { rollsOut } from './rollout.mjs';

const file = '/etc/containerd/config.toml';
const directory = '/etc/containerd/conf.d';
const install = (...more) => output('/usr/local/bin/runt', 'install', '--containerd', ...more);

/** The config and the files that it may import: path → bytes, as text. */
const files = () =>
  Object.fromEntries(
    [file, ...readdirSync(directory).map((name) => `${directory}/${name}`)].map((path) => [
      path,
      readFileSync(path, 'latin1'),
    ]),
  );

/** @returns why it does not work, and what it printed */
async function installs(node, name, before, written) {
  mkdirSync(directory, { recursive: true });
  writeFileSync(file, before);
  const old = files();
  const said = [install()];
  const problems = [];
  const needs = (condition, problem) => condition || problems.push(problem);
  const now = files();
  needs(/runtimes\.runt\]/.test(now[written] ?? ''), `${written} has no handler`);
  for (const path of Object.keys(old)) needs(path === written || now[path] === old[path], `${path} has changed`);

  await node.starts();
  // Now that containerd runs, it tries a container.
  said.push(install());
  node.applies(pod(name, container('c', waits('exit 3'))));
  const running = await node.reaches(name, ({ status }) => status.phase === 'Running');
  const sandbox = running && node.containers(name).find((c) => c.name === undefined);
  const programs = sandbox ? shims(sandbox.id).map(({ pid }) => readlinkSync(`/proc/${pid}/exe`)) : [];
  needs(programs.length === 1 && programs[0].endsWith('/dist/runt'), `its shim is ${programs.join(', ') || 'none'}`);
  if (running) await node.runs(name, 'c', 'touch', '/tmp/go');
  const end = await node.reaches(name, ended);
  needs(end && facts(end).join('; ').includes('exitCode=3'), `the pod: ${end ? facts(end).join('; ') : 'no end'}`);
  const lines = node.logs(name).map(({ text }) => text);
  needs(lines.join() === 'runs', `its log: ${lines.join(', ')}`);
  await node.removes(name);
  await node.kubeletEnds();
  await node.containerdEnds();

  said.push(install('--undo'));
  const undone = files();
  needs(JSON.stringify(undone) === JSON.stringify(old), `after the undo: ${Object.keys(undone).join(', ')} differ`);
  return { problems, said };
}

// A static pod cannot name a RuntimeClass, so runt is the default.
const plain = config('runt', { runc: handlers.runc });
const imports = plain.replace('\n', `\nimports = ["${directory}/*.toml"]\n`);
/** @type {Map<string, (node: import('./node.mjs').Node) => Promise<{problems: string[], said: string[]}>>} */
export const installations = new Map([
  ['install-into-the-config', (node) => installs(node, 'in-config', plain, file)],
  ['install-into-a-directory', (node) => installs(node, 'in-directory', imports, `${directory}/runt.toml`)],
  // Its systemd is a stand-in.
  ...(driver === 'systemd' ? [] : [/** @type {const} */ (['install-by-the-daemonset', rollsOut])]),
]);
