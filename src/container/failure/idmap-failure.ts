/** The causes of errors from id-mapped mounts; EINVAL means a file system without them. */
import { type Hint, hintOf } from '../../plan/failure/known-cause.js';
import { E } from '../../sys/errno.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import type { OpFailure } from './op-failed.js';

const see = 'mount_setattr(2), "ID-mapped mounts"';

/** The cause; undefined if the operation maps no ids, or the cause is unknown. */
export function idmapHint({ op, errno, syscall, detail }: OpFailure): Hint | undefined {
  if (op.op === 'idMapNamespace') {
    return errno === E.EPERM || errno === E.EINVAL
      ? hintOf(
          `map only host ids that are mapped for runt itself: the kernel refuses the ${detail === 'gid_map' ? 'gid' : 'uid'} mappings of the mount`,
          'user_namespaces(7)',
        )
      : undefined;
  }
  const tree = op.op === 'idMapTree';
  if (syscall !== 'mount_setattr' || !(tree || (op.op === 'mountFs' && detail === 'idmap'))) return undefined;
  switch (errno) {
    case E.EINVAL: {
      const type = tree ? typeOf(op.source) : op.fstype;
      const where = tree ? `${type}, the file system of ${op.source}` : type;
      const below = tree && op.recursive ? ', or a file system that is mounted below it' : '';
      return hintOf(`bind it without mappings: this kernel cannot id-map ${where}${below}`, see);
    }
    case E.EPERM:
      return hintOf(
        `bind the original mount instead of ${tree ? op.source : 'this one'}: it is id-mapped already, or belongs to a user namespace that runt does not control`,
        see,
      );
    case E.EOPNOTSUPP:
      return hintOf(
        'remove options longer than 255 bytes, and those that only mount(2) takes (silent, iversion, acl): a file system with one of them cannot be id-mapped',
        see,
      );
    default:
      return undefined;
  }
}

/** Type of a path's file system: the entry of its device number in mountinfo. */
function typeOf(path: string): string {
  const data = new Uint8Array(64);
  const text = new Uint8Array(1 << 20);
  if (native.stat(AT_FDCWD, path, 0, data) < 0) return 'the file system';
  const device = new DataView(data.buffer).getBigInt64(40, true);
  const major = (device >> 8n) & 0xfffn;
  const minor = (device & 0xffn) | ((device >> 12n) & 0xfff00n);
  const n = native.readFile(AT_FDCWD, '/proc/self/mountinfo', text);
  const line = (n > 0 ? host.decode(text, n) : '').split('\n').find((l) => l.split(' ')[2] === `${major}:${minor}`);
  return line?.split(' - ')[1]?.split(' ')[0] ?? 'the file system';
}
