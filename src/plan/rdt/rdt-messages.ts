/** Messages and explain rows for operations of resctrl groups. */
import { list, type Messages, row } from '../explain/row-parts.js';
import { word } from '../printable-text.js';
import type { rdtTable } from './rdt-ops.js';

export const rdtMessages: Messages<keyof typeof rdtTable> = {
  rdtGroup: {
    sentence: (op) => `${op.make === 'there' ? 'use' : 'set up'} the resctrl group ${op.path}`,
    rows: (op) => {
      const make = { new: 'new', there: 'must be there', either: 'new, or with this schema' }[op.make] ?? op.make;
      return row(op, 'resctrl group', word(op.path), list([make, ...op.schemata.map(word)]));
    },
  },
  rdtMonitor: {
    sentence: (op) => `make the resctrl monitoring group ${op.path}`,
    rows: (op) => row(op, 'resctrl monitoring', word(op.path), 'new'),
  },
  rdtAssign: {
    sentence: (op) => `enter the resctrl group ${op.paths.join(' and ')}`,
    rows: (op) => op.paths.flatMap((path) => row(op, 'enter resctrl group', word(path))),
  },
};
