/** `linux.netDevices`: the host's network interfaces, moved to the container's namespace, and back on failure. */

import type { Op } from '../../../plan/plan-ops.js';
import { append } from '../../../sys/append.js';
import { E } from '../../../sys/errno.js';
import { native } from '../../../sys/host.js';
import * as netlink from '../../../sys/sockets/netlink.js';
import { OpFailed } from '../../failure/op-failed.js';

type NetDeviceOp = Extract<Op, { op: 'netDevice' }>;

/** Flags that an address is added with (if_addr.h): NODAD, HOMEADDRESS, MANAGETEMPADDR, NOPREFIXROUTE, MCAUTOJOIN. */
const chosenFlags = 0x02 | 0x10 | 0x100 | 0x200 | 0x400;

const isPermanent = ({ flags }: netlink.Address): boolean => (flags & netlink.IFA_F_PERMANENT) !== 0;

/** Whether a device keeps an address in the container: one that is permanent and of global scope. */
const isMovable = (a: netlink.Address): boolean => isPermanent(a) && a.scope === netlink.RT_SCOPE_UNIVERSE;

/** State of a device in the host's namespace. */
interface Device {
  readonly index: number;
  readonly up: boolean;
  readonly addresses: readonly netlink.Address[];
}

interface MovedDevice {
  readonly op: NetDeviceOp;
  readonly device: Device;
}

/** The devices that one container's launch has moved so far. */
export class NetDevices {
  /** The container's network namespace, held open: if init fails, virtual devices would vanish with the namespace. */
  private namespace: number | undefined;
  private readonly moved: MovedDevice[] = [];

  /**
   * Moves one device, names it, restores its permanent global addresses and sets it up. The network that it leaves
   * keeps the rest (runtime-spec config-linux.md#network-devices).
   * @param pid a process in the network namespace
   * @throws OpFailed
   */
  move(op: NetDeviceOp, pid: number): void {
    const namespace = this.namespace ?? check(op, openNamespace(pid), 'open');
    this.namespace = namespace;
    const here = new RouteSocket(op);
    const there = new RouteSocket(op, namespace);
    try {
      // Check first: a device that moved and kept its old name would be hard to find.
      if (there.find(op.target)) throw new OpFailed({ op, errno: E.EEXIST, syscall: 'netlink', detail: op.target });
      const device = here.find(op.name);
      if (!device) throw new OpFailed({ op, errno: E.ENODEV, syscall: 'netlink', detail: op.name });
      here.move(device.index, namespace, op.target);
      this.moved.push({ op, device });
      there.restore(op.target, { up: true, addresses: device.addresses.filter(isMovable) }, op.name !== op.target);
    } finally {
      here.close();
      there.close();
    }
  }

  /**
   * Moves every device back, the last one first, and restores it. A failure does not hide the error that ended the
   * launch. Without the container's namespace do nothing: the kernel has moved back or removed its devices. A socket
   * would then belong to the host's namespace, whose devices may have the same names.
   */
  returnAll(pid: number): void {
    const moved = this.moved.splice(0).reverse();
    if (moved.length > 0) this.returnDevices(moved, pid);
    this.release();
  }

  private returnDevices(moved: readonly MovedDevice[], pid: number): void {
    this.namespace ??= fdOrUndefined(openNamespace(pid));
    const own = fdOrUndefined(openNamespace('thread-self'));
    for (const { op, device } of moved) {
      if (this.namespace === undefined || own === undefined) break;
      try {
        const here = new RouteSocket(op);
        const there = new RouteSocket(op, this.namespace);
        try {
          const found = there.find(op.target);
          if (found) there.move(found.index, own, op.name);
          here.restore(op.name, device, false);
        } finally {
          here.close();
          there.close();
        }
      } catch {
        // The caller reports the error that ended the launch.
      }
    }
    if (own !== undefined) native.close(own);
  }

  /** Closes the namespace: the container keeps the devices. */
  release(): void {
    if (this.namespace !== undefined) native.close(this.namespace);
    this.namespace = undefined;
  }
}

/** A descriptor; undefined for `-errno`. */
const fdOrUndefined = (result: number): number | undefined => (result < 0 ? undefined : result);

const openNamespace = (pid: number | 'thread-self'): number =>
  native.namespaceOpen(`/proc/${pid}/ns/net`, new Uint8Array(24));

function check(op: NetDeviceOp, value: number, syscall: string, detail = ''): number {
  if (value < 0) throw new OpFailed({ op, errno: -value, syscall, detail });
  return value;
}

/** A netlink socket for the interfaces of one network namespace. */
class RouteSocket {
  private readonly fd: number;

  /** @param namespace descriptor of a network namespace; the runtime's own when absent */
  constructor(
    private readonly op: NetDeviceOp,
    namespace?: number,
  ) {
    this.fd = check(op, native.netlinkOpen(namespace ?? -1), 'socket');
  }

  close(): void {
    native.close(this.fd);
  }

  /** The device with that name, if any. */
  find(name: string): Device | undefined {
    const { messages, errno } = this.request(
      netlink.encodeRequest(netlink.RTM_GETLINK, 0, netlink.ifinfo(0), [[netlink.IFLA_IFNAME, netlink.name(name)]]),
      [E.ENODEV],
    );
    const link = messages.find(({ type }) => type === netlink.RTM_NEWLINK);
    if (errno || !link) return undefined;
    const view = new DataView(link.body.buffer, link.body.byteOffset);
    const index = view.getInt32(4, true);
    const dump = this.request(netlink.encodeRequest(netlink.RTM_GETADDR, netlink.NLM_F_DUMP, new Uint8Array(8)));
    const addresses = dump.messages
      .filter(({ type }) => type === netlink.RTM_NEWADDR)
      .map(({ body }) => netlink.parseAddress(body))
      .filter((a) => a.index === index);
    return { index, up: (view.getUint32(8, true) & netlink.IFF_UP) !== 0, addresses };
  }

  /** Moves a device of this namespace into another and names it. */
  move(index: number, namespace: number, name: string): void {
    this.request(
      netlink.encodeRequest(netlink.RTM_NEWLINK, 0, netlink.ifinfo(index), [
        [netlink.IFLA_NET_NS_FD, netlink.u32(namespace)],
        [netlink.IFLA_IFNAME, netlink.name(name)],
      ]),
    );
  }

  /** Adds addresses to a device of this namespace and sets it up if it was. A label begins with the device's name. */
  restore(name: string, { addresses, up }: Pick<Device, 'addresses' | 'up'>, renamed: boolean): void {
    const device = this.find(name);
    if (!device) throw new OpFailed({ op: this.op, errno: E.ENODEV, syscall: 'netlink', detail: name });
    for (const address of addresses) {
      const without = [
        netlink.IFA_FLAGS,
        ...(renamed ? [netlink.IFA_LABEL] : []),
        // Lifetimes: a permanent address has none, which means "for ever".
        ...(isPermanent(address) ? [netlink.IFA_CACHEINFO] : []),
      ];
      const attributes = address.attributes.filter(([kind]) => !without.includes(kind));
      const flags = netlink.u32(address.flags & chosenFlags);
      this.request(
        netlink.encodeRequest(
          netlink.RTM_NEWADDR,
          netlink.NLM_F_CREATE_EXCL,
          netlink.ifaddr({ ...address, index: device.index }),
          [...attributes, [netlink.IFA_FLAGS, flags]],
        ),
        // The kernel adds some addresses by itself.
        [E.EEXIST],
      );
    }
    if (up) {
      this.request(
        netlink.encodeRequest(netlink.RTM_NEWLINK, 0, netlink.ifinfo(device.index, netlink.IFF_UP, netlink.IFF_UP)),
      );
    }
  }

  /** @throws OpFailed for an errno that is not allowed */
  private request(
    message: Uint8Array,
    allowed: readonly number[] = [],
  ): { messages: netlink.Message[]; errno: number } {
    check(this.op, native.write(this.fd, message), 'write');
    const messages: netlink.Message[] = [];
    const buffer = new Uint8Array(64 << 10);
    for (;;) {
      const n = check(this.op, native.read(this.fd, buffer), 'read');
      // A copy: the next datagram overwrites the buffer.
      const { messages: more, errno, errorText, done } = netlink.decodeAnswer(buffer.slice(0, n));
      if (errno && !allowed.includes(errno)) {
        throw new OpFailed({ op: this.op, errno, syscall: 'netlink', detail: errorText });
      }
      append(messages, more);
      if (done) return { messages, errno };
    }
  }
}
