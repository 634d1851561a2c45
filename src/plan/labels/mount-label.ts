/** `linux.mountLabel`: the SELinux label of the files on the mounts (config-linux.md#mount-label). */
import type { Spec } from '../../spec/config-types.js';
import type { HostFacts } from '../host-facts.js';
import type { Op } from '../plan-ops.js';
import { moduleOff } from './label-compile.js';

const at = '/linux/mountLabel';

/** Types whose files the policy itself labels. */
const ownLabels = new Set(['proc', 'sysfs', 'cgroup', 'cgroup2', 'mqueue']);

/**
 * Adds the label to operations of mounts, as runc does: a file system that is mounted takes it as `context=`, unless an
 * option names one already; mqueue takes none, and its root directory is labelled; a bind keeps the labels of its source.
 * @throws RuntError ERR_UNSUPPORTED when SELinux is off
 */
export function labelled(ops: readonly Op[], spec: Spec, facts: HostFacts): Op[] {
  const label = spec.linux?.mountLabel;
  if (!label) return [...ops];
  if (!facts.selinux()) throw moduleOff('SELinux', at, label, 'config-linux.md#mount-label');
  return ops.flatMap((op): Op[] => {
    if (op.op !== 'mountFs') return [op];
    if (op.fstype === 'mqueue') return [op, { op: 'labelMount', at, target: op.target, label }];
    if (ownLabels.has(op.fstype) || op.options.some((o) => /^(fs|def|root)?context=/.test(o))) return [op];
    return [{ ...op, options: [...op.options, `context=${label}`] }];
  });
}
