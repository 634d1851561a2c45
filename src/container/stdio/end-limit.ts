/** Ends of a foreground process before its own: its time limit, and the end of the process that runs runt. */
import { thaw } from '../../cgroup/freezer.js';
import { RuntError } from '../../sys/error.js';
import { SIGKILL, SIGTERM } from '../../sys/linux.js';
import { now } from '../../sys/waiting/loop.js';
import { stopTime, timeoutStatus } from '../../sys/waiting/time-limits.js';
import { signalProcess } from '../state/recorded-process.js';

export interface TimeLimit {
  /** ms from the start of the process until TERM; none when absent. */
  readonly timeout?: number;
  /** ms from TERM to KILL; 10 s when absent. */
  readonly stopTimeout?: number;
}

interface Ended {
  /** `run web`, for the error. */
  readonly what: string;
  readonly pid: number;
  readonly pidfd: number;
  /** Its cgroups, which are thawed: a frozen process gets no signal, and on v1 not even KILL. */
  readonly cgroups: readonly string[];
}

/** The limits of one process. `waitForEnd` waits for them too. */
export class EndLimit {
  /** ms on the clock of `now()` at which `pass` is due; Infinity for none. */
  deadline: number;
  /** Whether a signal was sent because the time has passed. */
  timedOut = false;
  /** Whether a signal was sent: then a waiter cannot take over. */
  passed = false;

  constructor(
    private readonly o: TimeLimit,
    private readonly ended: Ended,
  ) {
    this.deadline = o.timeout === undefined ? Number.POSITIVE_INFINITY : now() + o.timeout;
  }

  /** The time has passed: TERM, or KILL the second time. */
  pass(): void {
    const again = this.passed;
    this.passed = this.timedOut = true;
    this.deadline = again ? Number.POSITIVE_INFINITY : now() + (this.o.stopTimeout ?? stopTime);
    this.signal(again ? SIGKILL : SIGTERM);
  }

  private signal(signal: number): void {
    const { pid, pidfd, cgroups } = this.ended;
    signalProcess(pidfd, pid, signal);
    if (cgroups.length > 0) thaw(cgroups);
  }

  /** @throws RuntError ERR_TIMEOUT if the process ended because its time had passed */
  check(): void {
    if (!this.timedOut) return;
    throw timeoutError(this.ended.what, this.o);
  }
}

/** The error of a command whose process was ended by its time limit. */
export const timeoutError = (what: string, { timeout = 0 }: TimeLimit): RuntError =>
  new RuntError({
    code: 'ERR_TIMEOUT',
    message: `${what}: it ran for longer than ${timeout / 1000} s, and was ended`,
    exit: timeoutStatus,
  });
