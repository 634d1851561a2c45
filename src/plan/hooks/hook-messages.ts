/** Messages and explain rows for hook operations. */
import { list, type Messages, row, slot } from '../explain/row-parts.js';
import { word } from '../printable-text.js';
import type { hookTable } from './hook-ops.js';

export const hookMessages: Messages<keyof typeof hookTable> = {
  hookFile: {
    sentence: (op) => `open the file for the output of hooks ${op.path}`,
    rows: (op) => row(op, 'open', word(op.path), list(['appended to by hooks', slot(op.slot)])),
  },
  hookOutput: {
    sentence: () => 'receive the files for the output of hooks',
    rows: (op) =>
      row(
        op,
        'output of hooks',
        '',
        list([
          op.out === undefined ? '' : `stdout ${slot(op.out)}`,
          op.err === undefined ? '' : `stderr ${slot(op.err)}`,
        ]),
      ),
  },
  awaitHooks: {
    sentence: () => 'wait for the hooks of the runtime',
    rows: (op) => row(op, 'await runtime', '', 'prestart and createRuntime hooks'),
  },
  hook: {
    sentence: (op) => `run the hook ${op.path}`,
    rows: (op) =>
      row(
        op,
        'hook',
        word(op.path),
        list([op.args.slice(1).map(word).join(' '), op.timeout === undefined ? '' : `${op.timeout} s at most`]),
      ),
  },
  hostHook: {
    sentence: (op) => `run the hook ${op.path}`,
    rows: (op) =>
      row(
        op,
        'hook on the host',
        word(op.path),
        list([op.args.slice(1).map(word).join(' '), op.timeout === undefined ? '' : `${op.timeout} s at most`]),
      ),
  },
};
