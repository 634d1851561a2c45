/** Operations of the network namespace. */
import { table } from '../op-shape.js';

export const networkTable = table({
  netDevice: {
    by: 'runtime',
    phase: 'namespaces',
    fields: { name: 'str', target: 'str' },
    doc: 'move a network interface of the host into the network namespace of runt-init as target, with its permanent global addresses, and set it up',
  },
  loopback: {
    code: 65,
    by: 'init',
    phase: 'namespaces',
    fields: {},
    doc: 'bring lo up in the new network namespace (SIOCSIFFLAGS)',
  },
});
