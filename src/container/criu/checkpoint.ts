/** `checkpoint`: the dump of a container's processes to image files by criu. */
import { type CgroupFacts, hierarchyDirectory } from '../../cgroup/cgroup-facts.js';
import { freezerOf } from '../../cgroup/freezer.js';
import {
  type AnnotationPolicy,
  annotationPolicy,
  findUnsafe,
  refuseDenied,
  unsafeSentence,
} from '../../plan/annotation-policy.js';
import type { Spec } from '../../spec/config-types.js';
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { exists, LONG_FILE, readLink, readText, stat, tryReadText, writeFile } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, O_CREAT, O_PATH, O_TRUNC, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '../../sys/linux.js';
import { remove } from '../delete.js';
import { withSubmounts } from '../launch/handlers/bind-submounts.js';
import { readHostFacts } from '../launch/read-host-facts.js';
import { openProcess, statusOf } from '../state/recorded-process.js';
import { type ContainerRecord, loadRecord, withLock } from '../state/state-store.js';
import { loadStoredSpec } from '../state/stored-spec.js';
import { checkOpen } from '../stdio/preserved-descriptors.js';
import {
  checkParent,
  descriptorsFile,
  makeImageDirectory,
  openDirectory,
  openPath,
  readLog,
} from './criu-directory.js';
import {
  bindMounts,
  cgroupMounts,
  externalNamespaces,
  fileKey,
  mountIdOf,
  mountLines,
  refuseUnrestorable,
} from './criu-external.js';
import type { DumpFlags } from './criu-flag-types.js';
import { Type } from './criu-messages.js';
import { criuConfigFile, dumpOptions, type External } from './criu-options.js';
import { Criu, type FoundCriu, refusalError, usableCriu } from './criu-process.js';
import { checkRoot } from './criu-program.js';

export interface CheckpointOptions extends DumpFlags {
  readonly root: string;
  readonly id: string;
  /** Absolute directory of the images. */
  readonly imagePath: string;
  /** Absolute directory of `dump.log`; the images' when absent. */
  readonly workPath?: string;
  /** `--criu`. */
  readonly criu?: string;
  /** Keep the state of a container that the checkpoint ends: the process that waits for its end deletes it. */
  readonly keepState?: boolean;
  /** Descriptor that receives a NUL byte when the lazy-pages server is ready. */
  readonly statusFd?: number;
  /** Same as in CreateOptions. */
  readonly unsafeAnnotations?: AnnotationPolicy;
  readonly warn: (sentence: string) => void;
}

/**
 * Writes the images. Then deletes the container, as runc does, unless it is to continue or its state to stay.
 * @throws RuntError ERR_CRIU*, ERR_CONTAINER_STATUS, ERR_UNSUPPORTED; the container continues then
 */
export async function checkpoint(o: CheckpointOptions): Promise<void> {
  const { root, id } = o;
  if (o.statusFd !== undefined) checkOpen(o.statusFd, '--status-fd', 'the caller opens it for writing');
  await withLock(root, id, () => dump(o));
  if (!o.leaveRunning && !o.preDump && !o.keepState) await remove({ root, id, force: true, warn: o.warn });
}

async function dump(o: CheckpointOptions): Promise<void> {
  const { root, id, imagePath } = o;
  const what = `checkpoint ${id}`;
  const record = loadRecord(root, id);
  const status = statusOf(root, record);
  if (status !== 'running' && status !== 'paused') {
    throw new RuntError({
      code: 'ERR_CONTAINER_STATUS',
      message: `Container cannot be checkpointed in ${status} state: ${id}`,
    });
  }
  const unsafe = findUnsafe(record.annotations, ['checkpoint']);
  if (unsafe.length > 0) {
    const policy = annotationPolicy(o.unsafeAnnotations);
    refuseDenied(unsafe, policy);
    if (policy === 'warn') for (const one of unsafe) o.warn(unsafeSentence(one));
  }
  const facts = readHostFacts('auto');
  checkRoot(what, facts.euid);
  const { spec } = loadStoredSpec(root, record);
  refuseUnrestorable(what, spec);
  const criu = await usableCriu(what, o.criu);
  const workPath = o.workPath ?? imagePath;
  for (const path of [imagePath, workPath]) makeImageDirectory(path);
  if (o.parentPath !== undefined) checkParent(what, imagePath, o.parentPath);

  const pidfd = openProcess(record);
  const opened = [pidfd];
  try {
    const imageFd = openDirectory(what, '--image-path', imagePath);
    opened.push(imageFd);
    const workFd = openDirectory(what, '--work-path', workPath);
    opened.push(workFd);
    const { external, descriptors } = externalOf(what, spec, record, facts.cgroup);
    const options = dumpOptions(
      o,
      {
        imageFd,
        workFd,
        pid: record.pid,
        rootfs: record.rootfs,
        freezer: freezerOf(record.cgroups)?.directory,
        configFile: criuConfigFile(record.annotations, exists),
      },
      external,
    );
    if (!o.preDump) writeFile(`${imagePath}/${descriptorsFile}`, JSON.stringify(descriptors), O_CREAT | O_TRUNC);
    await runCriu(what, o, criu, options, `${workPath}/dump.log`);
  } finally {
    for (const fd of opened) if (fd >= 0) native.close(fd);
  }
}

async function runCriu(
  what: string,
  o: CheckpointOptions,
  { path }: FoundCriu,
  options: ReturnType<typeof dumpOptions>,
  log: string,
): Promise<void> {
  const criu = Criu.start(what, path);
  try {
    const type = o.preDump ? Type.PRE_DUMP : Type.DUMP;
    const answer = await criu.call({ type, opts: options as never }, ({ script, fd }) => {
      if (fd >= 0) native.close(fd);
      // The reader of the status fd now copies the images and starts the restore.
      if (script === 'status-ready' && o.statusFd !== undefined) native.write(o.statusFd, new Uint8Array(1));
    });
    if (!answer.success) throw refusalError(what, path, answer, log, readLog(log));
  } finally {
    await criu.close();
  }
}

/** The container's external resources, and the targets of its descriptors 0 to 2. */
function externalOf(
  what: string,
  spec: Spec,
  record: ContainerRecord,
  cgroup: CgroupFacts,
): { external: External; descriptors: readonly string[] } {
  const proc = `/proc/${record.pid}`;
  const lines = new Map(mountLines(readText(`${proc}/mountinfo`, AT_FDCWD, LONG_FILE)).map((line) => [line.id, line]));
  const mounts: { key: string; val: string }[] = [];
  const root = openPath(`${proc}/root`);
  try {
    const shown = cgroup.v1.map((h) => ({ directory: hierarchyDirectory(h), source: '' }));
    const hierarchies = cgroup.layout === 'v2' ? [] : cgroupMounts(spec, shown);
    for (const bind of withSubmounts([...bindMounts(spec, record.bundle), ...hierarchies])) {
      const { point, shows } = lines.get(mountIdAt(root, bind.destination)) ?? { point: '/', shows: '' };
      // The container has unmounted it, or has mounted something there that is not the host's.
      if (point === '/' || ('shows' in bind && bind.shows !== shows)) continue;
      if ('ownMount' in bind && point !== bind.destination) continue;
      if (point.includes(']')) {
        throw new RuntError({
          code: 'ERR_UNSUPPORTED',
          message: `${what}: criu does not support a mount on a path with "]"`,
          pointer: `${bind.at}/destination`,
          value: bind.destination,
        });
      }
      if (!mounts.some((m) => m.key === point)) mounts.push({ key: point, val: bind.name });
    }
  } finally {
    if (root >= 0) native.close(root);
  }
  const ids = (spec.linux?.namespaces ?? []).flatMap(({ type, path }) => {
    const known = externalNamespaces[type];
    if (!path || !known) return [];
    const inode = /\[([0-9]+)\]/.exec(readLink(`${proc}/ns/${known.proc}`))?.[1];
    return [`${known.proc}[${inode}]:${known.key}`];
  });
  const descriptors = [0, 1, 2].map((n) => {
    // A closed descriptor has an empty entry.
    const mountId = mountIdOf(tryReadText(`${proc}/fdinfo/${n}`) ?? '');
    if (mountId === '') return '';
    const link = readLink(`${proc}/fd/${n}`);
    if (/^(?:pipe|socket):/.test(link) || lines.has(mountId)) return link;
    const key = fileKey(mountId, stat(`${proc}/fd/${n}`).ino);
    if (!ids.includes(key)) ids.push(key);
    return key;
  });
  return { external: { mounts, ids }, descriptors };
}

/** Id of the mount that a path of the container is on. */
function mountIdAt(root: number, path: string): string {
  const fd = native.openAt2(root, path, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  if (fd === -E.ENOENT || fd === -E.ENOTDIR) return '';
  check(fd, { code: 'ERR_CRIU', message: `open the mount on ${path}`, path, syscall: 'openat2' });
  const id = mountIdOf(tryReadText(`/proc/self/fdinfo/${fd}`) ?? '');
  native.close(fd);
  return id;
}
