// Kubernetes' own end-to-end tests of a node with one handler: e2e.mjs HANDLER
//
// It runs in the root of conformance/engines/enter. FOCUS, SKIP, PROCS and MINUTES are those of conformance/node/e2e.
// Progress goes to standard error, the report to standard output.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { address, config, handlers, kubeletConfig, Node, nodeName, output, program, tail } from './node.mjs';

const [handler] = process.argv.slice(2);
const { FOCUS = '', SKIP = '', PROCS = '8', MINUTES = '20' } = process.env;
const work = '/run/node-e2e';
mkdirSync(`${work}/bin`, { recursive: true });

// The tests start the kubelet of this directory, as a child: there is no systemd to run it as a unit. Some restart it.
const here = import.meta.dirname;
symlinkSync(join(here, 'systemctl'), '/usr/local/bin/systemctl');
const scripts = { [`${work}/bin/kubelet`]: 'exec systemctl kubelet "$@"', '/usr/local/bin/sudo': 'exec "$@"' };
for (const [file, command] of Object.entries(scripts)) writeFileSync(file, `#!/bin/sh\n${command}\n`, { mode: 0o755 });
for (const name of ['systemd-run', 'journalctl']) renameSync(`/usr/bin/${name}`, `/usr/bin/${name}.not-here`);
// They read the kernel's config there.
mkdirSync('/boot', { recursive: true });
writeFileSync(`/boot/config-${release()}`, gunzipSync(readFileSync('/proc/config.gz')));
const text = readFileSync(kubeletConfig, 'utf8').replace(/^staticPodPath: .*\n/m, '');
writeFileSync(`${work}/kubelet.yaml`, `${text}cgroupRoot: /\nmaxPods: 200\nserializeImagePulls: false\n`);

const node = new Node();
if (handler === 'serve') await node.serverStarts();
// Tests of RuntimeClasses use this name.
const { serve, ...others } = handlers;
const own = handlers[handler].replaceAll(`runtimes.${handler}.`, 'runtimes.test-handler.');
const tables = { ...others, ...(handler === 'serve' && { serve }), 'test-handler': own };
writeFileSync('/etc/containerd/config.toml', config(handler, tables));
await node.containerdStarts();
// The tests have the kubelet look for the runtime in this cgroup of v1; one reads its statistics.
for (const [, options] of readFileSync('/proc/self/cgroup', 'utf8').matchAll(/^\d+:([a-z_,]+):/gm)) {
  const hierarchy = `/sys/fs/cgroup/${options}`;
  if (!existsSync(hierarchy)) continue;
  const own = `${hierarchy}/docker-daemon`;
  mkdirSync(own);
  for (const name of ['cpuset.cpus', 'cpuset.mems'].filter((name) => existsSync(`${own}/${name}`)))
    writeFileSync(`${own}/${name}`, readFileSync(`${hierarchy}/${name}`));
  writeFileSync(`${own}/cgroup.procs`, output('pidof', 'containerd'));
}

// ginkgo runs it in its directory, where it writes.
const suiteProgram = `${work}/e2e_node.test`;
symlinkSync(program('e2e_node.test'), suiteProgram);
// Some tests replace the gates of the kubelet's config, which this config needs.
const gates = /^featureGates: \{ (.*) \}$/m.exec(text)?.[1].replaceAll(': ', '=').replaceAll(' ', '');
const suite = [
  `--k8s-bin-dir=${work}/bin`,
  `--node-name=${nodeName}`,
  '--container-runtime-endpoint=unix:///run/containerd/containerd.sock',
  '--prepull-images=false',
  `--kubelet-config-file=${work}/kubelet.yaml`,
  `--kubelet-flags=--node-ip=${address} --feature-gates=${gates}`,
  `--report-dir=${work}`,
];
const ginkgo = [
  ...[`--procs=${PROCS}`, '--no-color', '--succinct', `--timeout=${MINUTES}m`, '--flake-attempts=2'],
  ...[`--focus=${FOCUS}`, `--skip=${SKIP}`, '--json-report=report.json', `--output-dir=${work}`],
];
const from = Date.now();
const { status, error: failure } = spawnSync(program('ginkgo-kubernetes'), [...ginkgo, suiteProgram, '--', ...suite], {
  cwd: work,
  stdio: ['ignore', 2, 2],
  timeout: (Number(MINUTES) + 2) * 60_000,
});
const results = {};
try {
  for (const { SpecReports } of JSON.parse(readFileSync(`${work}/report.json`, 'utf8')))
    for (const of of SpecReports) {
      if (of.LeafNodeType !== 'It' || of.State === 'pending') continue;
      const text = [...of.ContainerHierarchyTexts, of.LeafNodeText].join(' ');
      // Two have the same name.
      let name = text;
      for (let n = 2; name in results; n++) name = `${text} (${n})`;
      // Those that the filters leave out have no reason.
      const why = (of.Failure?.Message ?? '').split('\n')[0];
      if (of.State === 'skipped' && why === '') continue;
      results[name] = { state: of.State, seconds: of.RunTime / 1e9, why };
    }
  if (Object.keys(results).length === 0) throw new Error('no test ran');
} catch (error) {
  for (const log of ['/tmp/containerd.log', `${work}/services.log`, `${work}/kubelet.log`])
    if (existsSync(log)) process.stderr.write(`${log}:\n${tail(log)}\n`);
  throw new Error(`ginkgo ended with ${status} and without a report`, { cause: failure ?? error });
}
const versions = `${output('containerd', '--version').split(' ')[2]}, ${output(program('kubelet'), '--version').trim()}`;
const seconds = Math.round((Date.now() - from) / 1000);
process.stdout.write(`${JSON.stringify({ handler, versions, seconds, results })}\n`);
process.exit();
