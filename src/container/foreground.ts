/** The foreground of `run` and `exec`: signals are passed on until the process has ended. */
import { check } from '../sys/error.js';
import { native } from '../sys/host.js';
import { firstReadable, forget, readable, stay } from '../sys/loop.js';
import { signalProcess } from './process.js';

/** Signals that are never passed on: they are about this process itself (SIGCHLD, SIGURG), or cannot be caught. */
const SIGKILL = 9;
const SIGCHLD = 17;
const SIGSTOP = 19;
const SIGURG = 23;
const signalInfoSize = 128;

/** What a terminal does meanwhile. */
export interface Attached {
  /** Copies what is left once the process has ended. */
  finish(): Promise<unknown>;
  /** Whether a signal, from a process, is for the terminal itself and not to be passed on. */
  signal(number: number, from: number): boolean;
}

/** All signals but those that a process cannot pass on; bit n-1 for signal n. */
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
  const info = new Uint8Array(signalInfoSize);
  const passOn = (): void => {
    const n = native.read(signals, info);
    if (n !== signalInfoSize) return;
    // struct signalfd_siginfo: ssi_signo at 0, ssi_pid at 12.
    const view = new DataView(info.buffer);
    const number = view.getUint32(0, true);
    if (!terminal?.signal(number, view.getUint32(12, true))) signalProcess(pidfd, pid, number);
  };
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
