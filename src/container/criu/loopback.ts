/** The loopback device of a restored network namespace, set up as in a created one: criu leaves the namespace empty. */
import { check, RuntError } from '../../sys/error.js';
import { stat } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import * as netlink from '../../sys/sockets/netlink.js';

/** Its index: the kernel makes it first in each network namespace. */
const index = 1;

/** Sets the device up, but never in the runtime's own namespace. @throws RuntError ERR_NET_DEVICE */
export function setLoopbackUp(what: string, pid: number): void {
  const path = `/proc/${pid}/ns/net`;
  if (stat(path).ino === stat('/proc/self/ns/net').ino) return;
  const facts = { code: 'ERR_NET_DEVICE', message: `${what}: set the loopback device of ${path} up`, path };
  const namespace = check(native.namespaceOpen(path, new Uint8Array(24)), facts);
  const socket = native.netlinkOpen(namespace);
  native.close(namespace);
  check(socket, facts);
  try {
    const up = netlink.ifinfo(index, netlink.IFF_UP, netlink.IFF_UP);
    check(native.write(socket, netlink.encodeRequest(netlink.RTM_NEWLINK, 0, up)), facts);
    const buffer = new Uint8Array(8192);
    const n = check(native.read(socket, buffer), facts);
    const { errno } = netlink.decodeAnswer(buffer.slice(0, n));
    if (errno) throw new RuntError({ ...facts, errno, syscall: 'netlink' });
  } finally {
    native.close(socket);
  }
}
