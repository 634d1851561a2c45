/** Records of pods on disk, for a restarted server: one directory for each pod, which is its bundle too. */
import { check } from '../../sys/error.js';
import { makeDir, makeParents, tryListDir, tryReadText } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import { replaceFile } from '../../sys/replace-file.js';
import type { RuntimeOptions } from '../containerd/runtime-options.js';

/** What a pod is, beside its container's state. */
export interface SandboxRecord {
  readonly version: 1;
  /** ns since 1970, in decimal. */
  readonly createdAt: string;
  readonly netns: string;
  /** Cgroup of the pod and its containers, as CRI names it; empty for none. */
  readonly cgroupParent: string;
  /** SELinux label of the pod's processes; empty for none. */
  readonly processLabel: string;
  readonly runtimeType: string;
  /** The extension `metadata` of containerd's record: CRI's own view of the pod, as JSON. */
  readonly metadata: string;
  readonly options: RuntimeOptions;
}

const file = 'sandbox.json';

/** The pods' directories of a containerd namespace. */
export class SandboxDirectory {
  constructor(private readonly path: string) {}

  /** The bundle of a pod. */
  bundle(id: string): string {
    return `${this.path}/${id}`;
  }

  /** Makes the bundle, in which every user may look up the root file system. @throws RuntError ERR_IO */
  make(id: string): string {
    const bundle = this.bundle(id);
    makeParents(bundle, 0o711);
    makeDir(bundle, 0o711);
    return bundle;
  }

  /** @throws RuntError ERR_IO */
  store(id: string, record: SandboxRecord): void {
    replaceFile(`${this.bundle(id)}/${file}`, JSON.stringify(record));
  }

  /** The record of a pod; undefined if there is none. @throws RuntError ERR_IO, SyntaxError */
  load(id: string): SandboxRecord | undefined {
    const text = tryReadText(`${this.bundle(id)}/${file}`);
    const record = text === undefined ? undefined : (JSON.parse(text) as SandboxRecord);
    return record?.version === 1 ? record : undefined;
  }

  /** The ids of all pods. */
  ids(): readonly string[] {
    return tryListDir(this.path) ?? [];
  }

  /** @throws RuntError ERR_IO */
  remove(id: string): void {
    const path = this.bundle(id);
    check(native.removeTree(AT_FDCWD, path), { code: 'ERR_IO', message: `remove ${path}`, path });
  }
}
