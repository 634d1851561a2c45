/** `linux.netDevices`: the host's network interfaces that the container gets (config-linux.md#network-devices). */
import type { Spec } from '../../spec/config-types.js';
import { segment } from '../../spec/json/json-pointer.js';
import type { Op } from '../plan-ops.js';

/** The network interfaces that come from the host; runt-init awaits them, as a sysctl may be about one of them. */
export function netDeviceOps(spec: Spec): Op[] {
  const ops = Object.entries(spec.linux?.netDevices ?? {}).map(([name, { name: target }]): Op => {
    return { op: 'netDevice', at: `/linux/netDevices/${segment(name)}`, name, target: target || name };
  });
  return ops.length > 0 ? [...ops, { op: 'await', at: '', what: 'network devices' }] : [];
}
