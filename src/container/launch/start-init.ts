/** runt-init as a child of this process. */
import { native } from '../../sys/host.js';
import { START_CALL } from '../../sys/protocol.js';

export interface Started {
  /** Or -errno. */
  readonly pid: number;
  readonly pidfd: number;
  /** What failed, when it did. */
  readonly syscall: string;
}

const nothing = new Uint8Array(0);

/** Starts one in new namespaces (CLONE_NEW* flags). It keeps `sync` and `keep`; its stdio is that of this process when `stdio` is empty. */
export function startInit(flags: bigint, sync: number, keep = nothing, cgroup = -1, stdio = nothing): Started {
  const out = new Uint8Array(16);
  const pid = native.spawnInit(flags, sync, stdio, keep, cgroup, out);
  const view = new DataView(out.buffer);
  return { pid, pidfd: view.getInt32(0, true), syscall: START_CALL[view.getInt32(8, true)] ?? 'clone3' };
}
