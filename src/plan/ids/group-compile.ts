/** `run.oci.keep_original_groups`: the caller's supplementary groups, for the process. */
import { annotationValue, keepOriginalGroups } from '../../spec/annotation-names.js';
import type { Spec } from '../../spec/config-types.js';
import type { Op } from '../plan-ops.js';

/** Before the user namespace: becomeRoot drops the groups in it. */
export function keepGroupsOps(spec: Spec): Op[] {
  const [value, at] = annotationValue(spec, keepOriginalGroups);
  return value === undefined ? [] : [{ op: 'keepGroups', at }];
}
