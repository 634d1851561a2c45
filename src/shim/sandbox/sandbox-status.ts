/** The answer of Status about a pod, which `crictl inspectp` prints. */
import { native } from '../../sys/host.js';
import { timestampOf } from '../containerd/proto-timestamp.js';
import type { sandboxes } from './pod-protos.js';
import type { Sandbox } from './sandbox.js';

/** CRI's own view of a pod, the extension `metadata` of containerd's record. */
interface CriMetadata {
  readonly Metadata?: { readonly Config?: unknown; readonly CNIResult?: unknown };
}

/** @param verbose also the info that CRI's own controller has */
export function sandboxStatus(
  sandbox: Sandbox,
  address: string,
  version: number,
  verbose: boolean,
): sandboxes.ControllerStatusResponse.$Properties {
  const { ended, ready, pid, id } = sandbox;
  return {
    sandboxId: id,
    pid,
    state: ready ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY',
    createdAt: timestampOf(sandbox.createdAt),
    ...(ended && { exitedAt: ended.at }),
    address,
    version,
    ...(verbose && { info: { info: verboseInfo(sandbox) } }),
  };
}

/** containerd 2.4 reads it back: the types of the members are those of its own. There is no image and no snapshot. */
function verboseInfo({ record, ready, ended, pid, config }: Sandbox): string {
  const metadata = record.metadata ? (JSON.parse(record.metadata) as CriMetadata) : {};
  return JSON.stringify({
    pid,
    processStatus: ready ? 'running' : ended ? 'stopped' : 'created',
    netNamespaceClosed: record.netns !== '' && !isNamespace(record.netns),
    image: '',
    snapshotKey: '',
    snapshotter: '',
    runtimeType: record.runtimeType,
    runtimeOptions: { ...(record.options.systemdCgroup && { systemd_cgroup: true }) },
    config: metadata.Metadata?.Config ?? null,
    runtimeSpec: JSON.parse(config),
    cniResult: metadata.Metadata?.CNIResult ?? null,
    sandboxMetadata: record.metadata ? metadata : null,
  });
}

/** Whether the file is still that of a namespace: CRI unmounts it when the pod stops. */
function isNamespace(path: string): boolean {
  const fd = native.namespaceOpen(path, new Uint8Array(24));
  if (fd >= 0) native.close(fd);
  return fd >= 0;
}
