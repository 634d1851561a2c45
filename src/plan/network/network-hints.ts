/** Known causes of failures of the network namespace's devices (`linux.netDevices`, lo). */
import { E } from '../../sys/errno.js';
import { because, type Failure, type Failures, type Hint } from '../failure/known-cause.js';
import type { OpOf } from '../plan-ops.js';
import type { networkTable } from './network-ops.js';

const SEE = 'runtime-spec config-linux.md#network-devices';

export const networkFailures: Failures<keyof typeof networkTable> = {
  netDevice: { code: 'ERR_NET_DEVICE', hint: netDeviceHint },
  loopback: {
    code: 'ERR_NAMESPACE',
    hint: (f) =>
      f.errno === E.EPERM
        ? because('bringing up lo needs CAP_NET_ADMIN over the network namespace', 'network_namespaces(7)')
        : undefined,
  },
};

function netDeviceHint(f: Failure, { name, target }: OpOf<'netDevice'>): Hint | undefined {
  switch (f.errno) {
    case E.ENODEV:
      return because(
        `there is no network device ${name} in the network namespace of runt: "ip link" shows those that are there`,
        SEE,
      );
    case E.EEXIST:
      return because(
        `the container's network namespace has a device ${target} already: give it another name (linux.netDevices, name)`,
        SEE,
      );
    case E.EPERM:
      return because('give runt CAP_NET_ADMIN in both network namespaces: moving a device takes it', 'capabilities(7)');
    case E.EINVAL:
      return because(
        `the kernel does not let ${name} leave its network namespace: loopback, bridges of some drivers and wireless devices may not be moved one by one`,
        'network_namespaces(7)',
      );
    default:
      return undefined;
  }
}
