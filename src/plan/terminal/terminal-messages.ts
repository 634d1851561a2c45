/** Messages and explain rows for operations of the terminal. */
import { list, type Messages, row, slot } from '../explain/row-parts.js';
import { word } from '../printable-text.js';
import type { terminalTable } from './terminal-ops.js';

export const terminalMessages: Messages<keyof typeof terminalTable> = {
  consoleConnect: {
    sentence: (op) => `connect to the console socket (--console-socket) ${op.path}`,
    rows: (op) => row(op, 'connect', word(op.path), list(['gets the terminal', slot(op.slot)])),
  },
  consolePair: {
    sentence: () => 'make the socket for the terminal',
    rows: (op) => row(op, 'socket pair', '', list(['for the terminal', slot(op.slot)])),
  },
  terminal: {
    sentence: () => 'make the terminal',
    rows: (op) =>
      row(
        op,
        'terminal',
        op.console ? '/dev/console' : '',
        list([
          `of uid ${op.uid}`,
          op.width || op.height ? `${op.width ?? 0} columns, ${op.height ?? 0} rows` : '',
          'stdio',
          slot(op.slot),
        ]),
      ),
  },
};
