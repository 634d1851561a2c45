// A node with an API server: etcd, kube-apiserver and a kubelet that is registered there. Its pods have a RuntimeClass.
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import {
  address,
  config,
  eventually,
  handlers,
  kubeletConfig,
  Node,
  nodeName,
  output,
  program,
  shims,
  tail,
} from './node.mjs';
import { pod } from './pods.mjs';

const directory = '/run/node-api';
const server = `https://${address}:6443`;
const proxy = 'http://127.0.0.1:8001';
const top = join(import.meta.dirname, '../..');
/** Tokens, as kube-apiserver reads them: whose each is. */
const tokens = { admin: 'admin,admin,system:masters', kubelet: `system:node:${nodeName},node,system:nodes` };

/** A pod as in pods.mjs, on this node and with a RuntimeClass: there is no scheduler. */
export const apiPod = (name, containers, spec = {}) =>
  pod(name, containers, { nodeName, runtimeClassName: 'runt', automountServiceAccountToken: false, ...spec });

export class ApiNode extends Node {
  kubeletConfig = `${directory}/kubelet.yaml`;
  kubeletOptions = ['--kubeconfig', `${directory}/kubelet.conf`];

  /** @param {string} handler that of the RuntimeClass; containerd's default is runc */
  constructor(handler) {
    super();
    this.handler = handler;
  }

  podName(name) {
    return name;
  }

  /** Starts etcd, the API server and a proxy of it. */
  async apiStarts() {
    mkdirSync(directory, { recursive: true });
    const at = (name) => `${directory}/${name}`;
    writeFileSync(
      at('tokens'),
      Object.entries(tokens)
        .map(([token, user]) => `${token},${user}\n`)
        .join(''),
    );
    for (const user of Object.keys(tokens)) writeFileSync(at(`${user}.conf`), kubeconfig(user));
    const { privateKey, publicKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    writeFileSync(at('key'), privateKey);
    writeFileSync(at('public'), publicKey);
    this.thresholds({});

    const client = 'http://127.0.0.1:2379';
    const urls = ['--listen-client-urls', client, '--advertise-client-urls', client];
    this.daemon('etcd', program('etcd'), ['--data-dir', at('etcd'), '--unsafe-no-fsync', ...urls]);
    const options = {
      'etcd-servers': client,
      'advertise-address': address,
      'cert-dir': directory,
      'service-cluster-ip-range': '10.96.0.0/16',
      'service-account-issuer': 'https://kubernetes.default.svc',
      'service-account-key-file': at('public'),
      'service-account-signing-key-file': at('key'),
      'token-auth-file': at('tokens'),
      'authorization-mode': 'Node,RBAC',
      'enable-admission-plugins': 'NodeRestriction',
    };
    const words = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
    this.daemon('apiserver', program('kube-apiserver'), words);
    const isReady = async () => (await this.kubectl('get', '--raw', '/readyz')).text === 'ok';
    if (!(await eventually(isReady, 120)))
      throw new Error(`kube-apiserver does not start: ${tail('/tmp/apiserver.log')}`);
    this.daemon('proxy', program('kubectl'), ['--kubeconfig', at('admin.conf'), 'proxy', '--port', '8001']);
    if (!(await eventually(() => this.call('GET', '/readyz').catch(() => undefined))))
      throw new Error(`kubectl proxy does not start: ${tail('/tmp/proxy.log')}`);
  }

  /** Starts everything, applies the RuntimeClasses of deploy/, and makes what a controller manager would make. */
  async starts() {
    await this.apiStarts();
    const classes = join(top, 'deploy/base/runtime-classes.yaml');
    for (const file of [classes, join(top, 'deploy/base/namespace.yaml')]) await this.must('apply', '--filename', file);
    await this.call('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });

    const table = handlers[this.handler].replaceAll(`runtimes.${this.handler}.`, 'runtimes.runt.');
    writeFileSync('/etc/containerd/config.toml', config(this.handler, { runc: handlers.runc, runt: table }, 'runc'));
    await this.containerdStarts();
    await this.registers();
  }

  /** Starts the kubelet, and waits until its node is ready. */
  async registers() {
    await this.kubeletStarts();
    if (!(await eventually(async () => (await this.condition('Ready')) === 'True')))
      throw new Error(`the node is not ready: ${tail('/tmp/kubelet.log')}`);
  }

  /** Writes the kubelet's config with other thresholds of eviction. */
  thresholds(changes) {
    const text = readFileSync(kubeletConfig, 'utf8');
    const changed = text.replace(/^evictionHard: \{(.*)\}$/m, (_, others) => {
      const all = {
        ...Object.fromEntries(
          others
            .trim()
            .split(', ')
            .map((of) => of.split(': ')),
        ),
        ...changes,
      };
      const pairs = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
      return `evictionHard: { ${pairs.join(', ')} }\nevictionPressureTransitionPeriod: 15s`;
    });
    writeFileSync(this.kubeletConfig, changed);
  }

  /** Calls the API. @returns the object of the answer, or its text */
  async call(method, path, body, type = 'application/json') {
    const headers = body === undefined ? {} : { 'Content-Type': type };
    const signal = AbortSignal.timeout(20_000);
    const answer = await fetch(`${proxy}${path}`, { method, headers, body: body && JSON.stringify(body), signal });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}: ${text}`);
    return answer.headers.get('Content-Type')?.includes('json') ? JSON.parse(text) : text;
  }

  /** Runs kubectl. @returns its status, what it printed, and both of its streams as text */
  kubectl(...args) {
    return this.kubectlWith('', ...args);
  }

  /** The same with that as its standard input. @param {string | Buffer} input @param {...string} args */
  async kubectlWith(input, ...args) {
    const [command, words] = this.words(...args);
    const child = spawn(command, words, { stdio: 'pipe', timeout: 60_000 });
    // One that fails does not read its input.
    child.stdin.on('error', () => {}).end(input);
    const [[status], stdout, stderr] = await Promise.all([
      once(child, 'close'),
      buffer(child.stdout),
      buffer(child.stderr),
    ]);
    return { status, stdout, text: `${stdout}${stderr}`.trim() };
  }

  /** The program and arguments of a call of kubectl, for `daemon`. @returns {[string, string[]]} */
  words(...args) {
    return [program('kubectl'), ['--kubeconfig', `${directory}/admin.conf`, ...args]];
  }

  /** The same as a line of a shell. */
  line(...args) {
    const [command, words] = this.words(...args);
    return [command, ...words].map((word) => `'${word}'`).join(' ');
  }

  /** Runs kubectl, which has to succeed. @returns what it printed */
  async must(...args) {
    const { status, stdout, text } = await this.kubectl(...args);
    if (status !== 0) throw new Error(`kubectl ${args.join(' ')}: ${text}`);
    return stdout.toString();
  }

  /** Makes an object of the core group in the namespace "default". */
  makes(kind, name, more) {
    return this.call('POST', `/api/v1/namespaces/default/${kind}`, { metadata: { name }, ...more });
  }

  /** Changes such an object by a merge patch; `sub` is a subresource. */
  changes(kind, name, patch, sub = '') {
    return this.call(
      'PATCH',
      `/api/v1/namespaces/default/${kind}/${name}${sub}`,
      patch,
      'application/merge-patch+json',
    );
  }

  /** The pod as the API server has it, or undefined. */
  async pod(name) {
    return await this.call('GET', `/api/v1/namespaces/default/pods/${name}`).catch(() => undefined);
  }

  async applies(of) {
    const from = Date.now();
    await this.call('POST', '/api/v1/namespaces/default/pods', of);
    return from;
  }

  /** Deletes the pod, and waits until the API server has it no longer and none of its containers runs. */
  async removes(name, seconds = undefined, grace = undefined) {
    const ids = this.containers(name).map(({ id }) => id);
    const query = grace === undefined ? '' : `?gracePeriodSeconds=${grace}`;
    await this.call('DELETE', `/api/v1/namespaces/default/pods/${name}${query}`).catch(() => undefined);
    const ended = async () =>
      (await this.pod(name)) === undefined &&
      !this.tasks().some(({ id, status }) => ids.includes(id) && status === 'RUNNING');
    return (await eventually(ended, seconds)) === true;
  }

  /** The status of a condition of the node; undefined before it is registered. */
  async condition(type) {
    const node = await this.call('GET', `/api/v1/nodes/${nodeName}`).catch(() => undefined);
    return node?.status.conditions?.find((of) => of.type === type)?.status;
  }

  /** Whether the pod's sandbox is served as the handler says: by its shim, or by `runt serve`. */
  isServed(name) {
    // All of its pods have that RuntimeClass, and their sandboxes are not containers of containerd.
    if (this.handler === 'serve') return shims().length === 0;
    const sandbox = this.containers(name).find((c) => c.name === undefined);
    if (!sandbox) return false;
    const of = shims(sandbox.id).map(({ pid }) => readlinkSync(`/proc/${pid}/exe`));
    const own = this.handler === 'runt' || this.handler === 'replaced';
    const { Runtime } = JSON.parse(output('ctr', '--namespace', 'k8s.io', 'containers', 'info', sandbox.id));
    const options = Buffer.from(Runtime.Options?.value ?? '', 'base64').toString('latin1');
    const named = options.includes('/usr/local/bin/runt') === (this.handler === 'binary');
    return named && of.length === 1 && of[0].endsWith(own ? '/dist/runt' : '/containerd-shim-runc-v2');
  }
}

/** The certificate of the API server is self-signed, and in a file with its issuer's. */
const kubeconfig = (user) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'node', cluster: { server, 'certificate-authority': `${directory}/apiserver.crt` } }],
    users: [{ name: user, user: { token: user } }],
    contexts: [{ name: user, context: { cluster: 'node', user } }],
    'current-context': user,
  });
