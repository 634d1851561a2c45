/** Operations of device nodes and the links beside them. */
import { table } from '../op-shape.js';

export const deviceTable = table({
  device: {
    code: 44,
    by: 'init',
    phase: 'devices',
    fields: { path: 'str', type: 'str', major: 'int', minor: 'int', mode: 'int', uid: 'int', gid: 'int', bind: 'bool' },
    doc: "mknod (type c, b or p), or bind of the host's node if bind is set or mknod is not permitted",
  },
  symlink: {
    code: 43,
    by: 'init',
    phase: 'devices',
    fields: { content: 'str', path: 'str', required: 'bool' },
    doc: 'make a symlink at path (its parent resolved in the root); EEXIST is accepted, unless required and its content differs',
  },
});
