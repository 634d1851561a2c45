/**
 * Claims of the containers that a server is creating, in `<root>/.creating/<id>`: if it is killed meanwhile, its client
 * has no answer, and the next server removes what there is.
 */
import { remove } from '../../container/delete.js';
import { isAlive, thisProcess } from '../../container/state/recorded-process.js';
import { entryText, openBelow, openRoot, withState } from '../../container/state/state-directory.js';
import { type ContainerRecord, isEntry, loadRecord } from '../../container/state/state-store.js';
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { listDir } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { AT_REMOVEDIR, O_CREAT, O_EXCL } from '../../sys/linux.js';
import { log } from '../shim-log.js';
import { unmountRootfs } from './rootfs-mounts.js';
import type { ServerRecord } from './server-records.js';

interface Claim extends ServerRecord {
  /** Absolute path; another container with the id has another one. */
  readonly bundle: string;
  /** The root file system that the server mounts; empty for none. */
  readonly rootfs: string;
}

/** An id does not begin with a dot. */
const directory = '.creating';

/** Calls `f` with the directory of all claims; -errno if it is missing. */
function withClaims<T>(root: string, make: boolean, f: (dir: number) => T): T {
  const parent = openRoot(root, make);
  if (make && parent >= 0) native.mkdirAt(parent, directory, 0o700);
  const dir = parent < 0 ? parent : openBelow(parent, directory, `${root}/${directory}`);
  try {
    return f(dir);
  } finally {
    if (dir >= 0) native.close(dir);
  }
}

/**
 * Claims an id, before anything of its container is made.
 * @param bundle its absolute path @param rootfs the root file system that the caller mounts; empty for none
 * @throws RuntError ERR_CONTAINER_EXISTS, ERR_STATE
 */
export async function claimId(root: string, id: string, bundle: string, rootfs: string): Promise<void> {
  const exists = new RuntError({
    code: 'ERR_CONTAINER_EXISTS',
    message: `container with given ID already exists: ${id}`,
  });
  const claim: Claim = { version: 1, server: thisProcess(), bundle, rootfs };
  const text = host.encode(JSON.stringify(claim));
  const write = (): number =>
    withClaims(root, true, (dir) => (dir < 0 ? dir : native.writeFile(dir, id, O_CREAT | O_EXCL, 0o600, text)));
  for (;;) {
    const earlier = readClaim(root, id);
    if (earlier && isAlive(earlier.server)) throw exists;
    if (earlier) await removeUnfinished(root, id, earlier);
    if (withState(root, id, (dir) => dir !== -E.ENOENT)) throw exists;
    const r = write();
    // ENOENT: another server has removed the empty directory; EEXIST: it has claimed the id.
    if (r === -E.ENOENT || r === -E.EEXIST) continue;
    const path = `${root}/${directory}/${id}`;
    check(r, { code: 'ERR_STATE', message: `claim the id in ${path}`, path });
    return;
  }
}

/** Ends a claim: the container is recorded, or nothing is left of it. */
export function releaseId(root: string, id: string): void {
  withClaims(root, false, (dir) => dir >= 0 && native.unlinkAt(dir, id, 0));
  removeEmptyDirectory(root);
}

/** Keeps the directory if it has claims. */
function removeEmptyDirectory(root: string): void {
  native.unlinkAt(openRoot(root), directory, AT_REMOVEDIR);
}

/** Removes the containers below a root whose server was killed while it created them. Logs what cannot be removed. */
export async function removeAllUnfinished(root: string): Promise<void> {
  const ids = withClaims(root, false, (dir) => (dir < 0 ? [] : listDir('.', dir)));
  for (const id of ids) {
    try {
      const claim = readClaim(root, id);
      if (claim && !isAlive(claim.server)) await removeUnfinished(root, id, claim);
    } catch (error) {
      log(id, error);
    }
  }
  removeEmptyDirectory(root);
}

/** A claim; undefined for none. A server that was killed while it wrote one had made nothing else. */
function readClaim(root: string, id: string): Claim | undefined {
  const text = withClaims(root, false, (dir) => (dir < 0 || !isEntry(dir, id) ? undefined : entryText(dir, id)));
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Claim;
  } catch {
    return { version: 1, server: { pid: 0, startTime: '' }, bundle: '', rootfs: '' };
  }
}

async function removeUnfinished(root: string, id: string, claim: Claim): Promise<void> {
  const warn = (sentence: string): void => log(id, sentence);
  if (isMadeUnder(claim, root, id)) {
    warn('its server was killed while it created the container: it is removed');
    await remove({ root, id, force: true, warn });
  }
  if (claim.rootfs) unmountRootfs(claim.rootfs);
  releaseId(root, id);
}

/** Whether there is a container of this claim: the id was free when the claim was made. */
function isMadeUnder({ server, bundle }: Claim, root: string, id: string): boolean {
  let record: ContainerRecord;
  try {
    record = loadRecord(root, id);
  } catch (error) {
    if (!(error instanceof RuntError)) throw error;
    // Without a record only the directory was made.
    if (error.code === 'ERR_STATE_CORRUPT') return true;
    if (error.code === 'ERR_NO_CONTAINER') return false;
    throw error;
  }
  const { creator } = record;
  if (creator) return creator.pid === server.pid && creator.startTime === server.startTime;
  return record.bundle === bundle;
}
