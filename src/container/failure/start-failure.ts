/** The errors of a `start`, from runt-init's report or its end without one; loaded on demand. */
import { findFrozen } from '../../cgroup/freezer.js';
import { frozenAncestor, frozenError } from '../../cgroup/frozen-ancestor.js';
import type { Spec } from '../../spec/config-types.js';
import { RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import { endAfterHangUp } from '../../sys/waiting/time-limits.js';
import { endsSoon } from '../state/ending-process.js';
import { storedOp } from '../state/plan-rest.js';
import { holdProcess, statusOf } from '../state/recorded-process.js';
import type { ContainerRecord } from '../state/state-store.js';
import { storedConfigPath } from '../state/stored-files.js';
import { opFailureError } from './op-failure.js';

/** The error of an operation that failed after `created`. It is looked up in the rest of the plan. */
export function execError(
  root: string,
  record: ContainerRecord,
  report: { readonly index: number; readonly errno: number; readonly syscall: string; readonly detail: string },
): RuntError {
  const kept = storedOp(root, record.id, report.index);
  if (!kept) {
    // Another runt created the container, or the file was damaged.
    const { errno, syscall, detail } = report;
    const message = `start ${record.id}: execute the process${detail && ` (${detail})`}`;
    return new RuntError({ code: 'ERR_EXEC', message, errno, syscall });
  }
  const { op } = kept;
  if (op.op === 'exec' && op.args.length === 0) {
    return new RuntError({
      code: 'ERR_SPEC_INVALID',
      message: `start ${record.id}: the config has no process`,
      pointer: '/process',
      hint: 'delete the container, and create it again with a process',
      see: 'runtime-spec runtime.md#start',
    });
  }
  return opFailureError('start', record.id, { ...kept, ...report }, readSpec(storedConfigPath(root, record)));
}

function readSpec(path: string): Spec | undefined {
  const buffer = new Uint8Array(4 << 20);
  const n = native.readFile(AT_FDCWD, path, buffer);
  try {
    return n > 0 ? (JSON.parse(host.decode(buffer, n)) as Spec) : undefined;
  } catch {
    return undefined;
  }
}

/** The error for a container that cannot be started: its status forbids it, or it would run in a frozen cgroup. */
export function notStartedError({ id, cgroups }: ContainerRecord, status: string): RuntError {
  const freezer = status === 'created' || status === 'paused' ? findFrozen(cgroups) : undefined;
  if (freezer && frozenAncestor(freezer.directory) !== freezer.directory)
    return frozenError(`start ${id}: the cgroup is frozen`, freezer.directory);
  const message =
    status === 'stopped'
      ? `cannot start a container that has stopped: ${id}`
      : status === 'running'
        ? `cannot start an already running container: ${id}`
        : `cannot start a container in the ${status} state: ${id}`;
  return new RuntError({
    code: 'ERR_CONTAINER_STATUS',
    message,
    ...(status === 'stopped' && { hint: 'delete it, and create it again: a container starts only once' }),
  });
}

/** The error when runt-init closed the connection without a report. */
export async function closedConnectionError(root: string, record: ContainerRecord): Promise<RuntError> {
  // It accepts one connection. Another start connected first: its hooks run, or it was killed after the connect.
  if (await isStillAlive(record)) return startedBeforeError(root, record);
  return new RuntError({
    code: 'ERR_INIT_DIED',
    message: `start ${record.id}: runt-init ended before it executed the process`,
    hint: 'look into dmesg: a signal killed it, or its cgroup is out of memory',
  });
}

/** Whether the process stays alive: one that ends may close its connection shortly before. */
async function isStillAlive(record: ContainerRecord): Promise<boolean> {
  const held = holdProcess(record);
  if (!held) return false;
  const ended = await held.waitForEnd(endAfterHangUp);
  held.close();
  return !ended && !(await endsSoon(record));
}

/** The error after another start: runt-init accepts no more connections. One that was killed accepts none either. */
export async function startedBeforeError(root: string, record: ContainerRecord): Promise<RuntError> {
  const status = (await endsSoon(record)) ? 'stopped' : statusOf(root, record);
  return notStartedError(record, status === 'created' ? 'starting' : status);
}
