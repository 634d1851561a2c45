/** Colours on a terminal. */
import { host, native } from '../sys/host.js';

/** Whether standard output takes colours: a terminal, and its user has not refused them (https://no-color.org). */
export function colour(): boolean {
  return !host.env.NO_COLOR && native.isTerminal(1) === 1;
}
