/** Operations that hide and protect paths. */
import { table } from '../op-shape.js';

export const maskTable = table({
  mask: {
    code: 45,
    by: 'init',
    phase: 'hide and protect',
    fields: { path: 'str', label: 'str?' },
    doc: 'hide path: a verified /dev/null over a file, an empty read-only tmpfs over a directory, with this SELinux label; missing is fine',
  },
  readonlyPath: {
    code: 46,
    by: 'init',
    phase: 'hide and protect',
    fields: { path: 'str' },
    doc: 'bind path on itself, read-only, keeping its other flags; missing is fine',
  },
});
