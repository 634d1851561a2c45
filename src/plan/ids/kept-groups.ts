/** `run.oci.keep_original_groups`: the process keeps the groups of runt's caller. */
import { annotation, keepOriginalGroups } from '../../spec/annotation-names.js';
import type { Spec } from '../../spec/config-types.js';
import type { Op } from '../plan-ops.js';

/** Before the user namespace, in which becoming root lets the groups go. */
export function keepGroupsOps(spec: Spec): Op[] {
  const [value, at] = annotation(spec, keepOriginalGroups);
  return value === undefined ? [] : [{ op: 'keepGroups', at }];
}
