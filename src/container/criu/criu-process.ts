/** criu as a child process that answers one request over a socket: `criu swrk FD` (https://criu.org/RPC). */

import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { fdList, fdPair } from '../../sys/fds.js';
import { native } from '../../sys/host.js';
import { SIGKILL } from '../../sys/linux.js';
import { nulList } from '../../sys/nul-list.js';
import { firstReadable, readableOrPolled } from '../../sys/waiting/loop.js';
import { criuEndTime, criuVersionTime, killedProcessTime } from '../../sys/waiting/time-limits.js';
import { endOf } from '../launch/child-end.js';
import type { Stdio } from '../launch/spawn-init.js';
import { signalProcess } from '../state/recorded-process.js';
import type { EarlyEnd } from '../wait.js';
import { type CriuRequest, type CriuResponse, Request, Response, Type } from './criu-messages.js';
import { type CriuVersion, checkVersion, findCriu, searchPath } from './criu-program.js';

/** More than criu's longest answer. */
const maxAnswer = 64 << 10;

/** Number of the first descriptor of `Criu.startSupervised`: criu's socket is 3. */
export const firstPassedFd = 4;

/**
 * PATH alone, for the host programs that criu runs (ip, iptables). The caller's HOME would name a file that
 * configures root's criu (criu(8), "Configuration files").
 */
const criuEnvironment = (): string[] => [`PATH=${searchPath()}`];

const runError = (what: string, path: string, syscall: string, r: number): RuntError =>
  new RuntError({ code: 'ERR_CRIU', message: `${what}: run ${path}`, path, errno: -r, syscall });

/** Our end and criu's end of a new socket pair. */
function criuSockets(what: string, path: string): [number, number] {
  const pair = new Uint8Array(16);
  const made = native.packetPair(pair);
  if (made < 0) throw runError(what, path, 'socketpair', made);
  return fdPair(pair);
}

/** A notification, on which criu waits for our consent. */
export interface Notification {
  /** `pre-dump`, `setup-namespaces`, `post-restore`, `orphan-pts-master` … */
  readonly script: string;
  /** Pid of the process concerned; 0 for none. */
  readonly pid: number;
  /** The descriptor received with it; -1 for none. The receiver closes it. */
  readonly fd: number;
}

/** One criu process and the socket to it. */
export class Criu {
  private early: EarlyEnd | undefined;

  private constructor(
    readonly path: string,
    readonly pid: number,
    private readonly pidfd: number,
    private readonly socket: number,
    private readonly what: string,
  ) {}

  /**
   * Starts criu, which waits for a request. Without `passedFds` it has no stdio and only logs. With `passedFds`, for a
   * restore, it has those descriptors by their numbers, and `stdio`, which the container inherits.
   * @throws RuntError ERR_CRIU
   */
  static start(what: string, path: string, passedFds?: readonly number[], stdio: Stdio = [0, 1, 2]): Criu {
    const [ours, theirs] = criuSockets(what, path);
    const fds = fdList([theirs, ...(passedFds ?? [])]);
    const pidfd = new Uint8Array(8);
    const args = nulList([path, 'swrk', String(theirs)]);
    const env = nulList(criuEnvironment());
    const [stdin, stdout, stderr] = passedFds ? stdio : [-1, -1, -1];
    const pid = native.spawnKeeping(path, args, env, stdin, stdout, stderr, fds, pidfd);
    native.close(theirs);
    if (pid < 0) native.close(ours);
    if (pid < 0) throw runError(what, path, 'execve', pid);
    return new Criu(path, pid, new DataView(pidfd.buffer).getInt32(0, true), ours, what);
  }

  /**
   * Starts criu for a restore as a child of the supervisor in `stateDir`. The descriptors in `passedFds` are renumbered
   * from `firstPassedFd` on.
   * @throws RuntError ERR_CRIU, ERR_SUPERVISOR
   */
  static async startSupervised(
    what: string,
    path: string,
    passedFds: readonly number[],
    stdio: Stdio,
    stateDir: string,
    oomFile: string,
  ): Promise<Criu> {
    const { spawnProgram } = await import('./supervised-criu.js');
    const [ours, theirs] = criuSockets(what, path);
    try {
      const args = [path, 'swrk', '3'];
      const env = criuEnvironment();
      const program = { what, stateDir, oomFile, path, args, env, stdio, fds: [theirs, ...passedFds] };
      const { pid, pidfd } = await spawnProgram(program);
      return new Criu(path, pid, pidfd, ours, what);
    } catch (error) {
      native.close(ours);
      throw error;
    } finally {
      native.close(theirs);
    }
  }

  /**
   * Sends a request and returns its answer. Before that criu may send notifications, and waits until `onNotification`
   * has settled. If it throws, criu aborts, and the error is thrown here.
   * @throws RuntError ERR_CRIU when criu ends without an answer; what `onNotification` throws
   */
  async call(
    request: CriuRequest,
    onNotification: (n: Notification) => void | Promise<void> = () => {},
    timeout = -1,
  ): Promise<CriuResponse> {
    this.send(request);
    let first: unknown;
    for (;;) {
      // Watch the pidfd too: processes that criu started may keep the other end of the socket open.
      if ((await firstReadable([this.socket, this.pidfd], timeout)) < 0) throw this.endError('did not answer');
      const data = new Uint8Array(maxAnswer);
      const fds = new Uint8Array(4);
      const n = native.receiveFds(this.socket, data, fds);
      if (n <= 0) throw first ?? this.endError(await this.describeEnd());
      const fd = new DataView(fds.buffer).getInt32(0, true);
      const answer = this.decode(data.subarray(0, n));
      if (answer.type !== Type.NOTIFY) {
        if (first !== undefined) throw first;
        return answer;
      }
      try {
        await onNotification({ script: answer.notify?.script ?? '', pid: answer.notify?.pid ?? 0, fd });
        this.send({ type: Type.NOTIFY, notify_success: true });
      } catch (error) {
        first ??= error;
        this.send({ type: Type.NOTIFY, notify_success: false });
      }
    }
  }

  /** Kills criu as soon as the caller ends `early`; `close` forgets it. */
  endWith(early: EarlyEnd): void {
    this.early = early;
    early.wake = () => void signalProcess(this.pidfd, this.pid, SIGKILL);
    if (early.ended) early.wake();
  }

  /** Ends criu if it still runs, and reaps it. */
  async close(): Promise<void> {
    // Its pid and pidfd may soon be those of another one.
    delete this.early?.wake;
    native.close(this.socket);
    // It ends by itself after its answer; an aborted one is killed.
    if (!(await readableOrPolled(this.pidfd, criuEndTime))) signalProcess(this.pidfd, this.pid, SIGKILL);
    await readableOrPolled(this.pidfd, killedProcessTime);
    endOf(this.pidfd);
    native.close(this.pidfd);
  }

  /** If criu has ended, that is not an error here: the missing answer shows it. @throws RuntError ERR_CRIU */
  private send(request: CriuRequest): void {
    const sent = native.send(this.socket, Request.encode(request).finish());
    if (sent >= 0 || sent === -E.EPIPE || sent === -E.ECONNRESET) return;
    const message = `${this.what}: send a request to ${this.path}`;
    throw new RuntError({ code: 'ERR_CRIU', message, path: this.path, errno: -sent, syscall: 'sendto' });
  }

  private decode(data: Uint8Array): CriuResponse {
    try {
      return Response.decode(data);
    } catch (cause) {
      throw new RuntError({
        code: 'ERR_CRIU',
        message: `${this.what}: ${this.path} sent a malformed answer`,
        cause,
      });
    }
  }

  private async describeEnd(): Promise<string> {
    if (!(await readableOrPolled(this.pidfd, criuEndTime))) return 'closed its socket, and did not answer';
    const { status, signal } = endOf(this.pidfd);
    return signal
      ? `was killed by signal ${signal} before it had answered`
      : `ended with status ${status} before it had answered`;
  }

  private endError(how: string): RuntError {
    return new RuntError({
      code: 'ERR_CRIU',
      message: `${this.what}: ${this.path} ${how}`,
      path: this.path,
      hint: 'run "criu check": it shows whether criu works on this kernel',
      see: 'criu(8)',
    });
  }
}

/** An installed criu and its version. */
export interface FoundCriu {
  readonly path: string;
  readonly version: CriuVersion;
}

/** Finds criu and requests its version. @throws RuntError ERR_CRIU_MISSING, ERR_CRIU_VERSION, ERR_CRIU */
export async function usableCriu(what: string, named: string | undefined): Promise<FoundCriu> {
  const path = findCriu(what, named);
  const criu = Criu.start(what, path);
  try {
    const { success, version } = await criu.call({ type: Type.VERSION }, undefined, criuVersionTime);
    // criu before 3.0 lacks this request.
    checkVersion(what, path, success && version ? version : { major_number: 2, minor_number: 0 });
    return { path, version: version! };
  } finally {
    await criu.close();
  }
}

/** criu continues after these: limits that it may not raise, and the end of its cgroup helper. */
const harmless = /rlimit: Can't setup|cgroupd: recv req error/;

/** The error for criu's refusal, with the first harmful error in its log. */
export function refusalError(what: string, path: string, answer: CriuResponse, log: string, text: string): RuntError {
  const loggedError = text
    .split('\n')
    .filter((l) => l.includes('Error (') && !harmless.test(l))
    .map((l) => l.slice(l.indexOf('Error (')).trim())[0];
  // criu reports the first error message, even a harmless one.
  const own = answer.cr_errmsg?.trim();
  const reason = own && harmless.test(own) ? loggedError : own;
  return new RuntError({
    code: 'ERR_CRIU',
    message: `${what}: criu failed${reason ? `: ${reason}` : ''}`,
    path,
    ...(answer.cr_errno ? { errno: answer.cr_errno } : {}),
    hint: `read the log file ${log}${loggedError && !reason?.includes(loggedError) ? `: ${loggedError}` : ''}`,
    see: 'criu(8)',
  });
}
