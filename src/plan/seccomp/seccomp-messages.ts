/** Messages and explain rows for operations of the seccomp filter. */
import { seccompFlags } from '../explain/flag-names.js';
import { type Messages, row, slot } from '../explain/row-parts.js';
import { word } from '../printable-text.js';
import type { seccompTable } from './seccomp-ops.js';

export const seccompMessages: Messages<keyof typeof seccompTable> = {
  seccompProgram: {
    sentence: () => 'compile the seccomp profile',
    rows: (op) => row(op, 'compile profile', 'seccomp', slot(op.slot)),
  },
  seccompData: {
    sentence: () => 'decode the seccomp program',
    rows: (op) => row(op, 'decode program', 'seccomp', slot(op.slot)),
  },
  seccomp: {
    sentence: () => 'load the seccomp filter',
    rows: (op) => [
      ...row(op, 'seccomp', op.summary, op.late ? 'right before the exec' : 'from here on'),
      ...(op.flags ? row(op, '', '', seccompFlags(op.flags)) : []),
      ...(op.agent ? row(op, 'seccomp agent', word(op.agent), op.metadata === undefined ? '' : word(op.metadata)) : []),
    ],
  },
};
