/** `hostname`, `domainname`, `linux.sysctl`: kernel settings of the container's namespaces. */

import type { Spec } from '../../spec/config-types.js';
import { escapeSegment } from '../../spec/json/json-pointer.js';
import { sysctlPath } from '../../spec/rules/sysctl-rules.js';
import type { OpEntry, OpMaker, OpMakers } from '../op-list.js';
import type { Op } from '../plan-ops.js';

export function kernelOps(spec: Spec, makers: OpMakers): OpEntry[] {
  const ops: OpEntry[] = [];
  if (spec.hostname) ops.push({ op: 'hostname', at: '/hostname', name: spec.hostname });
  if (spec.domainname) ops.push({ op: 'domainname', at: '/domainname', name: spec.domainname });
  const sysctl = spec.linux?.sysctl ?? {};
  const keys = Object.keys(sysctl);
  const maker: OpMaker = { by: 'init', op: (i) => sysctlOp(keys[i] as string, sysctl) };
  const first = makers.add(maker, keys.length);
  for (let i = 0; i < keys.length; i++) ops[ops.length] = first === undefined ? maker.op(i) : first + i;
  return ops;
}

const sysctlOp = (key: string, values: Readonly<Record<string, string>>): Op => ({
  op: 'sysctl',
  at: `/linux/sysctl/${escapeSegment(key)}`,
  key: sysctlPath(key),
  value: values[key] as string,
});
