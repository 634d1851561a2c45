/** Messages and explain rows for operations of security labels and keys. */
import { type Messages, row } from '../explain/row-parts.js';
import { word } from '../printable-text.js';
import type { labelTable } from './label-ops.js';

export const labelMessages: Messages<keyof typeof labelTable> = {
  securityLabel: {
    sentence: (op) => {
      // Engines search for the path in these quotes.
      return `write ${JSON.stringify(op.label ?? '')} to \`/proc/self/attr/${op.file}\``;
    },
    rows: (op) =>
      row(
        op,
        { exec: 'SELinux label', keycreate: 'SELinux label of keys', 'apparmor/exec': 'AppArmor profile' }[op.file] ??
          op.file,
        op.label === undefined ? 'back' : word(op.label),
        op.file === 'keycreate' ? '' : 'from the execve on',
      ),
  },
  labelMount: {
    sentence: (op) => `label ${op.target} as ${op.label}`,
    rows: (op) => row(op, 'SELinux label', word(op.target), word(op.label)),
  },
  keyring: {
    sentence: (op) => `join the session keyring ${op.name}`,
    rows: (op) => row(op, 'session keyring', word(op.name), 'new'),
  },
};
