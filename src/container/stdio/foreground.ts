/** The foreground of `run` and `exec`: signals are passed on until the process has ended. */
import { check, RuntError } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { signalName } from '../../sys/kernel-names.js';
import { SIGCHLD, SIGKILL, SIGSTOP, SIGURG } from '../../sys/linux.js';
import { aside, firstReadable, forget, interrupt, readable, sleep, stay } from '../../sys/waiting/loop.js';
import { signalProcess } from '../state/recorded-process.js';

const signalInfoSize = 128;

/** What a terminal does meanwhile. */
interface Attached {
  /** Copies what is left once the process has ended. */
  finish(): Promise<unknown>;
  /** Whether a signal, from a process, is for the terminal itself and not to be passed on. */
  signal(number: number, from: number): boolean;
}

/**
 * All signals but those that are about this process itself (SIGCHLD, SIGURG) or cannot be caught; bit n-1 for signal n.
 */
function forwardedSignals(): bigint {
  let mask = (1n << 64n) - 1n;
  for (const n of [SIGKILL, SIGSTOP, SIGCHLD, SIGURG]) mask &= ~(1n << BigInt(n - 1));
  // Faults of this process itself (ILL, TRAP, BUS, FPE, SEGV) stay deadly.
  for (const n of [4, 5, 7, 8, 11]) mask &= ~(1n << BigInt(n - 1));
  return BigInt.asIntN(64, mask);
}

/** A signalfd of what is passed on, for `waitForEnd`; from here on they are blocked. @throws RuntError ERR_PROCESS */
export function openSignals(what: string): number {
  const facts = { code: 'ERR_PROCESS', message: `${what}: make a signalfd`, syscall: 'signalfd4' };
  return check(native.signalFd(forwardedSignals()), facts);
}

/** Signals by which a user or a service manager asks a command to end: SIGHUP, SIGINT, SIGQUIT, SIGTERM. */
const ending: readonly number[] = [1, 2, 3, 15];

/** Signals that arrived before the process was executed: number and sender. */
const early: [number: number, from: number][] = [];

/**
 * Does `work`, which makes what `waitForEnd` waits for. A signal that asks to end interrupts what the work waits for,
 * so that it undoes itself and fails; others are passed on later.
 * @throws RuntError ERR_INTERRUPTED, and what `work` throws
 */
export async function interruptible<T>(what: string, signals: number, work: () => Promise<T>): Promise<T> {
  if (signals < 0) return work();
  let [working, ended] = [true, false];
  const listen = async (): Promise<void> => {
    while (working && (await aside(signals))) {
      const signal = nextSignal(signals);
      const ends = signal !== undefined && ending.includes(signal[0]);
      // What undoes the work is not interrupted. Between two waits of the work there is nothing to interrupt.
      for (; ends && working && !ended; await sleep(ended ? 0 : 1)) ended = interrupt(interrupted(what, signal[0]));
      if (signal && !ended) early.push(signal);
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

function interrupted(what: string, number: number): RuntError {
  return new RuntError({
    code: 'ERR_INTERRUPTED',
    message: `${what}: ended by ${signalName(number)} before all was done`,
    exit: 128 + number,
  });
}

/** The next signal of a signalfd, and who sent it; undefined when there is none. */
function nextSignal(signals: number): [number: number, from: number] | undefined {
  const info = new Uint8Array(signalInfoSize);
  if (native.read(signals, info) !== signalInfoSize) return undefined;
  // struct signalfd_siginfo: ssi_signo at 0, ssi_pid at 12.
  const view = new DataView(info.buffer);
  return [view.getUint32(0, true), view.getUint32(12, true)];
}

/**
 * Passes the signals of a signalfd on until the process behind pidfd has ended. Its parent has its status: this
 * program, or a supervisor.
 */
export async function waitForEnd(
  { pid, pidfd }: { readonly pid: number; readonly pidfd: number },
  signals: number,
  terminal?: Attached,
): Promise<void> {
  stay();
  const passOn = (signal = nextSignal(signals)): void => {
    if (signal && !terminal?.signal(...signal)) signalProcess(pidfd, pid, signal[0]);
  };
  for (const signal of early.splice(0)) passOn(signal);
  while ((await firstReadable([pidfd, signals])) !== 0) passOn();
  if (terminal) {
    let relaying = true;
    const finished = terminal.finish().finally(() => {
      relaying = false;
      forget(signals);
    });
    // A signal ends the relay to a reader that does not read.
    while (relaying) if (await readable(signals)) passOn();
    await finished;
  }
}
