/** The colours and the width of the terminal. */
import { host, native } from '../sys/host.js';

/** Whether standard output has colours: it is a terminal, and NO_COLOR is unset (https://no-color.org). */
export function isColoured(): boolean {
  return !host.env.NO_COLOR && native.isTerminal(1) === 1;
}

/** Columns of the terminal on standard output; undefined without a terminal or a size. */
export function terminalWidth(): number | undefined {
  if (native.isTerminal(1) !== 1) return undefined;
  const size = new Uint8Array(16);
  if (native.windowSize(1, size) < 0) return undefined;
  return new DataView(size.buffer).getInt32(0, true) || undefined;
}
