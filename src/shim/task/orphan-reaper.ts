/** The reaper of orphans: supervisors of ended containers, and orphaned processes of containers. */
import { endOf } from '../../container/launch/child-end.js';
import { holdProcess } from '../../container/state/recorded-process.js';
import type { RecordedProcess } from '../../container/state/state-store.js';
import { E } from '../../sys/errno.js';
import { check } from '../../sys/error.js';
import { tryReadText } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { SIGCHLD, SIGPIPE } from '../../sys/linux.js';
import { processStat } from '../../sys/procfs.js';
import { forget, readable, sleep } from '../../sys/waiting/loop.js';
import { orphanInterval, orphanTime } from '../../sys/waiting/time-limits.js';
import { log } from '../shim-log.js';

const bit = (signal: number): bigint => 1n << BigInt(signal - 1);

/** Reaps orphans until `end` is called. @throws RuntError ERR_SHIM */
export const startReaping = (): { end(): void } => (host.name === 'node' ? reapPeriodically() : reapAtSignals());

/**
 * Reaps at SIGCHLD. Blocks SIGPIPE as well: a write to a closed stream must fail with an error and not kill the server.
 * Children get the default signal mask. @throws RuntError ERR_SHIM
 */
function reapAtSignals(): { end(): void } {
  const signals = check(native.signalFd(bit(SIGCHLD) | bit(SIGPIPE)), {
    code: 'ERR_SHIM',
    message: 'make a signalfd',
    syscall: 'signalfd4',
  });
  const buffer = new Uint8Array(4096);
  let ended = false;
  void (async () => {
    while (!ended && (await readable(signals))) {
      native.read(signals, buffer);
      await reapZombies().catch((error) => log('orphans', error));
    }
  })();
  return {
    end() {
      ended = true;
      forget(signals);
      native.close(signals);
    },
  };
}

/** The same under Node.js, which owns the signals: reaps every `orphanInterval` until `end` is called. */
export function reapPeriodically(): { end(): void } {
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

/** Waits until a child ends and reaps it at once. No other code may wait for that child. */
export async function reapAtEnd(child: RecordedProcess): Promise<void> {
  const process = holdProcess(child);
  if (!process) return;
  await process.waitForEnd();
  if (process.fd >= 0) endOf(process.fd);
  else native.reapChild(child.pid);
  process.close();
}

/** Reaps zombies until none is left. No other code waits for a zombie that still exists after `orphanTime`. */
async function reapZombies(): Promise<void> {
  for (let found = zombies(); found.length > 0; found = zombies()) {
    await sleep(orphanTime);
    for (const { pid, fd } of found) {
      // If other code has reaped it meanwhile, waitid(2) on the pidfd fails; the pid may be another child's by now.
      if (fd >= 0) native.waitPidfd(fd, new Uint8Array(16));
      // A seccomp filter refuses pidfd_open(2): only the state can be compared.
      else if (fd === -E.ENOSYS && processStat(pid)?.state === 'Z') native.reapChild(pid);
      if (fd >= 0) native.close(fd);
    }
  }
}

/** All zombies, with pidfds. The kernel does not reuse a pid before the child is reaped: not between these calls. */
function zombies(): readonly { readonly pid: number; readonly fd: number }[] {
  const self = native.pid();
  const children = tryReadText(`/proc/self/task/${self}/children`) ?? '';
  const pids = children.split(' ').filter((word) => word.trim() !== '');
  return pids
    .map(Number)
    .filter((pid) => processStat(pid)?.state === 'Z')
    .map((pid) => ({ pid, fd: native.pidfdOpen(pid) }));
}
