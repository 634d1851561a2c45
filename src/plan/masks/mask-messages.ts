/** Messages and explain rows for operations that hide and protect paths. */
import { type Messages, row } from '../explain/row-parts.js';
import { word } from '../printable-text.js';
import type { maskTable } from './mask-ops.js';

export const maskMessages: Messages<keyof typeof maskTable> = {
  mask: {
    sentence: (op) => `mask ${op.path}`,
    rows: (op) =>
      row(op, 'mask', word(op.path), op.label === undefined ? '' : `directories labelled ${word(op.label)}`),
  },
  readonlyPath: {
    sentence: (op) => `make ${op.path} read-only`,
    rows: (op) => row(op, 'read-only', word(op.path)),
  },
};
