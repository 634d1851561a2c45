/** `restore`: a container whose processes criu restores from image files, in surroundings made by the runtime. */

import { RuntError } from '../../sys/error.js';
import { exists } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import { explainFailure } from '../create.js';
import { endOf } from '../launch/child-end.js';
import { type CompiledBundle, compileBundle, forSystemd, systemdScope } from '../launch/compile-bundle.js';
import { newRecord } from '../state/new-record.js';
import { type ContainerRecord, checkId } from '../state/state-store.js';
import { interruptible, openSignals, waitForEnd } from '../stdio/foreground.js';
import type { Terminal } from '../stdio/foreground-terminal.js';
import { removeEnded } from '../teardown.js';
import { makeImageDirectory, openDirectory } from './criu-directory.js';
import { refuseUnrestorable } from './criu-external.js';
import { criuConfigFile } from './criu-options.js';
import { type FoundCriu, usableCriu } from './criu-process.js';
import { checkRoot, checkVersion } from './criu-program.js';
import { Restoration } from './restoration.js';
import type { RestoreOptions } from './restore-options.js';

/** @returns the exit status, or 128 + the signal; 0 if detached @throws RuntError after the undo */
export async function restore(o: RestoreOptions): Promise<number> {
  const what = `restore ${o.id}`;
  checkId(o.id);
  const compiled = await forSystemd(compileBundle(o, false, await systemdScope(o)));
  const { spec, facts } = compiled;
  checkRoot(what, facts.euid);
  refuseUnrestorable(what, spec);
  const criu = await usableCriu(what, o.criu);
  checkLabels(what, o, criu);
  let terminal: Terminal | undefined;
  const wanted = spec.process?.terminal === true;
  if (wanted || o.consoleSocket !== undefined) {
    const { checkConsole, Terminal } = await import('../stdio/foreground-terminal.js');
    checkConsole(what, wanted, o.consoleSocket, !o.detach);
    if (!o.detach) terminal = Terminal.ofCaller(what);
  }
  // Before the restore, so that no early signal is lost.
  const signals = o.detach ? -1 : openSignals(`restore ${o.id}`);
  if (!o.detach && !o.noSubreaper) native.setSubreaper(1);
  const restoration = new Restoration(what, o, compiled, recordOf(o, compiled), criu, terminal);
  try {
    await withDirectories(what, o, (imageFd, workFd) => {
      const configFile = criuConfigFile(spec.annotations, exists);
      return interruptible(what, signals, () =>
        explainFailure('restore', o.id, compiled, () => restoration.perform({ imageFd, workFd, configFile })),
      );
    });
    writePidFile(what, o, restoration.record.pid);
    if (o.detach) {
      if (restoration.pidfd >= 0) native.close(restoration.pidfd);
      return 0;
    }
    terminal?.relay();
    await waitForEnd({ pid: restoration.record.pid, pidfd: restoration.pidfd }, signals, terminal);
    const { status } = endOf(restoration.pidfd);
    await removeEnded('restore', o, restoration.record);
    return status;
  } catch (error) {
    await restoration.undo();
    throw error;
  } finally {
    terminal?.close();
  }
}

/** @throws RuntError ERR_CRIU_VERSION */
function checkLabels(what: string, o: RestoreOptions, { path, version }: FoundCriu): void {
  if (o.lsmProfile !== undefined) checkVersion(what, path, version, [3, 16], '--lsm-profile');
  if (o.lsmMountContext !== undefined) checkVersion(what, path, version, [3, 16], '--lsm-mount-context');
}

async function withDirectories(
  what: string,
  o: RestoreOptions,
  f: (imageFd: number, workFd: number) => Promise<void>,
): Promise<void> {
  const imageFd = openDirectory(what, '--image-path', o.imagePath);
  let workFd = -1;
  try {
    if (o.workPath !== undefined) makeImageDirectory(o.workPath);
    workFd = openDirectory(what, '--work-path', o.workPath ?? o.imagePath);
    await f(imageFd, workFd);
  } finally {
    for (const fd of [imageFd, workFd]) if (fd >= 0) native.close(fd);
  }
}

function recordOf(o: RestoreOptions, compiled: CompiledBundle): ContainerRecord {
  // criu makes no keyring: the processes use the caller's.
  return { ...newRecord(o, compiled), noNewKeyring: true };
}

function writePidFile(what: string, { pidFile }: RestoreOptions, pid: number): void {
  if (pidFile === undefined) return;
  const r = native.replaceFile(AT_FDCWD, pidFile, 0o644, host.encode(String(pid)));
  if (r >= 0) return;
  throw new RuntError({ code: 'ERR_IO', message: `${what}: write the pid file ${pidFile}`, path: pidFile, errno: -r });
}
