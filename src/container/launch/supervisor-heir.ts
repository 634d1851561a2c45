/** The heir of a killed supervisor: its start by the next command that needs one, and the processes that it adopts. */

import { readCgroupFacts } from '../../cgroup/cgroup-facts.js';
import { LiveCgroups } from '../../cgroup/live-cgroups.js';
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { fdList } from '../../sys/fds.js';
import { native } from '../../sys/host.js';
import { processStat } from '../../sys/procfs.js';
import { type ChildKind, Protocol } from '../../sys/protocol.js';
import { firstReadable, now, readableOrPolled, sleep } from '../../sys/waiting/loop.js';
import { supervisorRetryPause } from '../../sys/waiting/time-limits.js';
import {
  type ExecKey,
  readRunning,
  recordedExecs,
  removeExit,
  removeUnfinished,
  splitStateDir,
  supervisorOf,
} from '../state/exit-records.js';
import { holdProcess, isAlive, recordProcess } from '../state/recorded-process.js';
import { withState } from '../state/state-directory.js';
import { type ContainerRecord, loadRecord, type RecordedProcess, withLock } from '../state/state-store.js';
import { saveRecord } from '../state/stored-files.js';
import { releaseMode } from './start-mode.js';
import { endSupervisor, maxTries, sendRequestOn, startSupervisor } from './supervisor.js';

/**
 * The container's supervisor. If it was killed, starts its heir first. Undefined if the container has ended.
 * @throws RuntError ERR_NO_CONTAINER, ERR_SUPERVISOR, ERR_PROCESS …
 */
export function ensureSupervisor(stateDir: string): Promise<RecordedProcess | undefined> {
  const [root, id] = splitStateDir(stateDir);
  // Of two concurrent callers, the second finds the first one's heir.
  return withLock(root, id, async () => {
    const record = loadRecord(root, id);
    if (!record.supervisor || record.status === 'creating') return undefined;
    if (isAlive(record.supervisor)) return record.supervisor;
    const init = openUnreaped(record);
    if (init < 0) return undefined;
    try {
      return await startHeir(root, record, init);
    } finally {
      native.close(init);
    }
  });
}

/**
 * A pidfd of a process, by pid and start time. It may be a zombie, whose exit status is still known. -1 if it does not
 * exist or a seccomp filter refuses pidfd_open(2).
 * @throws RuntError ERR_PROCESS
 */
export function openUnreaped({ pid, startTime }: RecordedProcess): number {
  const fd = pid === 0 ? -E.ESRCH : native.pidfdOpen(pid);
  if (fd === -E.ESRCH || fd === -E.ENOSYS) return -1;
  if (fd < 0) {
    throw new RuntError({ code: 'ERR_PROCESS', message: `open process ${pid}`, errno: -fd, syscall: 'pidfd_open' });
  }
  // Compare after the open: then the pidfd is that process's.
  try {
    if (processStat(pid)?.startTime === startTime) return fd;
  } catch (error) {
    native.close(fd);
    throw error;
  }
  native.close(fd);
  return -1;
}

async function startHeir(root: string, record: ContainerRecord, init: number): Promise<RecordedProcess> {
  const stateDir = `${root}/${record.id}`;
  withState(root, record.id, (dir) => native.unlinkAt(dir, Protocol.SUPERVISOR_SOCKET, 0));
  removeUnfinished(stateDir);
  const supervisor = await startSupervisor(stateDir, true);
  try {
    const sync = supervisor.channel.fd;
    for (const exec of recordedExecs(stateDir)) await passExec(stateDir, sync, exec);
    // Before it accepts requests: the next caller replaces an heir that did not get every process.
    record.supervisor = recordProcess(supervisor.pid);
    saveRecord(root, record);
    const answer = await watchProcess(sync, ['init', record.pid, ''], oomFileOf(record), init);
    check(answer, { code: 'ERR_SUPERVISOR', message: `give process ${record.pid} to a new supervisor` });
  } catch (error) {
    await endSupervisor(supervisor);
    throw error;
  }
  const heir = record.supervisor;
  releaseMode(supervisor);
  return heir;
}

/**
 * Passes on an exec that runs, or that ended with its record unread. Drops the record of one that ended unseen, or that
 * exceeds the heir's limit.
 */
async function passExec(stateDir: string, sync: number, exec: ExecKey): Promise<void> {
  let running: RecordedProcess | undefined;
  try {
    running = readRunning(stateDir, exec);
  } catch (error) {
    if (!(error instanceof RuntError) || error.code !== 'ERR_STATE_CORRUPT') throw error;
    // A damaged record must not keep the other execs from being passed on.
    removeExit(stateDir, exec);
    return;
  }
  if (!running) {
    await sendRequestOn(sync, [Protocol.UNREAD_REQUEST, exec.pid, exec.registeredAt], fdList([]));
    return;
  }
  const pidfd = openUnreaped(running);
  try {
    const answer = pidfd < 0 ? pidfd : await watchProcess(sync, ['exec', exec.pid, exec.registeredAt], '', pidfd);
    if (answer < 0) removeExit(stateDir, exec);
  } finally {
    if (pidfd >= 0) native.close(pidfd);
  }
}

/** @returns -errno when the heir cannot watch it */
async function watchProcess(
  sync: number,
  key: readonly [Exclude<ChildKind, 'successor'>, number, string],
  file: string,
  pidfd: number,
): Promise<number> {
  return (await sendRequestOn(sync, [Protocol.WATCH_REQUEST, ...key, file], fdList([pidfd]))).pid;
}

/** Same as `oomFile` of src/cgroup/cgroup-paths.ts, for an existing container. */
function oomFileOf({ cgroups, unit }: ContainerRecord): string {
  const facts = readCgroupFacts();
  const path = new LiveCgroups(facts, cgroups).directory('memory');
  if (path === undefined) return '';
  if (facts.layout !== 'v2') return `${path}/memory.oom_control`;
  return `${unit ? path.replace(`/${unit.name}`, `/./${unit.name}`) : path}/memory.events`;
}

/**
 * Waits until a process of the container has ended. Replaces a supervisor that is killed meanwhile, so that later
 * callers can still ask for the exit status.
 * @param timeout ms, -1 for no limit
 * @param early whether the caller no longer waits
 * @returns whether it has ended
 */
export async function awaitEnd(
  stateDir: string,
  pidfd: number,
  timeout = -1,
  early: { readonly ended: boolean } = { ended: false },
): Promise<boolean> {
  const end = now() + timeout;
  const rest = (): number => (timeout < 0 ? -1 : Math.max(0, end - now()));
  for (let tries = 0; tries < maxTries && !early.ended && native.isReadable(pidfd) === 0; tries++) {
    const supervisor = supervisorOf(stateDir);
    const process = supervisor && holdProcess(supervisor);
    if (!process) {
      try {
        if (!(await ensureSupervisor(stateDir))) break;
      } catch {
        // The heir was killed too, or cannot start. This process can still observe the end itself.
        await sleep(supervisorRetryPause);
      }
      continue;
    }
    try {
      if (process.fd < 0 || (await firstReadable([pidfd, process.fd], rest())) !== 1) break;
    } finally {
      process.close();
    }
  }
  return readableOrPolled(pidfd, early.ended ? 0 : rest());
}
