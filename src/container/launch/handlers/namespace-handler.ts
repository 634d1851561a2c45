/** The namespace files that the container joins, opened and verified by the runtime. */
import type { Op } from '../../../plan/plan-ops.js';
import type { NamespaceType, Spec } from '../../../spec/config-types.js';
import { sysctlNamespace } from '../../../spec/rules/sysctl-rules.js';
import { E } from '../../../sys/errno.js';
import { RuntError } from '../../../sys/error.js';
import { host, native } from '../../../sys/host.js';
import { AT_FDCWD, namespaceFlags } from '../../../sys/linux.js';
import { checkOp } from '../../failure/op-failed.js';

const SEE = 'runtime-spec config-linux.md#namespaces';

/**
 * Opens the file of a namespaceOpen operation.
 * @throws RuntError ERR_NAMESPACE for a file that is not a namespace of that type, or if the config would change the
 * runtime's own namespace
 */
export function openNamespace(
  op: Extract<Op, { op: 'namespaceOpen' }>,
  input: { readonly command: string; readonly record: { readonly id: string }; readonly spec: Spec },
): number {
  const out = new Uint8Array(24);
  const fd = native.namespaceOpen(op.path, out);
  const fail = (why: string, rest: { errno?: number; hint?: string } = {}): RuntError => {
    if (fd >= 0) native.close(fd);
    return new RuntError({
      code: 'ERR_NAMESPACE',
      message: `${input.command} ${input.record.id}: join the ${op.type} namespace ${op.path}${why && `: ${why}`}`,
      op: op.op,
      path: op.path,
      pointer: op.at,
      value: op.path,
      see: SEE,
      ...rest,
    });
  };
  if (fd === -E.ENOTTY) {
    throw fail('it is not a namespace', {
      hint: `name a file such as /proc/PID/ns/${fileName(op.type)}, or one on which such a file is bound (ip netns add makes them in /run/netns)`,
    });
  }
  if (fd < 0) throw fail('', { errno: -fd, ...(openHint(-fd, op.path) && { hint: openHint(-fd, op.path) as string }) });
  const values = new DataView(out.buffer);
  const type = Number(values.getBigInt64(0, true));
  if (type !== namespaceFlags[op.type]) {
    const found = Object.keys(namespaceFlags).find((name) => namespaceFlags[name] === type);
    throw fail(`it is a ${found ?? `0x${type.toString(16)}`} namespace`, {
      hint: `name a file such as /proc/PID/ns/${fileName(op.type)}, or correct the type: they must agree`,
    });
  }
  if (isOwn(op.type, values)) {
    const changed = requiringField(op.type as NamespaceType, input.spec);
    if (changed) {
      throw fail(`it is that of the host, and ${changed} would change the host`, {
        hint: op.type === 'mount' ? 'name another namespace' : `remove ${changed}, or name another namespace`,
      });
    }
  }
  return fd;
}

/** Compares the id map of a joined user namespace with the config's. @throws RuntError ERR_ID_MAP when they differ */
export function verifyIdMap(
  op: Extract<Op, { op: 'idMapVerify' }>,
  pid: number,
  input: { readonly command: string; readonly record: { readonly id: string } },
): void {
  const path = `/proc/${pid}/${op.kind}_map`;
  const buffer = new Uint8Array(32 << 10);
  const n = checkOp(op, native.readFile(AT_FDCWD, path, buffer), 'read', path);
  const found = host
    .decode(buffer, n)
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/ +/).join(' '));
  if ([...found].sort().join() === [...op.lines].sort().join()) return;
  throw new RuntError({
    code: 'ERR_ID_MAP',
    message: `${input.command} ${input.record.id}: join the user namespace: it maps ${op.kind}s as ${found.join(', ') || 'none'}, not as ${op.lines.join(', ')}`,
    op: op.op,
    pointer: op.at,
    hint: 'remove the mappings, or give those that the namespace has (first id inside, first id outside, number of ids)',
    see: SEE,
  });
}

/** Name of a type's file in /proc/PID/ns. */
export function fileName(type: string): string {
  return type === 'mount' ? 'mnt' : type === 'network' ? 'net' : type;
}

function openHint(errno: number, path: string): string | undefined {
  if (errno === E.ENOENT)
    return path.startsWith('/proc/')
      ? 'name the namespace of a running process: this one has ended'
      : 'make the namespace before the container: its file is not there';
  if (errno === E.EACCES || errno === E.EPERM)
    return 'run runt as root: nobody else can open a namespace of another user’s process';
  return undefined;
}

/** Whether the runtime itself is in that namespace. */
function isOwn(type: string, opened: DataView): boolean {
  const out = new Uint8Array(24);
  const fd = native.namespaceOpen(`/proc/self/ns/${fileName(type)}`, out);
  if (fd < 0) return false;
  native.close(fd);
  const own = new DataView(out.buffer);
  return [8, 16].every((at) => own.getBigInt64(at, true) === opened.getBigInt64(at, true));
}

/** The part of a config that would change a whole namespace of that type; undefined if none. */
function requiringField(type: NamespaceType, spec: Spec): string | undefined {
  if (type === 'mount') return 'a container without mounts of its own';
  if (type === 'uts' && spec.hostname) return 'hostname';
  if (type === 'uts' && spec.domainname) return 'domainname';
  if (type === 'network' && Object.keys(spec.linux?.netDevices ?? {}).length > 0) return 'netDevices';
  const key = Object.keys(spec.linux?.sysctl ?? {}).find((k) => sysctlNamespace(k) === type);
  return key && `sysctl ${key}`;
}
