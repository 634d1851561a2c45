/** `hostname`, `domainname`, `linux.sysctl`: kernel settings of the container's namespaces. */

import type { Spec } from '../../spec/config-types.js';
import { escapeSegment } from '../../spec/json/json-pointer.js';
import { sysctlPath } from '../../spec/rules/sysctl-rules.js';
import type { Op } from '../plan-ops.js';

export function kernelOps(spec: Spec): Op[] {
  const ops: Op[] = [];
  if (spec.hostname) ops.push({ op: 'hostname', at: '/hostname', name: spec.hostname });
  if (spec.domainname) ops.push({ op: 'domainname', at: '/domainname', name: spec.domainname });
  const sysctl = spec.linux?.sysctl ?? {};
  for (const key of Object.keys(sysctl)) {
    const at = `/linux/sysctl/${escapeSegment(key)}`;
    ops.push({ op: 'sysctl', at, key: sysctlPath(key), value: sysctl[key] as string });
  }
  return ops;
}
