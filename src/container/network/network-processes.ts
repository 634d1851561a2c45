/** Processes that work on a container's network. They are found by what only they have: their pids may be lost. */
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { listDir, readText } from '../../sys/fs.js';
import { SIGKILL } from '../../sys/linux.js';
import { killedProcessTime } from '../../sys/waiting/time-limits.js';
import { holdProcess, recordProcess } from '../state/recorded-process.js';

/**
 * Kills the processes whose list of strings in /proc matches, and waits for their end.
 * @param file `cmdline` or `environ` (proc(5))
 * @throws RuntError ERR_NETWORK if one does not end
 */
export async function endProcesses(
  id: string,
  file: 'cmdline' | 'environ',
  isOurs: (strings: readonly string[]) => boolean,
): Promise<void> {
  for (const pid of listDir('/proc').filter((name) => /^[0-9]+$/.test(name))) {
    const process = recordProcess(Number(pid));
    if (!isOurs(stringsOf(`/proc/${pid}/${file}`))) continue;
    const held = holdProcess(process);
    try {
      held?.signal(SIGKILL);
      if (held && !(await held.waitForEnd(killedProcessTime))) {
        throw new RuntError({ code: 'ERR_NETWORK', message: `disconnect ${id}: process ${pid} does not end` });
      }
    } finally {
      held?.close();
    }
  }
}

/** Of a process that has ended, or whose memory this user may not read: ours are this user's. */
const notReadable: readonly (number | undefined)[] = [E.ENOENT, E.ESRCH, E.EACCES, E.EPERM];

/** None if it is not readable. @throws RuntError ERR_IO */
function stringsOf(path: string): readonly string[] {
  try {
    return readText(path).split('\0');
  } catch (error) {
    if (error instanceof RuntError && notReadable.includes(error.errno)) return [];
    throw error;
  }
}
