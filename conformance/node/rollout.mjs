// The DaemonSet of deploy/ on a node, by the controllers and the scheduler of Kubernetes: install, an upgrade, and the
// way back, after which the host's files are those from before, byte for byte.
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { ApiNode } from './api.mjs';
import { config, eventually, handlers, nodeName, output, program, shims, tail } from './node.mjs';
import { container, ended, facts, pod, ready } from './pods.mjs';
import { systemd } from './systemd.mjs';

const top = join(import.meta.dirname, '../..');
const namespace = 'runt-system';
const installer = ['--namespace', namespace, 'daemonset/runt-install'];
/** What `runt install` may change on a node, in the order of their names: kind, mode, owner, target, digest. */
const census = () =>
  output(
    'sh',
    '-c',
    `find /etc /usr/local /opt /var/lib/runt /var/lib/rancher -printf '%p %y %m %U:%G %l\\n' 2>/dev/null | sort
     find /etc /usr/local /opt -type f -exec sha256sum {} + | sort -k 2`,
  );
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const digest = (path) => sha256(readFileSync(path));
const forever = 'trap "exit 0" TERM; while :; do sleep 0.1; done';

class Cluster extends ApiNode {
  /** Restarts of containerd that systemd was asked for. */
  restarts = [];

  async starts() {
    await this.apiStarts();
    const controllers = ['daemonset', 'node-lifecycle', 'serviceaccount', 'namespace', 'garbage-collector'];
    const options = ['--kubeconfig', '/run/node-api/admin.conf', '--leader-elect=false', '--secure-port=0'];
    const named = `--controllers=${controllers.map((name) => `${name}-controller`).join()}`;
    this.daemon('controllers', program('kube-controller-manager'), [...options, named]);
    this.daemon('scheduler', program('kube-scheduler'), options);
    const cgroups =
      '\n[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]\nSystemdCgroup = false';
    writeFileSync('/etc/containerd/config.toml', config('runc', { runc: `${handlers.runc}${cgroups}` }));
    this.restarts = await systemd('containerd.service', async () => {
      await this.containerdEnds('SIGTERM');
      await this.containerdStarts();
    });
    await this.containerdStarts();
    await this.registers();
  }

  /** Applies a directory of deploy/ with that version of the image, and waits until its pods are ready. */
  async rolls(directory, version, seconds = 180) {
    const at = mkdtempSync('/run/node-api/kustomize-');
    const resource = join('../../..', top, 'deploy', directory);
    writeFileSync(
      join(at, 'kustomization.yaml'),
      `resources: ["${resource}"]\nimages: [{ name: runt-install, newTag: "${version}" }]\n`,
    );
    await this.must('apply', '--kustomize', at);
    const isNew = async () => {
      const of = await this.call('GET', `/apis/apps/v1/namespaces/${namespace}/daemonsets/runt-install`);
      const { observedGeneration, desiredNumberScheduled, updatedNumberScheduled, numberAvailable } = of.status;
      const isSeen = observedGeneration === of.metadata.generation && desiredNumberScheduled === 1;
      return isSeen && updatedNumberScheduled === 1 && numberAvailable === 1;
    };
    const rolled = await eventually(isNew, seconds);
    const log = (await this.kubectl('logs', ...installer, '--container', 'install')).text;
    if (rolled) return log;
    const pods = (await this.kubectl('get', 'pods', '--namespace', namespace, '--output', 'json')).text;
    throw new Error(`${directory} is not rolled out: ${log}; ${pods.slice(0, 3000)}; ${tail('/tmp/controllers.log')}`);
  }

  /** Makes a pod that the scheduler places, and waits. @returns it, or what is known of it as an error */
  async places(of, until) {
    await this.applies(of);
    const { name } = of.metadata;
    const reached = await this.reaches(name, until);
    if (reached) return reached;
    const last = await this.pod(name);
    throw new Error(`${name}: ${last?.status ? facts(last).join('; ') : 'no status'}`);
  }

  /** The digest of the program that is the pod's shim. */
  shim(name) {
    const sandbox = this.containers(name).find((c) => c.name === undefined);
    const [first, ...others] = sandbox ? shims(sandbox.id) : [];
    if (!first || others.length > 0) throw new Error(`${name} has ${first ? others.length + 1 : 0} shims`);
    return { digest: digest(`/proc/${first.pid}/exe`), path: readlinkSync(`/proc/${first.pid}/exe`) };
  }
}

/** Imports the image as it is, and a later version of it, whose program has one more byte. @returns both digests */
function images(archive, versions) {
  const at = mkdtempSync('/run/node-api/image-');
  const blobs = join(at, 'layout/blobs/sha256');
  mkdirSync(join(at, 'layout'));
  output('tar', '-xf', archive, '-C', join(at, 'layout'));
  output('ctr', '--namespace', 'k8s.io', 'images', 'import', archive);
  const json = (name) => JSON.parse(readFileSync(join(blobs, name), 'utf8'));
  const put = (bytes) => {
    const of = { digest: `sha256:${sha256(bytes)}`, size: Buffer.byteLength(bytes) };
    writeFileSync(join(blobs, sha256(bytes)), bytes);
    return of;
  };
  const index = JSON.parse(readFileSync(join(at, 'layout/index.json'), 'utf8'));
  const [entry] = index.manifests;
  const manifest = json(entry.digest.slice(7));
  const image = json(manifest.config.digest.slice(7));
  const [layer] = manifest.layers;
  mkdirSync(join(at, 'tree'));
  writeFileSync(join(at, 'layer.tar'), gunzipSync(readFileSync(join(blobs, layer.digest.slice(7)))));
  output('tar', '-xf', join(at, 'layer.tar'), '-C', join(at, 'tree'));
  const runt = join(at, 'tree/runt');
  const first = digest(runt);
  writeFileSync(runt, '\n', { flag: 'a' });
  const second = digest(runt);
  output('tar', '-cf', join(at, 'layer.tar'), '-C', join(at, 'tree'), ...readdirSync(join(at, 'tree')));
  const plain = readFileSync(join(at, 'layer.tar'));
  image.rootfs.diff_ids = [`sha256:${sha256(plain)}`];
  Object.assign(layer, put(gzipSync(plain)));
  Object.assign(manifest.config, put(JSON.stringify(image)));
  Object.assign(entry, put(JSON.stringify(manifest)));
  for (const [name, value] of Object.entries(entry.annotations))
    entry.annotations[name] = value.replace(versions[0], versions[1]);
  writeFileSync(join(at, 'layout/index.json'), JSON.stringify(index));
  output('tar', '-cf', join(at, 'image.tar'), '-C', join(at, 'layout'), ...readdirSync(join(at, 'layout')));
  output('ctr', '--namespace', 'k8s.io', 'images', 'import', join(at, 'image.tar'));
  return [first, second];
}

/** @returns why it does not work, and what it printed */
export async function rollsOut() {
  const problems = [];
  const said = [];
  const needs = (condition, problem) => condition || problems.push(problem);
  // What prepare has put there is not of the host.
  for (const name of ['runt', 'containerd-shim-runt-v1']) rmSync(`/usr/local/bin/${name}`, { force: true });
  const node = new Cluster('replaced');
  await node.starts();
  // As kubeadm writes it, where the installer finds the cgroup driver.
  cpSync(node.kubeletConfig, '/var/lib/kubelet/config.yaml');
  const archives = join(top, 'build/node');
  const archive = join(archives, readdirSync(archives).find((name) => name.endsWith('.oci.tar')) ?? '');
  const version = /runt-install-(.*)-[a-z0-9]+\.oci\.tar$/.exec(archive)[1];
  const digests = images(archive, [version, 'next']);
  const classed = (name, script, runtimeClassName, more = {}) =>
    pod(name, container('c', script), { runtimeClassName, automountServiceAccountToken: false, ...more });
  const before = census();

  said.push(await node.rolls('overlays/kubeadm', version));
  needs(node.restarts.length === 1, `containerd was restarted ${node.restarts.length} times by the install`);
  needs(digest('/usr/local/bin/runt') === digests[0], 'the host has another runt than the image');
  await node.places(classed('runs', forever, 'runt'), ready);
  needs(node.shim('runs').digest === digests[0], `the shim of a pod is ${node.shim('runs').path}`);
  const refused = await node.places(classed('elsewhere', 'true', 'runt-userns', { hostUsers: false }), ({ status }) =>
    status.conditions?.some((of) => of.reason === 'Unschedulable'),
  );
  needs(refused.spec.nodeName === undefined, 'a node without the label got a pod with a user namespace');
  await node.must('label', 'node', nodeName, 'io.runt/user-namespaces=true');
  const inside = await node.reaches('elsewhere', ended);
  needs(inside?.status.phase === 'Succeeded', `in a user namespace: ${inside ? facts(inside).join('; ') : 'no end'}`);

  said.push(await node.rolls('overlays/kubeadm', 'next'));
  needs(digest('/usr/local/bin/runt') === digests[1], 'the host has not the upgraded runt');
  needs(node.restarts.length === 1, 'an upgrade that changes no config restarted containerd');
  const exec = await node.kubectl('exec', 'runs', '--', 'echo', 'lives');
  needs(exec.text === 'lives', `exec in a pod from before the upgrade: ${exec.text}`);
  await node.places(classed('later', forever, 'runt'), ready);
  needs(node.shim('later').digest === digests[1], `the shim after the upgrade is ${node.shim('later').path}`);

  for (const name of ['runs', 'elsewhere', 'later']) needs(await node.removes(name), `${name} does not end`);
  said.push(await node.rolls('uninstall', 'next'));
  needs(node.restarts.length === 2, `containerd was restarted ${node.restarts.length} times after the uninstall`);
  const [old, now] = [before, census()].map((lines) => lines.split('\n'));
  const differ = [...now.filter((line) => !old.includes(line)), ...old.filter((line) => !now.includes(line))];
  needs(differ.length === 0, `the host's files differ: ${differ.slice(0, 9).join('; ')}`);
  await node.must('delete', '--wait=false', '--kustomize', join(top, 'deploy/uninstall'));
  const isGone = async () => (await node.kubectl('get', 'namespace', namespace)).text.includes('NotFound');
  needs(await eventually(isGone), 'the namespace stays');
  const none = await node.applies(classed('none', 'true', 'runt')).catch(({ message }) => message);
  needs(/RuntimeClass \\?"runt\\?" not found/.test(none), `a pod after the uninstall: ${none}`);
  return { problems, said: said.map((text) => `${text}\n`) };
}
