/**
 * Children that nobody waits for: supervisors of containers that are over, and processes whose parent in a container has ended,
 * for the shim is their subreaper. A zombie that is still there after a while belongs to no wait of this program's.
 */
import { endOf } from '../../container/launch/child-end.js';
import { holdProcess } from '../../container/state/recorded-process.js';
import type { RecordedProcess } from '../../container/state/state-store.js';
import { E } from '../../sys/errno.js';
import { check } from '../../sys/error.js';
import { tryReadText } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { SIGCHLD, SIGPIPE } from '../../sys/linux.js';
import { processStat } from '../../sys/procfs.js';
import { readable, sleep } from '../../sys/waiting/loop.js';
import { orphanInterval, orphanTime } from '../../sys/waiting/time-limits.js';
import { log } from '../shim-log.js';

const bit = (signal: number): bigint => 1n << BigInt(signal - 1);

/**
 * Reaps as long as the program runs. The signal that a reader of a stream has gone is blocked by that too: a write to it is an
 * error, not the end. Children get the mask that programs expect.
 */
export async function reapOrphans(): Promise<void> {
  const signals = check(native.signalFd(bit(SIGCHLD) | bit(SIGPIPE)), {
    code: 'ERR_SHIM',
    message: 'make a signalfd',
    syscall: 'signalfd4',
  });
  const buffer = new Uint8Array(4096);
  for (;;) {
    await readable(signals);
    native.read(signals, buffer);
    await reapZombies().catch((error) => log('orphans', error));
  }
}

/** The same where signals are Node.js's: now and then, until it is ended. */
export function reapNowAndThen(): { end(): void } {
  let ended = false;
  void (async () => {
    for (; !ended; await sleep(orphanInterval)) await reapZombies().catch((error) => log('orphans', error));
  })();
  return {
    end() {
      ended = true;
    },
  };
}

/** Waits for the end of a child that no other code waits for, and reaps it at once. */
export async function reapAtEnd(child: RecordedProcess): Promise<void> {
  const process = holdProcess(child);
  if (!process) return;
  await process.ended();
  if (process.fd >= 0) endOf(process.fd);
  else native.reapChild(child.pid);
  process.close();
}

/** Reaps those that are there until none is left. */
async function reapZombies(): Promise<void> {
  for (let seen = zombies(); seen.length > 0; seen = zombies()) {
    await sleep(orphanTime);
    for (const { pid, fd } of seen) {
      // One that was reaped meanwhile gives an error; its pid may be that of another child by now.
      if (fd >= 0) native.waitPidfd(fd, new Uint8Array(16));
      // A seccomp filter refuses pidfd_open(2): the number is compared with the state alone.
      else if (fd === -E.ENOSYS && processStat(pid)?.state === 'Z') native.reapChild(pid);
      if (fd >= 0) native.close(fd);
    }
  }
}

/** All, with pidfds. A child's number is not given again before it is reaped, which nobody does between these calls. */
function zombies(): readonly { readonly pid: number; readonly fd: number }[] {
  const self = native.pid();
  const children = tryReadText(`/proc/self/task/${self}/children`) ?? '';
  const pids = children.split(' ').filter((word) => word.trim() !== '');
  return pids
    .map(Number)
    .filter((pid) => processStat(pid)?.state === 'Z')
    .map((pid) => ({ pid, fd: native.pidfdOpen(pid) }));
}
