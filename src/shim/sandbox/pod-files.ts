/**
 * The files of a pod that CRI mounts into its containers, if they exist: hostname, hosts, resolv.conf and /dev/shm.
 * They are in the directories of containerd's CRI plugin.
 */
import { check, RuntError } from '../../sys/error.js';
import { exists, makeDir, makeParents, readBytes, readText, writeFile } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, O_CREAT, O_TRUNC } from '../../sys/linux.js';
import { nulList } from '../../sys/nul-list.js';
import { unmountRootfs } from '../task/rootfs-mounts.js';
import { pod } from './pod-protos.js';
import { namespaceModes } from './pod-spec.js';

/** containerd's directories `root` and `state`. */
export interface ContainerdDirectories {
  readonly root: string;
  readonly state: string;
}

const plugin = 'io.containerd.grpc.v1.cri';
const shmAttributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

export class PodFiles {
  private readonly root: string;
  private readonly state: string;

  constructor(
    private readonly containerd: ContainerdDirectories,
    id: string,
  ) {
    this.root = `${containerd.root}/${plugin}/sandboxes/${id}`;
    this.state = `${containerd.state}/${plugin}/sandboxes/${id}`;
  }

  /** @throws RuntError ERR_SANDBOX, ERR_IO, ERR_MOUNT; what was made is left to `remove` */
  make(config: pod.PodSandboxConfig): void {
    for (const [name, directory, sign] of [
      ['root', this.containerd.root, 'io.containerd.metadata.v1.bolt'],
      ['state', this.containerd.state, 'io.containerd.runtime.v2.task'],
    ] as const) {
      if (exists(`${directory}/${sign}`)) continue;
      throw new RuntError({
        code: 'ERR_SANDBOX',
        message: `make the files of the pod: ${directory} is not containerd's directory "${name}": it has no ${sign}`,
        path: `${directory}/${sign}`,
        hint: `give runt serve the directory of containerd's configuration with --containerd-${name}`,
      });
    }
    for (const path of [this.root, this.state]) {
      makeParents(path);
      makeDir(path);
    }
    const hostname = config.hostname || readText('/proc/sys/kernel/hostname').trim();
    const { dnsConfig } = config;
    this.write('hostname', `${hostname}\n`);
    this.write('hosts', readBytes('/etc/hosts'));
    this.write('resolv.conf', dnsConfig ? resolvConf(dnsConfig) : readBytes('/etc/resolv.conf'));
    if (namespaceModes(config).ipc === pod.NamespaceMode.NODE) return;
    const shm = `${this.state}/shm`;
    makeDir(shm, 0o700);
    check(native.mountFs('tmpfs', 'shm', nulList(['mode=1777', 'size=67108864']), shmAttributes, shm), {
      code: 'ERR_MOUNT',
      message: `mount a tmpfs on ${shm}`,
      path: shm,
    });
  }

  private write(name: string, data: string | Uint8Array): void {
    writeFile(`${this.root}/${name}`, data, O_CREAT | O_TRUNC, 0o644);
  }

  /** Unmounts what `make` mounted; succeeds if nothing is. */
  unmount(): void {
    unmountRootfs(`${this.state}/shm`);
  }

  /** Removes the directories; the pod's mounts are unmounted first. */
  remove(): void {
    this.unmount();
    for (const path of [this.root, this.state])
      check(native.removeTree(AT_FDCWD, path), { code: 'ERR_IO', message: `remove ${path}`, path });
  }
}

/** The text of resolv.conf(5). */
export function resolvConf(config: pod.DNSConfig.$Properties): string {
  const [searches, servers, options] = [config.searches ?? [], config.servers ?? [], config.options ?? []];
  return [
    ...(searches.length > 0 ? [`search ${searches.join(' ')}\n`] : []),
    ...servers.map((server) => `nameserver ${server}\n`),
    ...(options.length > 0 ? [`options ${options.join(' ')}\n`] : []),
  ].join('');
}
