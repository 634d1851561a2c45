/** Messages and explain rows for operations of the network namespace. */
import { list, type Messages, row } from '../explain/row-parts.js';
import { word } from '../printable-text.js';
import type { networkTable } from './network-ops.js';

export const networkMessages: Messages<keyof typeof networkTable> = {
  netDevice: {
    sentence: (op) =>
      `move the network device ${op.name} into the container${op.target === op.name ? '' : ` as ${op.target}`}`,
    rows: (op) =>
      row(
        op,
        'network device',
        word(op.name),
        list([op.target === op.name ? '' : `as ${word(op.target)}`, 'with its permanent global addresses', 'up']),
      ),
  },
  loopback: {
    sentence: () => 'bring up lo',
    rows: (op) => row(op, 'interface up', 'lo'),
  },
};
