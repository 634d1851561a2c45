/** The foreground of `run` and `exec`: forwarding of signals until the process has ended. */
import { check, RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { signalName } from '../../sys/kernel-names.js';
import { SIGCHLD, SIGINT, SIGKILL, SIGSTOP, SIGURG } from '../../sys/linux.js';
import { Protocol } from '../../sys/protocol.js';
import {
  firstReadable,
  forget,
  interruptWaits,
  now,
  readable,
  readableInBackground,
  sleep,
  trimWhenIdle,
} from '../../sys/waiting/loop.js';
import { waiterAfter } from '../../sys/waiting/time-limits.js';
import { signalProcess } from '../state/recorded-process.js';
import type { EndLimit } from './end-limit.js';

const signalInfoSize = 128;
/** ms; no timer is longer. */
const maxTime = 2 ** 31 - 1;

/** A terminal that is relayed meanwhile. */
interface RelayedTerminal {
  /** Copies the remaining output once the process has ended. */
  finish(): Promise<unknown>;
  /** Whether a signal is for the terminal itself and must not be forwarded. */
  handlesSignal(number: number, from: number): boolean;
}

/**
 * All signals except those about this process itself (SIGCHLD, SIGURG) and those that it cannot catch; bit n-1 for
 * signal n.
 */
function forwardedSignals(): bigint {
  let mask = (1n << 64n) - 1n;
  for (const n of [SIGKILL, SIGSTOP, SIGCHLD, SIGURG]) mask &= ~(1n << BigInt(n - 1));
  // Faults of this process itself (ILL, TRAP, BUS, FPE, SEGV) stay fatal.
  for (const n of [4, 5, 7, 8, 11]) mask &= ~(1n << BigInt(n - 1));
  return BigInt.asIntN(64, mask);
}

/** Blocks the signals to forward, and opens a signalfd of them for `waitForEnd`. @throws RuntError ERR_PROCESS */
export function openSignals(what: string): number {
  const facts = { code: 'ERR_PROCESS', message: `${what}: make a signalfd`, syscall: 'signalfd4' };
  return check(native.signalFd(forwardedSignals()), facts);
}

/** Signals with which a user or a service manager ends a command: SIGHUP, SIGINT, SIGQUIT, SIGTERM. */
const endingSignals: readonly number[] = [1, 2, 3, 15];

/** Signals that arrived before the execve: number and sender. */
const earlySignals: [number: number, from: number][] = [];

/**
 * Runs `work`, which makes the process of `waitForEnd`. An ending signal interrupts the work's wait, so that the work
 * undoes itself and fails; other signals are forwarded later.
 * @throws RuntError ERR_INTERRUPTED, and what `work` throws
 */
export async function interruptible<T>(what: string, signals: number, work: () => Promise<T>): Promise<T> {
  if (signals < 0) return work();
  let [working, ended] = [true, false];
  const listen = async (): Promise<void> => {
    while (working && (await readableInBackground(signals))) {
      const signal = nextSignal(signals);
      const ends = signal !== undefined && endingSignals.includes(signal[0]);
      // Interrupt once only: the undo must complete. Retry while the work is between two waits.
      for (; ends && working && !ended; await sleep(ended ? 0 : 1))
        ended = interruptWaits(interruptedError(what, signal[0]));
      if (signal && !ended) earlySignals.push(signal);
    }
  };
  // Where epoll takes no more (ENOSPC) nothing interrupts the work, and `waitForEnd` polls for the signals.
  const listening = listen().catch(() => {});
  try {
    return await work();
  } finally {
    working = false;
    forget(signals);
    await listening;
  }
}

function interruptedError(what: string, number: number): RuntError {
  return new RuntError({
    code: 'ERR_INTERRUPTED',
    message: `${what}: ended by ${signalName(number)} before the start was complete`,
    exit: 128 + number,
  });
}

/** Times of Ctrl-C: SIGINT of the kernel, which has no sender. */
const interrupts: number[] = [];

/** Whether a signal is the third Ctrl-C within two seconds: whoever types it means the end. */
function isThirdInterrupt([number, from]: [number, number]): boolean {
  if (number !== SIGINT || from !== 0) return false;
  interrupts.push(now());
  return now() - (interrupts.at(-3) ?? Number.NEGATIVE_INFINITY) <= Protocol.INTERRUPTS_TIME;
}

/** The next signal of a signalfd and its sender; undefined if none is pending. */
function nextSignal(signals: number): [number: number, from: number] | undefined {
  const info = new Uint8Array(signalInfoSize);
  if (native.read(signals, info) !== signalInfoSize) return undefined;
  // struct signalfd_siginfo: ssi_signo at 0, ssi_pid at 12.
  const view = new DataView(info.buffer);
  return [view.getUint32(0, true), view.getUint32(12, true)];
}

/**
 * Forwards the signals of a signalfd, and reaps orphans, until the process behind pidfd has ended. Does not reap that:
 * its parent, this program or a supervisor, does.
 * @param again for a child without terminal: this program may become a waiter that runs the command again at the end
 *   (true), or ends with the child's status (false); see waiter.ts
 * @param limit ends the process before
 */
export async function waitForEnd(
  { pid, pidfd }: { readonly pid: number; readonly pidfd: number },
  signals: number,
  terminal?: RelayedTerminal,
  again?: boolean,
  limit?: EndLimit,
): Promise<void> {
  const forwardSignal = (signal = nextSignal(signals)): void => {
    if (!signal || terminal?.handlesSignal(...signal)) return;
    const kills = isThirdInterrupt(signal);
    if (kills) native.write(2, host.encode(Protocol.INTERRUPTED_TEXT));
    signalProcess(pidfd, pid, kills ? SIGKILL : signal[0]);
  };
  for (const signal of earlySignals.splice(0)) forwardSignal(signal);
  let orphans = -1;
  const forward = async (ms?: number): Promise<boolean> => {
    for (;;) {
      const left = limit ? Math.max(0, limit.deadline - now()) : Number.POSITIVE_INFINITY;
      const fds = orphans < 0 ? [pidfd, signals] : [pidfd, signals, orphans];
      const isLimited = left < (ms ?? Number.POSITIVE_INFINITY);
      const first = await firstReadable(fds, isLimited ? Math.min(left, maxTime) : ms);
      if (first < 0 && isLimited) {
        if (left <= maxTime) limit?.pass();
        continue;
      }
      if (first <= 0) return first === 0;
      if (first === 1) forwardSignal();
      else if (nextSignal(orphans)) native.reapOrphans(pid);
    }
  };
  if (again === undefined || !(await forward(waiterAfter))) {
    if (again !== undefined) (await import('./waiter.js')).becomeWaiter({ pid, pidfd }, signals, again, limit);
    // Only now: most commands end before, or have become a waiter.
    trimWhenIdle();
    // Node.js owns SIGCHLD.
    if (host.name === 'quickjs') orphans = native.signalFd(1n << BigInt(SIGCHLD - 1));
    if (orphans >= 0) native.reapOrphans(pid);
    await forward();
    if (orphans >= 0) native.close(orphans);
  }
  if (terminal) {
    let relaying = true;
    const finished = terminal.finish().finally(() => {
      relaying = false;
      forget(signals);
    });
    // A signal stops the relay if the reader does not read.
    while (relaying) if (await readable(signals)) forwardSignal();
    await finished;
  }
}
