/** Known causes of failures to move a network device (`linux.netDevices`). */
import { E } from '../../sys/errno.js';
import { because, type Failure, type Hint } from '../failure/known-cause.js';

const SEE = 'runtime-spec config-linux.md#network-devices';

export function netDeviceHint(f: Failure): Hint | undefined {
  if (f.op.op !== 'netDevice') return undefined;
  const { name, target } = f.op;
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
