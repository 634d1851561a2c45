/** `linux.netDevices`: network interfaces to move from the host (config-linux.md#network-devices). */
import type { Spec } from '../../spec/config-types.js';
import { escapeSegment } from '../../spec/json/json-pointer.js';
import type { Op } from '../plan-ops.js';

/** Moves the host's interfaces; runt-init waits for them, because a sysctl may name one of them. */
export function netDeviceOps(spec: Spec): Op[] {
  const ops = Object.entries(spec.linux?.netDevices ?? {}).map(([name, { name: target }]): Op => {
    return { op: 'netDevice', at: `/linux/netDevices/${escapeSegment(name)}`, name, target: target || name };
  });
  return ops.length > 0 ? [...ops, { op: 'await', at: '', what: 'network devices' }] : [];
}
