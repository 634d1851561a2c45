/** Messages and explain rows for operations of ids: maps of user namespaces, user and groups. */
import { list, type Messages, octal, type Row, row, slot } from '../explain/row-parts.js';
import { word } from '../printable-text.js';
import type { idTable } from './id-ops.js';

export const idMessages: Messages<keyof typeof idTable> = {
  setGroupsPolicy: {
    sentence: (op) => `write ${op.value} to /proc/PID/setgroups`,
    rows: (op) => row(op, 'setgroups', word(op.value)),
  },
  idMap: {
    sentence: (op) => `write ${op.kind}_map${op.helper ? ` with ${op.helper}` : ''}`,
    rows: (op) =>
      op.lines.map((line, i): Row => {
        const [inside, outside, size] = line.split(' ');
        const by = op.helper === undefined ? '' : `by ${word(op.helper)}`;
        return [`map ${op.kind}s`, `${inside} ← ${outside}`, list([`size ${size}`, by]), `${op.at}/${i}`];
      }),
  },
  idMapVerify: {
    sentence: (op) => `compare ${op.kind}_map of the joined user namespace`,
    rows: (op) =>
      op.lines.map((line, i): Row => {
        const [inside, outside, size] = line.split(' ');
        return [`verify ${op.kind}s`, `${inside} ← ${outside}`, `size ${size}`, `${op.at}/${i}`];
      }),
  },
  idMapNamespace: {
    sentence: (op) =>
      op.path ? `open the user namespace ${op.path}` : 'make a user namespace with the id maps of a mount',
    rows: (op) => {
      if (op.path) return row(op, 'open id maps', word(op.path), slot(op.slot));
      return (
        [
          ['uids', op.uids],
          ['gids', op.gids],
        ] as const
      ).flatMap(([kind, lines]) =>
        lines.map((line): Row => {
          const [inside, outside, size] = line.split(' ');
          return [`map ${kind} of a mount`, `${inside} → ${outside}`, list([`size ${size}`, slot(op.slot)]), op.at];
        }),
      );
    },
  },
  idMapTree: {
    sentence: (op) => `map the ids of the mount of ${op.source}`,
    rows: (op) =>
      row(
        op,
        'map ids',
        word(op.source),
        list([op.recursive ? 'recursive' : '', `by the namespace in slot ${op.slot}`, `slot ${op.tree}`]),
      ),
  },
  sync: {
    sentence: () => 'wait for the runtime',
    rows: (op) => row(op, 'await runtime', '', 'id maps and cgroups'),
  },
  becomeRoot: {
    sentence: () => 'become root in the new user namespace',
    rows: (op) => row(op, 'become root', '', 'of the user namespace'),
  },
  keepGroups: {
    sentence: () => 'keep the supplementary groups',
    rows: (op) => row(op, 'keep groups', '', "the caller's"),
  },
  user: {
    sentence: (op) => `become user ${op.uid}:${op.gid}`,
    rows: (op) =>
      row(
        op,
        'user',
        `${op.uid}:${op.gid}`,
        list([
          op.setGroups ? `groups ${op.groups.join(',') || 'none'}` : 'groups unchanged',
          op.umask === undefined ? '' : `umask ${octal(op.umask)}`,
        ]),
      ),
  },
  namedUser: {
    sentence: (op) => `become user ${op.user}${op.group ? `:${op.group}` : ''}`,
    rows: (op) =>
      row(
        op,
        'user',
        word(op.user) + (op.group ? `:${word(op.group)}` : ''),
        list([
          'from /etc/passwd and /etc/group of the container',
          op.group ? '' : `gid ${op.gid} unless they say otherwise`,
          op.setGroups ? `groups ${op.groups.join(',') || 'none'} and where it is a member` : 'groups unchanged',
          op.umask === undefined ? '' : `umask ${octal(op.umask)}`,
        ]),
      ),
  },
};
