/** `linux.devices` and the default devices and links of runtime-spec config-linux.md#default-devices. */
import type { Device, Mount, Spec } from '../../spec/config-types.js';
import { cleanPath } from '../container-path.js';
import type { HostFacts } from '../host-facts.js';
import { isBind } from '../mounts/mount-settings.js';
import { hasUserNamespace } from '../namespaces/namespace-compile.js';
import type { OpEntry, OpMaker, OpMakers } from '../op-list.js';
import type { Op } from '../plan-ops.js';

const defaults: readonly (readonly [path: string, minor: number, major?: number])[] = [
  ['/dev/null', 3],
  ['/dev/zero', 5],
  ['/dev/full', 7],
  ['/dev/random', 8],
  ['/dev/urandom', 9],
  ['/dev/tty', 0, 5],
];

const links: readonly (readonly [path: string, content: string])[] = [
  ['/dev/fd', '/proc/self/fd'],
  ['/dev/stdin', '/proc/self/fd/0'],
  ['/dev/stdout', '/proc/self/fd/1'],
  ['/dev/stderr', '/proc/self/fd/2'],
];

const ptmx = '/dev/ptmx';

/**
 * Device nodes, then the links. Nothing if /dev is a bind mount from the host: runc also expects it to be complete.
 * Without CAP_MKNOD in the initial user namespace the host's nodes are bound, because none can be made. `cleaned`: the
 * destinations that are not clean.
 */
export function deviceOps(
  spec: Spec,
  facts: HostFacts,
  cleaned: ReadonlyMap<number, string>,
  makers: OpMakers,
): OpEntry[] {
  const { mounts = [] } = spec;
  for (let i = 0; i < mounts.length; i++) {
    const mount = mounts[i] as Mount;
    if (mount.destination === '/dev' && isBind(mount)) return [];
  }
  for (const [i, path] of cleaned) if (path === '/dev' && isBind(mounts[i] as Mount)) return [];
  const bind = facts.rootless || hasUserNamespace(spec);
  const ops: OpEntry[] = [];
  const configured = spec.linux?.devices ?? [];
  for (const [path, minor, major = 1] of defaults) {
    if (configured.some((d) => cleanPath(d.path) === path)) continue;
    ops.push({ op: 'device', at: '', path, type: 'c', major, minor, mode: 0o666, uid: 0, gid: 0, bind });
  }
  const maker: OpMaker = { by: 'init', op: (i) => deviceOp(configured[i] as Device, i, bind) };
  const first = makers.add(maker, configured.length);
  configured.forEach((d, i) => {
    // The link below: the container's own terminals are in its devpts. Engines list the host's ptmx (--privileged).
    if (cleanPath(d.path) !== ptmx) ops.push(first === undefined ? maker.op(i) : first + i);
  });
  if (facts.kcore) ops.push({ op: 'symlink', at: '', content: '/proc/kcore', path: '/dev/core', required: false });
  for (const [path, content] of links) ops.push({ op: 'symlink', at: '', content, path, required: false });
  ops.push({ op: 'symlink', at: '', content: 'pts/ptmx', path: ptmx, required: true });
  return ops;
}

/** The operation of a device of the config. */
const deviceOp = (d: Device, i: number, bind: boolean): Op => ({
  op: 'device',
  at: `/linux/devices/${i}`,
  path: cleanPath(d.path),
  type: d.type === 'u' ? 'c' : d.type,
  major: d.major ?? 0,
  minor: d.minor ?? 0,
  mode: d.fileMode ?? 0o666,
  uid: d.uid ?? 0,
  gid: d.gid ?? 0,
  bind,
});
