/** `linux.mountLabel`: the SELinux label of files on the mounts (config-linux.md#mount-label). */
import type { Spec } from '../../spec/config-types.js';
import type { HostFacts } from '../host-facts.js';
import type { Op } from '../plan-ops.js';
import { moduleOffError } from './label-compile.js';

const at = '/linux/mountLabel';

/** Types whose files the SELinux policy labels. */
const ownLabels = new Set(['proc', 'sysfs', 'cgroup', 'cgroup2', 'mqueue']);

/**
 * Adds the label to mount operations, as runc does. A new file system gets `context=`, unless an option has one
 * already. mqueue accepts none, so its root directory is labelled. A bind keeps the labels of its source.
 * @throws RuntError ERR_UNSUPPORTED when SELinux is off
 */
export function withLabels(ops: readonly Op[], spec: Spec, facts: HostFacts): Op[] {
  const label = spec.linux?.mountLabel;
  if (!label) return [...ops];
  if (!facts.selinux()) throw moduleOffError('SELinux', at, label, 'config-linux.md#mount-label');
  return ops.flatMap((op): Op[] => {
    if (op.op !== 'mountFs') return [op];
    if (op.fstype === 'mqueue') return [op, { op: 'labelMount', at, target: op.target, label }];
    if (ownLabels.has(op.fstype) || op.options.some((o) => /^(fs|def|root)?context=/.test(o))) return [op];
    return [{ ...op, options: [...op.options, `context=${label}`] }];
  });
}
