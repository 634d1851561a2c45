/** Removal of a container's cgroups, after its processes were killed. */
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { native } from '../sys/host.js';
import { sleep } from '../sys/waiting/loop.js';
import { cgroupRemovalTime, longestRemovalPause } from '../sys/waiting/time-limits.js';
import { pidsIn } from './cgroup-processes.js';

/** Pause in ms from which `stuck` is called, after 31 ms in total: what is left by then does not end by itself. */
const stuckAfter = 32;

/**
 * Removes the cgroups and all below them, deepest first. Skips paths that do not exist or are not cgroups: if the
 * hierarchy is unmounted, they can be plain directories of another program. The kernel returns EBUSY until the last
 * dying process has left: retry with longer and longer pauses, until the deadline (ms). Calls `onStuck` once if
 * processes remain after the first retries.
 * @throws RuntError ERR_CGROUP_BUSY when processes remain, ERR_CGROUP for any other failure, after it has tried every
 * path
 */
export async function removeCgroups(
  paths: readonly string[],
  deadlineMs: number = cgroupRemovalTime,
  onStuck?: () => Promise<void>,
): Promise<void> {
  let remaining = [...paths].sort((a, b) => b.length - a.length);
  const end = native.monotonic() + BigInt(deadlineMs) * 1_000_000n;
  let failed: RuntError | undefined;
  let calls = onStuck;
  for (let pause = 1; ; pause = Math.min(pause * 2, longestRemovalPause)) {
    remaining = remaining.filter((path) => {
      const r = native.removeCgroup(path);
      if (r < 0 && r !== -E.EBUSY) {
        failed ??= new RuntError({
          code: 'ERR_CGROUP',
          message: `remove cgroup ${path}`,
          path,
          errno: -r,
          syscall: 'rmdir',
        });
      }
      return r === -E.EBUSY;
    });
    if (remaining.length === 0) break;
    if (native.monotonic() >= end) throw busyError(remaining[0]!);
    if (pause >= stuckAfter) {
      await calls?.();
      calls = undefined;
    }
    await sleep(pause);
  }
  if (failed) throw failed;
}

function busyError(path: string): RuntError {
  const pids = pidsIn(path, true);
  return new RuntError({
    code: 'ERR_CGROUP_BUSY',
    message: `remove cgroup ${path}`,
    path,
    errno: E.EBUSY,
    syscall: 'rmdir',
    hint:
      pids.length > 0
        ? `kill process ${pids.slice(0, 5).join(', ')}${pids.length > 5 ? ` and ${pids.length - 5} more` : ''} (kill --all), or wait: the cgroup is not empty, perhaps because a process hangs in the kernel`
        : 'try again: a process in it is ending, or a cgroup of another pid namespace is below it',
    see: 'cgroups(7)',
  });
}
