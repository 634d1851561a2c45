/** `process.terminal`: the process's terminal, and the receiver of its master (config.md#process). */
import type { Process } from '../../spec/config-types.js';
import type { CompileOptions } from '../host-facts.js';
import type { Op } from '../plan-ops.js';

const at = '/process/terminal';

/** The runtime's operations: the socket in `slot`, over which runt-init sends the master. Empty without a terminal. */
export function consoleOps(process: Process | undefined, options: CompileOptions, slot: number): Op[] {
  if (!process?.terminal) return [];
  const path = options.consoleSocket;
  return [path === undefined ? { op: 'consolePair', at, slot } : { op: 'consoleConnect', at: '', path, slot }];
}

/** runt-init's operations, in the container's root with its /dev; `console`: bind the terminal on /dev/console. */
export function terminalOps(process: Process | undefined, slot: number, console: boolean): Op[] {
  if (!process?.terminal) return [];
  const { width, height } = process.consoleSize ?? {};
  return [{ op: 'terminal', at, slot, uid: process.user?.uid ?? 0, width, height, console }];
}
