/** Messages and explain rows for cgroup operations. */
import type { DeviceFilter, FilterRule } from '../../cgroup/devices/device-filter.js';
import { variantText } from '../../cgroup/systemd/variant-text.js';
import { list, type Messages, option, row } from '../explain/row-parts.js';
import { word } from '../printable-text.js';
import type { cgroupTable } from './cgroup-ops.js';

export const cgroupMessages: Messages<keyof typeof cgroupTable> = {
  cgroupCreate: {
    sentence: (op) => `make the cgroup ${op.path}`,
    rows: (op) => row(op, 'make cgroup', word(op.path)),
  },
  cgroupWrite: {
    sentence: (op) => `write ${JSON.stringify(op.value.trim())} to ${op.path}`,
    rows: (op) => row(op, 'write', word(op.path), word(op.value.trim())),
  },
  cgroupInherit: {
    sentence: (op) => `copy ${op.file} of the parents into the cgroup ${op.path}`,
    rows: (op) =>
      row(op, 'inherit', word(`${op.path}/${op.file}`), `from the parents, where empty, up to ${word(op.top)}`),
  },
  cgroupControllers: {
    sentence: (op) => `enable controllers for the cgroup ${op.path}`,
    rows: (op) => row(op, 'controllers', word(op.path), list([op.required.map(word).join(' '), option(op.wanted)])),
  },
  cgroupDevices: {
    sentence: (op) => `attach a device filter to the cgroup ${op.path}`,
    rows: (op) => row(op, 'device filter', word(op.path), filterText(op.filter)),
  },
  cgroupOwner: {
    sentence: (op) => `give the cgroup ${op.path} to user ${op.uid}`,
    rows: (op) => row(op, 'owner', word(op.path), `uid ${op.uid}`),
  },
  systemdScope: {
    sentence: (op) => `start the unit ${op.unit}`,
    rows: (op) => [
      ...row(op, 'start unit', word(op.unit), `its cgroup is ${word(op.path)}`),
      ...op.properties.flatMap((p) => row(op, 'property', word(`${p.name}=${variantText(p)}`))),
    ],
  },
  cgroupOpen: {
    sentence: (op) => `open the cgroup file ${op.path}`,
    rows: (op) => row(op, 'open', word(op.path)),
  },
  cgroupWriteFirst: {
    sentence: (op) => `write ${JSON.stringify(op.values[0])} to ${op.paths.join(' or ')}`,
    rows: (op) => {
      return op.paths.flatMap((path, i) => {
        const others = op.paths.length > 1 ? (i === 0 ? 'the first that is there' : 'or') : '';
        return row(
          op,
          'write',
          word(path),
          list([word(op.values[i] ?? ''), op.required ? others : 'where it is there']),
        );
      });
    },
  },
  cgroupRealtime: {
    sentence: (op) => `write ${JSON.stringify(op.value)} to ${op.path}/${op.file}`,
    rows: (op) => row(op, 'write', word(`${op.path}/${op.file}`), list([word(op.value), 'new parents first'])),
  },
  cgroupDirectory: {
    sentence: (op) => `open the cgroup ${op.path}`,
    rows: (op) => row(op, 'open', word(op.path)),
  },
  cgroupEnter: {
    sentence: (op) => `enter the cgroup of ${op.path}`,
    rows: (op) => row(op, 'enter cgroup', word(op.path.slice(0, op.path.lastIndexOf('/')))),
  },
  cgroupFork: {
    sentence: (op) => `start a process in the cgroup ${op.path}`,
    rows: (op) => row(op, 'fork', '', `into the pid namespace, born in the cgroup ${word(op.path)}`),
  },
};

/** `deny all but c 1:3 rwm, b *:* m`, `deny all, then allow c 4:* rwm, then deny c 4:64 w`. */
function filterText(filter: DeviceFilter): string {
  const verb = ({ allow }: { readonly allow: boolean }) => (allow ? 'allow' : 'deny');
  const text = ({ type, major, minor, access }: FilterRule) => `${type} ${major ?? '*'}:${minor ?? '*'} ${access}`;
  if ('ordered' in filter)
    return [`${verb(filter)} all`, ...filter.ordered.map((rule) => `${verb(rule)} ${text(rule)}`)].join(', then ');
  return `${verb(filter)} all but ${filter.exceptions.map(text).join(', ') || 'none'}`;
}
