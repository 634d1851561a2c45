/** `--debug`: a line for each operation that is done, in the log or on standard error. */
import { sentence } from '../plan/explain/op-messages.js';
import type { Op } from '../plan/plan-ops.js';
import { writeLine } from './command-log.js';
import type { Call } from './command-syntax.js';

type Globals = Call<'create'>['global'];

/** The option that logs operations. */
export const operationLog = (global: Globals): { readonly onDone: (op: Op) => void } => ({
  onDone: (op) => {
    const at = op.at !== '' && { pointer: op.at };
    writeLine(global, 'debug', sentence(op), { op: op.op, ...at });
    // Scripts search runc's log for this line.
    if (op.op === 'seccomp') writeLine(global, 'debug', `seccomp filter flags: ${Number(op.flags)}`, { ...at });
  },
});
