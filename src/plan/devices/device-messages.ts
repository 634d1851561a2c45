/** Messages and explain rows for device nodes and the links beside them. */
import { type Messages, octal, row } from '../explain/row-parts.js';
import { word } from '../printable-text.js';
import type { deviceTable } from './device-ops.js';

export const deviceMessages: Messages<keyof typeof deviceTable> = {
  device: {
    sentence: (op) => `make the device ${op.path}`,
    rows: (op) => {
      const node = op.type === 'p' ? 'p' : `${op.type} ${op.major}:${op.minor}`;
      return op.bind
        ? row(op, 'bind device', word(op.path), `${node}, from the host`)
        : row(op, 'device', word(op.path), `${node}, ${octal(op.mode)}, ${op.uid}:${op.gid}`);
    },
  },
  symlink: {
    sentence: (op) => `make the symlink ${op.path} to ${op.content}`,
    rows: (op) => row(op, 'link', word(op.path), `to ${word(op.content)}`),
  },
};
