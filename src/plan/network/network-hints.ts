/** Known causes of failures of the network namespace's devices (`linux.netDevices`, lo). */
import { E } from '../../sys/errno.js';
import { type Failure, type Failures, type Hint, hintOf } from '../failure/known-cause.js';
import type { OpOf } from '../plan-ops.js';
import type { networkTable } from './network-ops.js';

const SEE = 'runtime-spec config-linux.md#network-devices';

export const networkFailures: Failures<keyof typeof networkTable> = {
  netDevice: { code: 'ERR_NET_DEVICE', hint: netDeviceHint },
  loopback: {
    code: 'ERR_NAMESPACE',
    hint: (f) =>
      f.errno === E.EPERM
        ? hintOf('give runt CAP_NET_ADMIN over the network namespace: bringing up lo needs it', 'network_namespaces(7)')
        : undefined,
  },
};

function netDeviceHint(f: Failure, { name, target }: OpOf<'netDevice'>): Hint | undefined {
  switch (f.errno) {
    case E.ENODEV:
      return hintOf(`name a device that "ip link" lists: the network namespace of runt has no ${name}`, SEE);
    case E.EEXIST:
      return hintOf(
        `give the device another name (linux.netDevices, name): the container's network namespace has a device ${target} already`,
        SEE,
      );
    case E.EPERM:
      return hintOf('give runt CAP_NET_ADMIN in both network namespaces: moving a device needs it', 'capabilities(7)');
    case E.EINVAL:
      return hintOf(
        `move another device: the kernel does not let ${name} leave its network namespace, as loopback, wireless devices and some bridges`,
        'network_namespaces(7)',
      );
    default:
      return undefined;
  }
}
