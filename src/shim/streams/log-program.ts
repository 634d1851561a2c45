/** Log programs for the output of processes: `binary:///path?argument=value`. */

import { environment } from '../../container/environment.js';
import { check, RuntError } from '../../sys/error.js';
import { fdList } from '../../sys/fds.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, SIGKILL, SIGTERM } from '../../sys/linux.js';
import { nulList } from '../../sys/nul-list.js';
import { readable, withTimeout } from '../../sys/waiting/loop.js';
import { logProgramEndTime, logProgramTime } from '../../sys/waiting/time-limits.js';
import { blocking, pipe } from './stdio-streams.js';

/** The container whose output is logged. */
export interface LoggedContainer {
  readonly id: string;
  readonly namespace: string;
}

/**
 * A running log program. It inherits the read ends of two pipes as descriptors 3 (stdout) and 4 (stderr), and closes 5
 * when it is ready. Under `binary-v2://` (containerd 2.3) it writes a byte to 5 first, because the kernel closes 5 of a
 * program that crashes, too.
 */
export class Logger {
  private ended = false;
  /** Resolves when the program has ended. */
  readonly exit: Promise<void>;

  private constructor(
    /** Write ends; the caller of `start` closes them. */
    readonly stdout: number,
    readonly stderr: number,
    private readonly pidfd: number,
  ) {
    this.exit = readable(pidfd).then(() => {
      native.waitPidfd(pidfd, new Uint8Array(16));
      this.ended = true;
      native.close(pidfd);
    });
  }

  /** @throws RuntError ERR_LOGGER when the program does not start, or ends or times out before it is ready */
  static async start(uri: string, container: LoggedContainer): Promise<Logger> {
    const { path, args, writes } = loggerCommand(uri);
    const facts = { code: 'ERR_LOGGER', message: `start the logger ${path}`, path };
    const [out, err, ready] = [pipe(), pipe(), pipe()];
    const theirs = [blocking(out[0]), blocking(err[0]), ready[1]];
    const variables = environment({ CONTAINER_ID: container.id, CONTAINER_NAMESPACE: container.namespace });
    const pidfd = new Uint8Array(8);
    const fds = fdList(theirs);
    const pid = native.spawnWith(path, nulList([path, ...args]), nulList(variables), fds, pidfd);
    for (const fd of theirs) native.close(fd);
    try {
      check(pid, facts);
      const logger = new Logger(out[1], err[1], new DataView(pidfd.buffer).getInt32(0, true));
      const isReady = await readable(ready[0], logProgramTime);
      // A program that crashed has closed 5 too; it has no descriptors any more.
      const lives = native.readDir(AT_FDCWD, `/proc/${pid}/fd`, new Uint8Array(4096)) > 0 && !logger.ended;
      const silent = isReady && writes && native.read(ready[0], new Uint8Array(1)) !== 1;
      if (isReady && lives && !silent) return logger;
      void logger.end();
      const why = !isReady
        ? `it was not ready within ${logProgramTime / 1000} s`
        : lives
          ? 'it closed descriptor 5 without writing a byte, as binary-v2:// requires'
          : 'it ended before it was ready';
      throw new RuntError({ ...facts, message: `${facts.message}: ${why}` });
    } catch (error) {
      native.close(out[1]);
      native.close(err[1]);
      throw error;
    } finally {
      native.close(ready[0]);
    }
  }

  /** Ends the program, even if it has not read everything. */
  async end(): Promise<void> {
    for (const [signal, ms] of [[SIGTERM, logProgramEndTime] as const, [SIGKILL, logProgramEndTime] as const]) {
      if (this.ended) return;
      native.pidfdSignal(this.pidfd, signal);
      await withTimeout(this.exit, ms);
    }
  }
}

interface LoggerCommand {
  readonly path: string;
  readonly args: readonly string[];
  /** `binary-v2://`: the program must write a byte before it closes descriptor 5. */
  readonly writes: boolean;
}

/** The program of a URI, and its arguments: each name of the query, followed by its value if it has one. */
export function loggerCommand(uri: string): LoggerCommand {
  const [location = '', query = ''] = uri.slice(uri.indexOf('://') + '://'.length).split('?', 2);
  const text = (s: string): string => decodeURIComponent(s.replaceAll('+', ' '));
  const args = query
    .split('&')
    .filter((pair) => pair !== '')
    .flatMap((pair) => {
      const [name = '', ...value] = pair.split('=');
      return [name, value.join('=')].map(text).filter((word) => word !== '');
    });
  return { path: decodeURIComponent(location), args, writes: uri.startsWith('binary-v2:') };
}
