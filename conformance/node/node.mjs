// A node: containerd with one handler as its default, and a kubelet without an API server, whose pods are files; for
// one with an API server see api.mjs.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
// For `eventually`, which has a deadline.
import { setTimeout as sleep } from 'node:timers/promises';

const here = import.meta.dirname;
const manifests = '/etc/kubernetes/manifests';
const readOnly = 'http://127.0.0.1:10255';
/** The name of the node, which the kubelet appends to the names of its pods. */
export const nodeName = 'engines';
export const address = '192.168.78.1';

const runtime = 'plugins."io.containerd.cri.v1.runtime".containerd';
const shim = '/usr/local/bin/containerd-shim-runt-v1';
/** What makes the cgroups of the pods: the kubelet and the runtimes themselves (cgroupfs), or systemd. */
export const driver = process.env.DRIVER ?? 'cgroupfs';
/** The table of a handler, and that of its options. */
function table(name, lines, options = []) {
  const all = driver === 'systemd' ? [...options, 'SystemdCgroup = true'] : options;
  return [...lines, ...(all.length > 0 ? [`[${runtime}.runtimes.${name}.options]`, ...all] : [])].join('\n');
}
const runcType = 'runtime_type = "io.containerd.runc.v2"';
/** The ways to runt that docs/engines/kubernetes.md has, and runc: the tables of each handler. */
export const handlers = {
  runc: table('runc', [runcType]),
  runt: table('runt', ['runtime_type = "io.containerd.runt.v1"']),
  replaced: table('replaced', [runcType, `runtime_path = "${shim}"`]),
  binary: table('binary', [runcType], ['BinaryName = "/usr/local/bin/runt"']),
  serve: table('serve', ['runtime_type = "io.containerd.runt.v1"', 'sandboxer = "runt"']),
};
/** The kubelet's config: kubelet.yaml with the driver (prepare). */
export const kubeletConfig = '/etc/kubernetes/kubelet.yaml';
/** Where `runt serve` listens. */
export const served = '/run/runt/serve.sock';

/**
 * containerd's config. Without other tables or another default, that handler is the default.
 * @param {string} handler @param {Record<string, string>} [tables] @param {string} [standard]
 */
export const config = (handler, tables = tablesOf(handler), standard = handler) => `version = 3
${handler === 'serve' ? `[proxy_plugins.runt]\ntype = "sandbox"\naddress = "${served}"\n` : ''}\
[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "registry.k8s.io/sandbox:1"
[plugins."io.containerd.cri.v1.images".registry]
config_path = "/etc/containerd/certs.d"
[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["/usr/lib/cni"]
conf_dir = "/etc/cni/net.d"
[${runtime}]
default_runtime_name = "${standard}"
${Object.entries(tables)
  .map(([name, table]) => `[${runtime}.runtimes.${name}]\n${table}\n`)
  .join('')}`;

/** Without a server containerd has no such handler. */
function tablesOf(handler) {
  const { serve, ...tables } = handlers;
  return handler === 'serve' ? { ...tables, serve } : tables;
}

/** A machine with one CPU, such as User Mode Linux, has more time. */
const slowness = availableParallelism() === 1 ? 2 : 1;
/** Waits until `condition` gives something true. @returns that, or undefined after so many seconds */
export async function eventually(condition, seconds = 120) {
  const end = Date.now() + seconds * slowness * 1000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) return undefined;
    await sleep(100); // The interval of the checks.
  }
}

/** What a program prints; its errors are thrown. */
export const output = (/** @type {string} */ program, /** @type {string[]} */ ...args) =>
  execFileSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
  });
/** A page of a web server. */
export async function page(/** @type {string} */ url) {
  return await (await fetch(url, { signal: AbortSignal.timeout(10_000) })).text();
}
/** What `read` gives, or undefined if its file or process has vanished. */
export function unlessGone(/** @type {() => any} */ read) {
  try {
    return read();
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return undefined;
    throw error;
  }
}
/** A program of conformance/cri/tools. */
export const program = (/** @type {string} */ name) => join(here, '../../build/cri/bin', name);
const ctr = (...args) => output('ctr', '--namespace', 'k8s.io', ...args);

/** Processes: pid and command line, in words. */
export function processes() {
  const all = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const read = (file) => unlessGone(() => readFileSync(`/proc/${name}/${file}`, 'utf8'));
    const [line, comm] = [read('cmdline'), read('comm')];
    if (line !== undefined && comm !== undefined)
      all.push({ pid: Number(name), words: line.split('\0'), comm: comm.trim() });
  }
  return all;
}
/** The shims, or that of one pod. */
export const shims = (sandbox) =>
  processes().filter(({ words }) => words[0]?.includes('containerd-shim') && (!sandbox || words.includes(sandbox)));

export class Node {
  /** @type {Record<string, import('node:child_process').ChildProcess>} */
  #daemons = {};
  /** The kubelet's config, and more of its arguments. */
  kubeletConfig = kubeletConfig;
  /** @type {string[]} */
  kubeletOptions = [];

  /** A static pod's name ends with that of its node. */
  podName(name) {
    return `${name}-${nodeName}`;
  }

  /** Starts a program that ends with this run, or by `kill`; its output goes to /tmp/NAME.log. */
  daemon(name, command, args) {
    const log = openSync(`/tmp/${name}.log`, 'a');
    const daemon = spawn(command, args, { detached: true, stdio: ['ignore', log, log] });
    this.#daemons[name] = daemon;
    return daemon;
  }

  /** @param {string} name @param {NodeJS.Signals} [signal] */
  async #ends(name, signal = 'SIGKILL') {
    const daemon = this.#daemons[name];
    const hasEnded = () => daemon.exitCode !== null || daemon.signalCode !== null;
    daemon.kill(signal);
    if (!(await eventually(hasEnded))) throw new Error(`${name} does not end by ${signal}`);
  }

  /** Starts `runt serve`, as systemd does through a socket; containerd asks it for its pods when it starts. */
  async serverStarts() {
    mkdirSync(dirname(served), { recursive: true });
    const activated = join(here, '../engines/serve/activated.pl');
    const command = ['runt', '--root', '/run/runt/state', 'serve', '--containerd', '/run/containerd/containerd.sock'];
    this.daemon('serve', 'perl', [activated, served, ...command]);
    if (!(await eventually(() => tail('/tmp/serve.log').includes('is ready at'))))
      throw new Error(`runt serve does not start: ${tail('/tmp/serve.log')}`);
  }

  /** Writes containerd's config unless it is there, and starts both daemons. */
  async starts(text) {
    if (text !== undefined) writeFileSync('/etc/containerd/config.toml', text);
    await this.containerdStarts();
    await this.kubeletStarts();
  }

  async containerdStarts() {
    this.daemon('containerd', 'containerd', []);
    const ready = () => {
      try {
        return ctr('version');
      } catch {
        return undefined;
      }
    };
    if (!(await eventually(ready))) throw new Error(`containerd does not start: ${tail('/tmp/containerd.log')}`);
  }

  async kubeletStarts() {
    const options = ['--config', this.kubeletConfig, '--hostname-override', nodeName, '--node-ip', address];
    this.daemon('kubelet', join(here, 'kubelet'), [program('kubelet'), ...options, ...this.kubeletOptions]);
    const ready = () => this.get('/pods').catch(() => undefined);
    if (!(await eventually(ready))) throw new Error(`the kubelet does not start: ${tail('/tmp/kubelet.log')}`);
  }

  containerdEnds = (signal) => this.#ends('containerd', signal);
  kubeletEnds = () => this.#ends('kubelet');

  /** The body of an answer of the kubelet's read-only server. */
  async get(path) {
    const answer = await fetch(`${readOnly}${path}`, { signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return await answer.text();
  }

  /** The pod as the kubelet has it, or undefined. */
  async pod(name) {
    // A kubelet that starts refuses the connection.
    const text = await this.get('/pods').catch(() => '{}');
    return JSON.parse(text).items?.find(({ metadata }) => metadata.name === this.podName(name));
  }

  /** Writes the pod's file. @returns when */
  applies(pod) {
    const file = `${pod.metadata.name}.json`;
    writeFileSync(`/etc/kubernetes/${file}`, JSON.stringify(pod));
    renameSync(`/etc/kubernetes/${file}`, join(manifests, file));
    return Date.now();
  }

  /** Removes the pod's file, and waits until none of its containers runs. @returns whether that happened */
  async removes(name, seconds = undefined) {
    const ids = this.containers(name).map(({ id }) => id);
    rmSync(join(manifests, `${name}.json`), { force: true });
    const ended = () => !this.tasks().some(({ id, status }) => ids.includes(id) && status === 'RUNNING');
    return (await eventually(ended, seconds)) === true;
  }

  /** Waits until the pod fulfils the condition. */
  reaches(name, condition, seconds = undefined) {
    return eventually(async () => {
      const pod = await this.pod(name);
      return pod?.status !== undefined && condition(pod) ? pod : undefined;
    }, seconds);
  }

  /** The containers of a pod: id, and name, which its sandbox lacks. */
  containers(name) {
    const filter = `labels."io.kubernetes.pod.name"==${this.podName(name)}`;
    const all = [];
    for (const id of ctr('containers', 'ls', '-q', filter).split('\n').filter(Boolean))
      try {
        const { Labels } = JSON.parse(ctr('containers', 'info', id));
        all.push({ id, name: Labels['io.kubernetes.container.name'] });
      } catch (error) {
        // The kubelet has removed it meanwhile.
        if (!/not found/.test(error.stderr)) throw error;
      }
    return all;
  }

  tasks() {
    const lines = ctr('tasks', 'ls').trim().split('\n').slice(1);
    return lines.map((line) => line.split(/\s+/)).map(([id, pid, status]) => ({ id, pid: Number(pid), status }));
  }

  /** The pid of a running container of the pod; without its name that of the sandbox. */
  pid(name, container) {
    const ids = this.containers(name)
      .filter((c) => c.name === container)
      .map(({ id }) => id);
    return this.tasks().find(({ id, status }) => ids.includes(id) && status === 'RUNNING')?.pid;
  }

  /** The lines of the pod's logs. A pod that was refused has none, and the kubelet removes those of earlier runs. */
  logs(name) {
    const at = '/var/log/pods';
    const names = (directory) => unlessGone(() => readdirSync(directory).sort()) ?? [];
    const lines = [];
    const pods = names(at).filter((d) => d.startsWith(`default_${this.podName(name)}_`));
    for (const pod of pods)
      for (const container of names(`${at}/${pod}`))
        for (const file of names(`${at}/${pod}/${container}`)) {
          const text = unlessGone(() => readFileSync(`${at}/${pod}/${container}/${file}`, 'utf8')) ?? '';
          for (const line of text.trimEnd().split('\n')) {
            const [time, stream, , ...words] = line.split(' ');
            if (time) lines.push({ time: Date.parse(time), container, stream, text: words.join(' ') });
          }
        }
    return lines;
  }

  /** Runs a command in a container through the kubelet. @returns its output; of one that fails the error too */
  runs(name, container, ...command) {
    const query = new URLSearchParams({ cmd: command.join(' ') });
    const path = `/run/default/${this.podName(name)}/${container}?${query}`;
    const options = { host: '127.0.0.1', port: 10250, path, method: 'POST', rejectUnauthorized: false };
    return new Promise((resolve, reject) => {
      const call = request(options, async (answer) => {
        let text = '';
        for await (const piece of answer) text += piece;
        resolve(text);
      });
      call.on('error', reject).setTimeout(30_000, () => call.destroy(new Error(`${path}: no answer`)));
      call.end();
    });
  }
}

export const tail = (file) => readFileSync(file, 'utf8').split('\n').slice(-8).join('\n');
