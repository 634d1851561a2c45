/** Colours on a terminal. */
import { host, native } from '../sys/host.js';

/** Whether standard output takes colours: a terminal, and its user has not refused them (https://no-color.org). */
export function colour(): boolean {
  return !host.env.NO_COLOR && native.isTerminal(1) === 1;
}

/** Columns of the terminal on standard output; undefined where none is, or it has no size. */
export function terminalWidth(): number | undefined {
  if (native.isTerminal(1) !== 1) return undefined;
  const size = new Uint8Array(16);
  if (native.windowSize(1, size) < 0) return undefined;
  return new DataView(size.buffer).getInt32(0, true) || undefined;
}
