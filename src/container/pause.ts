/** `pause` and `resume` of all processes of a container, by its cgroups' freezer. */

import { type Freezer, freezerOf, freezerState, setFreezer } from '../cgroup/freezer.js';
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { tryReadText } from '../sys/fs.js';
import { now, sleep } from '../sys/waiting/loop.js';
import { freezeRetryInterval, freezeTime, longestFreezerPause } from '../sys/waiting/time-limits.js';
import { isAlive, statusOf } from './state/recorded-process.js';
import { type ContainerRecord, loadRecord, type Status, withLock } from './state/state-store.js';

interface PauseOptions {
  readonly root: string;
  readonly id: string;
}

/** @throws RuntError ERR_NO_CONTAINER, ERR_CONTAINER_STATUS, ERR_CGROUP */
export function pause(o: PauseOptions): Promise<void> {
  return withLock(o.root, o.id, async () => {
    const record = loadRecord(o.root, o.id);
    const status = statusOf(o.root, record);
    if (status !== 'running' && status !== 'created') {
      throw statusError(o.id, 'running', status);
    }
    const freezer = freezerFor('pause', o.id, record.cgroups);
    await orEnded(record, 'running', async () => {
      let isFrozen = false;
      try {
        // The process may have ended since its status was read: an empty cgroup freezes too.
        isFrozen = (await setAndAwait('pause', o.id, freezer, freezer.frozen)) && isAlive(record);
      } finally {
        if (!isFrozen) setFreezer(freezer, freezer.thawed);
      }
      if (isFrozen) return;
      throw new RuntError({
        code: 'ERR_CGROUP',
        message: `pause ${o.id}: its processes do not freeze`,
        path: freezer.file,
        errno: E.ETIMEDOUT,
        hint: `find the process that hangs in the kernel (state D in ps): it did not freeze within ${freezeTime / 1000} s, and runt thawed the container`,
        see: 'cgroups(7)',
      });
    });
  });
}

const statusError = (id: string, wanted: 'running' | 'paused', status: Status): RuntError =>
  new RuntError({ code: 'ERR_CONTAINER_STATUS', message: `container not ${wanted}: ${id} is ${status}` });

/** Performs `work`. If it fails and the process has ended, that is the error: with it the cgroups may have vanished. */
async function orEnded(
  record: ContainerRecord,
  wanted: 'running' | 'paused',
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw isAlive(record) ? error : statusError(record.id, wanted, 'stopped');
  }
}

/** @throws RuntError ERR_NO_CONTAINER, ERR_CONTAINER_STATUS, ERR_CGROUP */
export function resume(o: PauseOptions): Promise<void> {
  return withLock(o.root, o.id, async () => {
    const record = loadRecord(o.root, o.id);
    const status = statusOf(o.root, record);
    if (status !== 'paused') {
      throw statusError(o.id, 'paused', status);
    }
    const freezer = freezerFor('resume', o.id, record.cgroups);
    await orEnded(record, 'paused', async () => {
      const { frozenAncestor, frozenError } = await import('../cgroup/frozen-ancestor.js');
      if (frozenAncestor(parentOf(freezer.directory)) !== undefined) {
        setFreezer(freezer, freezer.thawed);
        throw frozenError(`resume ${o.id}: its processes stay frozen`, freezer.directory);
      }
      if (await setAndAwait('resume', o.id, freezer, freezer.thawed)) return;
      throw new RuntError({
        code: 'ERR_CGROUP',
        message: `resume ${o.id}: its processes stay frozen`,
        path: freezer.file,
        errno: E.ETIMEDOUT,
        hint: `write ${freezer.thawed} to ${freezer.file} yourself, and read it: the kernel has not applied it within ${freezeTime / 1000} s`,
        see: 'cgroups(7)',
      });
    });
  });
}

function freezerFor(command: string, id: string, directories: readonly string[]): Freezer {
  const freezer = freezerOf(directories);
  if (freezer) return freezer;
  if (directories.length > 0) {
    throw new RuntError({
      code: 'ERR_CGROUP',
      message: `${command} ${id}: none of the container's cgroups has a freezer`,
      hint: 'mount the freezer controller (cgroup v1), or cgroup v2, before the container is created',
      see: 'cgroups(7)',
    });
  }
  throw new RuntError({
    code: 'ERR_CGROUP',
    message: `${command} ${id}: the container has no cgroup, and so no freezer`,
    hint: 'create the container without --cgroup-manager disabled, and, if it is rootless, delegate a cgroup to the user first',
    see: 'cgroups(7)',
  });
}

/** Writes the state and waits until the kernel has applied it; false after the deadline. */
async function setAndAwait(command: string, id: string, freezer: Freezer, word: string): Promise<boolean> {
  const write = () => {
    const r = setFreezer(freezer, word);
    if (r === 0) return;
    throw new RuntError({
      code: 'ERR_CGROUP',
      message: `${command} ${id}: write "${word}" to ${freezer.file}`,
      path: freezer.file,
      errno: -r,
      syscall: 'write',
    });
  };
  write();
  const end = now() + freezeTime;
  for (let pause = 1, written = now(); !isSettled(freezer, word); pause = Math.min(2 * pause, longestFreezerPause)) {
    if (now() >= end) return false;
    await sleep(pause);
    if (freezer.v2 || now() - written < freezeRetryInterval) continue;
    // Let the processes run between two writes: one that waits for another would keep both from freezing.
    if (word === freezer.frozen) setFreezer(freezer, freezer.thawed);
    write();
    written = now();
  }
  return true;
}

function isSettled(freezer: Freezer, word: string): boolean {
  if (!freezer.v2) return freezerState(freezer) === word;
  const line = (tryReadText(`${freezer.directory}/cgroup.events`) ?? '')
    .split('\n')
    .find((l) => l.startsWith('frozen '));
  return line === undefined ? freezerState(freezer) === word : line === `frozen ${word}`;
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';
