/** Runs runt-layer, which unpacks archives (native/layer/). */
import { endKilled, endOf } from '../container/launch/child-end.js';
import { signalProcess } from '../container/state/recorded-process.js';
import type { EarlyEnd } from '../container/wait.js';
import { check, RuntError } from '../sys/error.js';
import { fdList, fdPair, OwnedFd } from '../sys/fds.js';
import { callApart, host, native } from '../sys/host.js';
import { AT_FDCWD, O_RDONLY, SIGKILL } from '../sys/linux.js';
import { nulList } from '../sys/nul-list.js';
import type { LayerErrorKind, LayerWarningKind } from '../sys/protocol.js';
import { readableOrPolled } from '../sys/waiting/loop.js';
import { readToEnd } from '../sys/waiting/read-to-end.js';
import { killedProcessTime } from '../sys/waiting/time-limits.js';

/** The most that an image may unpack to. */
export interface Limits {
  readonly bytes: number;
  readonly entries: number;
}

/** An archive to unpack. */
export interface Archive {
  readonly kind: 'layer' | 'archive';
  readonly fd: number;
  readonly size: number;
  /** 64 hexadecimal digits; absent if unknown. */
  readonly digest?: string;
  readonly diffId?: string;
}

/** Where it is unpacked. */
export interface Target {
  /** The root directory. */
  readonly root: number;
  /** The user namespace whose ids the files get; absent for this one. */
  readonly namespace?: number;
  /** Kills the program when the caller ends it. */
  readonly early?: EarlyEnd | undefined;
}

/** Something that was not unpacked as the archive has it. */
export interface LeftOut {
  readonly kind: LayerWarningKind;
  readonly errno: number;
  readonly count: number;
  /** The first one. */
  readonly path: string;
  readonly detail: string;
}

/** Why an archive was not unpacked. */
export class LayerFailed extends Error {
  constructor(
    readonly kind: LayerErrorKind,
    readonly errno: number,
    /** Name of the entry, '' for none. */
    readonly path: string,
    /** A system call, a digest, or the words of a library. */
    readonly detail: string,
  ) {
    super(`${kind} ${path} ${detail}`);
  }
}

interface Unpacked {
  readonly left: Limits;
  readonly warnings: readonly LeftOut[];
}

/** Fields of one report. */
const reportFields = 6;
/** The program ends after a few reports; more is not from it. */
const maxReport = 1 << 20;

/** @throws LayerFailed, RuntError ERR_IMAGE_PROGRAM, ERR_INTERRUPTED */
export async function unpack(archive: Archive, limits: Limits, target: Target): Promise<Unpacked> {
  const { kind, fd, size, digest = '', diffId = '' } = archive;
  const fields = await runLayerProgram(kind, fd, [size, digest, diffId, limits.bytes, limits.entries], target);
  const warnings: LeftOut[] = [];
  for (let at = 0; at + reportFields <= fields.length; at += reportFields) {
    const [group, kind, errno, count, path = '', detail = ''] = fields.slice(at, at + reportFields);
    if (group === 'done') return { left: { bytes: Number(path), entries: Number(detail) }, warnings };
    if (group === 'error') throw new LayerFailed(kind as LayerErrorKind, Number(errno), path, detail);
    warnings.push({ kind: kind as LayerWarningKind, errno: Number(errno), count: Number(count), path, detail });
  }
  throw failed('it ended without a report');
}

/** Removes what is in a directory, as root of the user namespace. @throws LayerFailed, RuntError ERR_IMAGE_PROGRAM */
export async function emptyDirectory(target: Target): Promise<void> {
  const fields = await runLayerProgram('empty', -1, [], target);
  const [group, kind, errno, , path = '', detail = ''] = fields;
  if (group === 'error') throw new LayerFailed(kind as LayerErrorKind, Number(errno), path, detail);
  if (group !== 'done') throw failed('it ended without a report');
}

const failed = (why: string, errno?: number): RuntError =>
  new RuntError({ code: 'ERR_IMAGE_PROGRAM', message: `bundle: run runt-layer: ${why}`, ...(errno && { errno }) });

/** Runs the program to its end. @returns the fields of its reports */
async function runLayerProgram(
  verb: string,
  blob: number,
  args: readonly (string | number)[],
  { root, namespace, early }: Target,
): Promise<string[]> {
  const opened: OwnedFd[] = [];
  const own = (fd: number, what: string): number => {
    if (fd < 0) throw failed(what, -fd);
    opened.push(new OwnedFd(fd));
    return fd;
  };
  try {
    const nothing = own(native.openAt(AT_FDCWD, '/dev/null', O_RDONLY, 0), 'open /dev/null');
    const program = own(native.layerProgram(), 'make an anonymous file of the program');
    const pair = new Uint8Array(16);
    check(native.pipe(pair), { code: 'ERR_IMAGE_PROGRAM', message: 'bundle: make a pipe', syscall: 'pipe2' });
    const [ours, theirs] = fdPair(pair);
    own(ours, '');
    const writer = new OwnedFd(theirs);
    opened.push(writer);
    // The program's descriptors 3 to 7 (native/layer/layer.h).
    const fds = fdList([blob < 0 ? nothing : blob, root, theirs, namespace ?? nothing, program]);
    const argv = nulList(['runt-layer', verb, native.pid(), ...args]);
    const pidfdOut = new Uint8Array(8);
    const pid = await callApart('spawnWith', '/proc/self/fd/7', argv, new Uint8Array(0), fds, pidfdOut);
    writer.close();
    if (pid < 0) throw failed('execute it', -pid);
    const pidfd = new DataView(pidfdOut.buffer).getInt32(0, true);
    if (early) early.wake = () => void signalProcess(pidfd, pid, SIGKILL);
    if (early?.ended) early.wake?.();
    let text: string;
    try {
      text = await readReports(ours);
      if (!(await readableOrPolled(pidfd, killedProcessTime))) throw failed('it does not end');
    } catch (error) {
      await endKilled(pidfd, pid);
      throw error;
    } finally {
      delete early?.wake;
    }
    const end = endOf(pidfd);
    native.close(pidfd);
    if (text === '') throw failed(`it ${end.description}`);
    return text.split('\0');
  } finally {
    for (const fd of opened) fd.close();
  }
}

/** All that is written to a pipe. No deadline: a layer takes as long as the disk does, and its size has a limit. */
async function readReports(pipe: number): Promise<string> {
  const all = await readToEnd(pipe, maxReport, { code: 'ERR_IMAGE_PROGRAM', message: 'bundle: read from runt-layer' });
  return host.decodeRaw(all, all.length);
}
