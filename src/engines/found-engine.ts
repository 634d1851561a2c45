/** The engines of a host: which there are, their versions, and how the host makes cgroups. */
import { hasOnlyV2 } from '../cgroup/cgroup-facts.js';
import { runProgram } from '../container/launch/program-output.js';
import { RuntError } from '../sys/error.js';
import { engineAnswerTime } from '../sys/waiting/time-limits.js';
import { containerd } from './containerd-engine.js';
import { crio } from './crio-engine.js';
import { docker } from './docker-engine.js';
import { type Engine, isOlder } from './engine.js';
import type { HostTree } from './host-tree.js';
import { podman } from './podman-engine.js';

export const engines: readonly Engine[] = [containerd, crio, docker, podman];

/** Whether the host has the engine: its program, or its config. */
export const isThere = (tree: HostTree, engine: Engine): boolean =>
  tree.program(engine.binary) !== undefined || engine.isConfigured(tree);

/**
 * The version that the engine's program prints. Undefined if there is none, or in a tree, whose programs do not run
 * here.
 * @throws RuntError ERR_PROGRAM, ERR_ENGINE_VERSION for one that is too old
 */
export async function versionOf(tree: HostTree, engine: Engine): Promise<string | undefined> {
  const path = tree.isThisMachine ? tree.program(engine.binary) : undefined;
  if (path === undefined) return undefined;
  const { status, output } = await runProgram([path, '--version'], { timeout: engineAnswerTime });
  const version = /\bv?(\d+\.\d+(?:\.\d+)?)/.exec(output)?.[1];
  if (status !== 0 || version === undefined)
    throw new RuntError({
      code: 'ERR_ENGINE_VERSION',
      message: `${path} --version: no version in ${JSON.stringify(output.slice(0, 200))}`,
      path,
    });
  if (isOlder(version, engine.oldest))
    throw new RuntError({
      code: 'ERR_ENGINE_VERSION',
      message: `${engine.title} ${version} is older than ${engine.oldest}, the oldest that runs runt`,
      path,
      hint: `install ${engine.title} ${engine.oldest} or newer`,
    });
  return version;
}

const kubeletConfig = '/var/lib/kubelet/config.yaml';
/** Files with flags of the kubelet: of kubeadm, and of Debian's and Fedora's packages. */
const kubeletFlags = ['/var/lib/kubelet/kubeadm-flags.env', '/etc/default/kubelet', '/etc/sysconfig/kubelet'];

/** The engine of a node: the one whose socket its kubelet uses, else containerd, else CRI-O; undefined without any. */
export function nodeEngine(tree: HostTree): Engine | undefined {
  // A flag has precedence over the config file.
  const sockets = [...kubeletFlags, kubeletConfig].map((path) => {
    const text = tree.text(path) ?? '';
    return /^[^#\n]*\bcontainer-?runtime-?endpoint["']?[:= ]+["']?([^\s"']+)/im.exec(text)?.[1];
  });
  const socket = sockets.find((found) => found !== undefined) ?? '';
  const known = [containerd, crio];
  return known.find(({ name }) => socket.endsWith(`/${name}.sock`)) ?? known.find((engine) => isThere(tree, engine));
}

/** Whether systemd makes the cgroups of the host's containers: as the kubelet says, else on cgroup v2 where it runs. */
export function usesSystemdCgroups(tree: HostTree): boolean {
  const kubelet = tree.text(kubeletConfig) ?? '';
  const driver = /^cgroupDriver:\s*["']?(\w+)/m.exec(kubelet)?.[1];
  if (driver !== undefined) return driver === 'systemd';
  // A tree is mounted on the kernel that its engine uses: the cgroups are the same.
  return tree.exists('/run/systemd/system') && hasOnlyV2();
}
