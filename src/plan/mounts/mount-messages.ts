/** Messages and explain rows for operations of mounts and mount points. */
import { attributes, propagation, superblockFlags } from '../explain/flag-names.js';
import { list, type Messages, octal, row, slot } from '../explain/row-parts.js';
import { word } from '../printable-text.js';
import type { mountTable } from './mount-ops.js';

export const mountMessages: Messages<keyof typeof mountTable> = {
  openTree: {
    sentence: (op) => `open the mount tree ${op.source}`,
    rows: (op) =>
      row(
        op,
        'open tree',
        word(op.source),
        list([op.recursive ? 'recursive' : '', op.nofollow ? 'not through a link' : '', `slot ${op.slot}`]),
      ),
  },
  claimLayer: {
    sentence: (op) => `use the upper directory ${op.path}`,
    rows: (op) => row(op, 'claim layer', word(op.path), 'refused while another container uses it'),
  },
  makeLayer: {
    sentence: (op) => `make the layer ${op.path}`,
    rows: (op) => row(op, 'make layer', word(op.path), `removed with the container, owner ${op.uid}:${op.gid}`),
  },
  cloneSource: {
    sentence: (op) => `open the bind source ${op.source}`,
    rows: (op) =>
      row(
        op,
        'open tree',
        word(op.source),
        list([
          op.recursive ? 'recursive' : '',
          op.nofollow ? 'not through a link' : '',
          op.optional ? 'or at its turn' : '',
          `slot ${op.slot}`,
        ]),
      ),
  },
  mountFs: {
    sentence: (op) => `mount ${op.fstype} on ${op.target}`,
    rows: (op) => {
      const options = op.options.length > 0 ? `(${op.options.map(word).join(',')})` : '';
      const source = op.source === '' || op.source === op.fstype ? '' : `from ${word(op.source)}`;
      const mode = op.inheritMode ? 'mode of the directory there' : '';
      const how = [
        word(op.fstype) + options,
        source,
        attributes(op.attrs),
        superblockFlags(op.flags),
        mode,
        op.copyUp ? 'begins with a copy of what is there' : '',
        ...op.propagation.map(propagation),
        op.idmap === undefined ? '' : `ids mapped by the namespace in slot ${op.idmap}`,
        op.instead === undefined ? '' : `or else the /sys of the host, read-only throughout, slot ${op.instead}`,
      ];
      return row(op, 'mount', word(op.target), list(how));
    },
  },
  mountBind: {
    sentence: (op) => `bind ${op.source} on ${op.target}`,
    rows: (op) =>
      row(
        op,
        op.recursive ? 'bind tree' : 'bind',
        word(op.target),
        list([
          op.inside === undefined ? `from ${word(op.source)}` : `from ${word(op.inside)} in the container`,
          attributes(op.setAttrs, op.clearAttrs),
          attributes(op.setAttrsRec, op.clearAttrsRec, 'r'),
          ...op.propagation.map(propagation),
          slot(op.slot),
          op.idmap === undefined ? '' : `ids mapped by the namespace in slot ${op.idmap}`,
          op.sourceNofollow ? 'not through a link at the source' : '',
          op.targetNofollow ? 'not through a link at the target' : '',
          op.copySymlink ? 'a link is made anew' : '',
        ]),
      ),
  },
  mountAttrs: {
    sentence: (op) => `set the attributes of the mount on ${op.target}`,
    rows: (op) =>
      row(op, 'attributes', word(op.target), attributes(op.setAttrs, op.clearAttrs, op.recursive ? 'r' : '')),
  },
  reconfigure: {
    sentence: (op) => `change the file system on ${op.target}`,
    rows: (op) => row(op, 'reconfigure', word(op.target), op.options.map(word).join(',')),
  },
  propagate: {
    sentence: (op) => `set the propagation of the mount on ${op.target}`,
    rows: (op) => row(op, 'propagation', word(op.target), list(op.propagation.map(propagation))),
  },
  mkdir: {
    sentence: (op) => `make the directory ${op.path}`,
    rows: (op) => row(op, 'make directory', word(op.path), octal(op.mode)),
  },
  verifyMounts: {
    sentence: () => 'verify the mounts',
    rows: (op) => row(op, 'verify mounts', '', 'each is where it was put'),
  },
};
