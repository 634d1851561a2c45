/** Layers that containers write: the record of who uses one, and fresh ones. */

import type { OpOf } from '../../plan/plan-ops.js';
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { OwnedFd } from '../../sys/fds.js';
import { listDir, readLink, readText } from '../../sys/fs.js';
import { callApart, host, native } from '../../sys/host.js';
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, O_PATH, O_RDONLY, S_IFDIR, S_IFMT } from '../../sys/linux.js';
import { lock } from '../../sys/waiting/file-lock.js';
import { layerLockTime } from '../../sys/waiting/time-limits.js';
import { checkOp, OpFailed } from '../failure/op-failed.js';
import { statusOf } from './recorded-process.js';
import { openPath, readEntry, withState } from './state-directory.js';
import { type ContainerRecord, isEntry, isId, loadRecord } from './state-store.js';

interface User {
  readonly command: string;
  /** The state root. */
  readonly root: string;
  readonly record: ContainerRecord;
  readonly warn?: (sentence: string) => void;
}

/** Content of a record. It is stale once that container is gone, stopped or another one, and after a reboot. */
interface LayerRecord {
  /** /proc/sys/kernel/random/boot_id. */
  readonly boot: string;
  readonly root: string;
  readonly id: string;
  /** `created` of the container's record: a later container can have the same id. */
  readonly created: string;
}

/** Name of the record in the directory of a fresh layer. */
const ownName = 'in-use.json';
/** Record of the boot in which stale layers were last removed. */
const sweptName = '.swept.json';

/** Name of the record beside an upper directory: by inode, because a copy of both must be free. */
const recordName = (ino: bigint): string => `.runt-upper-${ino}.json`;

const bootId = (): string => readText('/proc/sys/kernel/random/boot_id').trim();

/**
 * Records that a container uses the upper directory of an overlay. Two overlays that share one lose files: the kernel
 * calls that undefined, and only warns in its log.
 * @throws RuntError ERR_LAYER_IN_USE, OpFailed
 */
export async function claimLayer(op: OpOf<'claimLayer'>, user: User): Promise<void> {
  const upper = native.openAt(AT_FDCWD, op.path, O_PATH, 0);
  // The mount names the missing directory.
  if (upper === -E.ENOENT || upper === -E.ENOTDIR) return;
  const held = new OwnedFd(checkOp(op, upper, 'openat', op.path));
  let parent: OwnedFd | undefined;
  try {
    const { ino, dev, mode } = identity(op, upper, '');
    if ((mode & S_IFMT) !== S_IFDIR) return;
    const path = readLink(`/proc/self/fd/${upper}`);
    const slash = path.lastIndexOf('/');
    const above = path.slice(0, slash) || '/';
    parent = new OwnedFd(checkOp(op, native.openDirectory(AT_FDCWD, above, O_RDONLY), 'openat', above));
    const named = identity(op, parent.number, path.slice(slash + 1));
    if (named.ino !== ino || named.dev !== dev)
      throw new OpFailed({ op, errno: E.ESTALE, syscall: 'openat', detail: path });
    checkOp(op, await lock(parent.number, layerLockTime), 'flock', above);
    const name = recordName(ino);
    refuseUsed(op, user, parent.number, `${above}/${name}`, name);
    const r = native.replaceFile(parent.number, name, 0o600, recordText(user));
    if (r === -E.EACCES || r === -E.EPERM || r === -E.EROFS) {
      user.warn?.(
        `${op.at}: runt cannot record beside ${path} that ${user.record.id} uses it, and so will not refuse it to another container`,
      );
    } else checkOp(op, r, 'openat', `${above}/${name}`);
  } finally {
    parent?.close();
    held.close();
  }
}

function identity(op: OpOf<'claimLayer'>, dir: number, name: string) {
  const out = new BigInt64Array(8);
  const flags = name === '' ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
  checkOp(op, native.stat(dir, name, flags, new Uint8Array(out.buffer)), 'newfstatat', name);
  return { mode: Number(out[0]), ino: out[4] as bigint, dev: out[5] as bigint };
}

const recordText = ({ root, record: { id, created } }: User): Uint8Array =>
  host.encode(JSON.stringify({ boot: bootId(), root, id, created } satisfies LayerRecord));

/** @throws RuntError ERR_LAYER_IN_USE */
function refuseUsed(op: OpOf<'claimLayer'>, { command, record }: User, dir: number, path: string, name: string): void {
  const refuse = (why: string, hint: string, cause?: unknown): RuntError =>
    new RuntError({
      code: 'ERR_LAYER_IN_USE',
      message: `${command} ${record.id}: use the upper directory ${op.path}: ${why}`,
      path: op.path,
      pointer: op.at,
      value: `upperdir=${op.path}`,
      hint,
      see: 'filesystems/overlayfs',
      ...(cause !== undefined && { cause }),
    });
  const content = readEntry(dir, name);
  if ('errno' in content && content.errno === E.ENOENT) return;
  const remedy = `remove ${path} if no container uses that directory`;
  if ('errno' in content || 'why' in content) {
    const why = 'why' in content ? content.why : `it cannot be read (errno ${content.errno})`;
    throw refuse(`${path} may name its container, but ${why}`, remedy);
  }
  // A power failure can leave an empty file.
  if (content.data.length === 0) return;
  const user = parse(host.decode(content.data, content.data.length));
  if (!user) throw refuse(`${path}, which names its container, is damaged`, remedy);
  let used: boolean;
  try {
    used = isUsed(user);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw refuse(`container ${user.id} in ${user.root} may use it: ${why}`, remedy, error);
  }
  if (!used) return;
  const own = user.id === record.id && user.created === record.created;
  if (own) throw refuse('another mount of this config uses it', 'give each overlay its own upperdir and workdir');
  throw refuse(
    `container ${user.id} uses it`,
    'give each container a directory of its own (spec --overlay), or a fresh layer (spec --ephemeral); or delete that container first',
  );
}

function parse(text: string): LayerRecord | undefined {
  let parsed: { readonly [K in keyof LayerRecord]?: unknown };
  try {
    parsed = (JSON.parse(text) ?? {}) as typeof parsed;
  } catch {
    return undefined;
  }
  const { boot, root, id, created } = parsed;
  const isValid =
    typeof boot === 'string' && typeof root === 'string' && root[0] === '/' && typeof id === 'string' && isId(id);
  return isValid && typeof created === 'string' ? { boot, root, id, created } : undefined;
}

/** Whether the container of a record still has its layer. @throws RuntError if neither is certain */
function isUsed({ boot, root, id, created }: LayerRecord): boolean {
  if (boot !== bootId()) return false;
  try {
    const record = loadRecord(root, id);
    return record.created === created && statusOf(root, record) !== 'stopped';
  } catch (error) {
    const code = error instanceof RuntError ? error.code : '';
    if (code === 'ERR_NO_CONTAINER') return false;
    // A killed delete leaves a directory without a record.
    if (code === 'ERR_STATE_CORRUPT' && !withState(root, id, (dir) => isEntry(dir, 'state.json'))) return false;
    throw error;
  }
}

/** Splits a layer's directory into the directory of all layers and its name. */
function splitLayer(path: string): [directory: string, name: string] {
  const slash = path.lastIndexOf('/');
  return [path.slice(0, slash) || '/', path.slice(slash + 1)];
}

/**
 * Makes a fresh layer, and once in each boot removes those that an earlier boot left. Other users may search its parent
 * (0711): root of a user namespace opens the layer by its path. They cannot search the layer.
 * @throws OpFailed, RuntError ERR_STATE_UNSAFE
 */
export async function makeLayer(op: OpOf<'makeLayer'>, user: User): Promise<void> {
  const [directory, name] = splitLayer(op.path);
  const parent = new OwnedFd(checkOp(op, openPath(directory, 0o711), 'mkdir', directory));
  const all = new OwnedFd(checkOp(op, native.openDirectory(parent.number, '.', O_RDONLY), 'openat', directory));
  let layer: OwnedFd | undefined;
  try {
    checkOp(op, await lock(all.number, layerLockTime), 'flock', directory);
    sweep(all.number, user);
    const [uid, gid] = [BigInt(op.uid), BigInt(op.gid)];
    const isMapped = uid !== 0n || gid !== 0n;
    const make = (dir: number, entry: string, mode: number) =>
      checkOp(op, native.mkdirAt(dir, entry, mode) || native.chmodAt(dir, entry, mode), 'mkdir', `${op.path}/${entry}`);
    make(all.number, name, isMapped ? 0o710 : 0o700);
    layer = new OwnedFd(checkOp(op, native.openDirectory(all.number, name, O_RDONLY), 'openat', op.path));
    checkOp(op, native.replaceFile(layer.number, ownName, 0o600, recordText(user)), 'openat', `${op.path}/${ownName}`);
    for (const [entry, mode] of [
      ['upper', 0o755],
      ['work', 0o700],
    ] as const) {
      make(layer.number, entry, mode);
      if (isMapped) checkOp(op, native.chownAt(layer.number, entry, uid, gid), 'fchownat', `${op.path}/${entry}`);
    }
    if (isMapped) checkOp(op, native.chownAt(layer.number, '', -1n, gid), 'fchownat', op.path);
  } finally {
    layer?.close();
    all.close();
    parent.close();
  }
}

/** A container's record removes its layer; a reboot loses the records, as /run is a tmpfs. */
function sweep(all: number, user: User): void {
  const boot = bootId();
  const swept = readEntry(all, sweptName);
  if ('data' in swept && host.decode(swept.data, swept.data.length) === boot) return;
  for (const name of listDir('.', all)) {
    const layer = native.openDirectory(all, name, O_PATH);
    if (layer < 0) continue;
    const content = readEntry(layer, ownName);
    native.close(layer);
    const used = 'data' in content ? parse(host.decode(content.data, content.data.length)) : undefined;
    if (!used || used.boot === boot) continue;
    const r = native.removeTree(all, name);
    if (r < 0)
      user.warn?.(
        `the layer ${name} of container ${used.id}, from before the last boot, was not removed (errno ${-r})`,
      );
  }
  native.replaceFile(all, sweptName, 0o600, host.encode(boot));
}

/** Removes fresh layers; a missing one is not an error. @throws RuntError ERR_LAYER */
export async function removeLayers(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const [directory, name] = splitLayer(path);
    const facts = { code: 'ERR_LAYER', message: `remove the layer ${path}`, path };
    const dir = native.openAt(AT_FDCWD, directory, O_PATH, 0);
    if (dir === -E.ENOENT) continue;
    const all = new OwnedFd(check(dir, facts));
    try {
      check(await callApart('removeTree', all.number, name), facts);
    } finally {
      all.close();
    }
  }
}
