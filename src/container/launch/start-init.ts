/** runt-init as a child of this process. */
import { callApart } from '../../sys/host.js';
import { START_CALL } from '../../sys/protocol.js';

export interface StartResult {
  /** The pid, or -errno. */
  readonly pid: number;
  readonly pidfd: number;
  /** The call that failed, if one did. */
  readonly syscall: string;
}

const nothing = new Uint8Array(0);

/**
 * Starts one in new namespaces (CLONE_NEW*). It keeps `sync`, `passedFds` and, if `stdio` is empty, our stdio. The
 * clone suspends its thread until runt-init executes.
 */
export async function startInit(
  flags: bigint,
  sync: number,
  passedFds = nothing,
  cgroup = -1,
  stdio = nothing,
): Promise<StartResult> {
  const out = new Uint8Array(16);
  const pid = await callApart('spawnInit', flags, sync, stdio, passedFds, cgroup, out);
  const view = new DataView(out.buffer);
  return { pid, pidfd: view.getInt32(0, true), syscall: START_CALL[view.getInt32(8, true)] ?? 'clone3' };
}
