/** A server that does not answer: a busy one will, one that hangs or is stopped will not. */
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { listDir, tryReadText } from '../../sys/fs.js';
import { processStat } from '../../sys/procfs.js';
import { sleep } from '../../sys/waiting/loop.js';
import { busyServerTime } from '../../sys/waiting/time-limits.js';

const looks = 5;

/** Whether the server at `socket` runs, or waits for a CPU or a disk, at one of five looks. */
export async function isBusy(socket: string): Promise<boolean> {
  const pid = serverPid(socket);
  if (pid === undefined) return false;
  for (let i = 0; i < looks; i++) {
    const state = processStat(pid)?.state;
    if (state === 'R' || state === 'D') return true;
    await sleep(busyServerTime / looks);
  }
  return false;
}

/** The pid of the process that `start` gave that socket to. */
function serverPid(socket: string): number | undefined {
  const found = listDir('/proc').find((name) => {
    if (!/^\d+$/.test(name)) return false;
    const words = commandLine(name).split('\0');
    return words[words.indexOf('-socket') + 1] === socket;
  });
  return found === undefined ? undefined : Number(found);
}

/** Empty for a process that has ended: it is not the server. @throws RuntError ERR_IO */
function commandLine(pid: string): string {
  try {
    return tryReadText(`/proc/${pid}/cmdline`) ?? '';
  } catch (error) {
    if (error instanceof RuntError && error.errno === E.ESRCH) return '';
    throw error;
  }
}
