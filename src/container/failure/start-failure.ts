/** Why a created container could not execute its process: what runt-init reports, as an error. Loaded by need. */
import { stopped } from '../../cgroup/freezer.js';
import { frozenBy, frozenError } from '../../cgroup/frozen-ancestor.js';
import type { Op } from '../../plan/plan-ops.js';
import type { Spec } from '../../spec/config-types.js';
import { RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import { endAfterHangUp } from '../../sys/waiting/time-limits.js';
import { hookFailedInside, hookNamed } from '../hooks/hook-failure.js';
import { holdProcess, statusOf } from '../state/recorded-process.js';
import { type ContainerRecord, keptConfig } from '../state/state-store.js';
import { failure } from './op-failure.js';

/** What fails when the seccomp filter is loaded, and in no exec (native/init/seccomp/seccomp.c). */
const loading: readonly string[] = ['seccomp', 'clone', 'pipe2', 'sigaction', 'sendmsg'];

/** The plan is not kept: after `wait` it is the exec that fails; the config that was kept is read for the value, on this way only. */
export function execFailed(
  root: string,
  record: ContainerRecord,
  report: { errno: number; syscall: string; detail: string },
): RuntError {
  if (report.syscall === 'hook') {
    return hookFailedInside(`start ${record.id}`, report, (name) => hookNamed(record.hooks, name));
  }
  const spec = readSpec(keptConfig(root, record));
  if (spec && !spec.process) {
    return new RuntError({
      code: 'ERR_SPEC_INVALID',
      message: `start ${record.id}: the config has no process`,
      pointer: '/process',
      hint: 'the container can be deleted, and created again with a process',
      see: 'runtime-spec runtime.md#start',
    });
  }
  const args = spec?.process?.args ?? [];
  const op: Op = loading.includes(report.syscall)
    ? { op: 'seccomp', at: '/linux/seccomp', slot: -1, flags: 0, late: true, agent: '', metadata: '', summary: '' }
    : { op: 'exec', at: '/process/args', args, env: spec?.process?.env ?? [], homeOf: -1 };
  return failure('start', record.id, { op, ...report }, spec);
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

/** Why a container with this status, or one that would run in a frozen cgroup, is not started. */
export function notStarted({ id, cgroups }: ContainerRecord, status: string): RuntError {
  const freezer = status === 'created' || status === 'paused' ? stopped(cgroups) : undefined;
  if (freezer && frozenBy(freezer.directory) !== freezer.directory)
    return frozenError(`start ${id}: the cgroup is frozen`, freezer.directory);
  const message =
    status === 'stopped'
      ? `cannot start a container that has stopped: ${id}`
      : status === 'running'
        ? `cannot start an already running container: ${id}`
        : `cannot start a container in the ${status} state: ${id}`;
  return new RuntError({ code: 'ERR_CONTAINER_STATUS', message });
}

/** Why runt-init closed the connection without a report. */
export async function notHeard(root: string, record: ContainerRecord): Promise<RuntError> {
  // It serves one connection. Another start's was the first: its hooks are running, or it was killed right after it
  // connected.
  if (await stays(record)) return startedBefore(root, record);
  return new RuntError({
    code: 'ERR_INIT_DIED',
    message: `start ${record.id}: runt-init ended before it executed the process`,
    hint: 'it was killed, by a signal or because its cgroup is out of memory',
  });
}

/** Whether the process is there and does not end in a moment: one that is killed closes its connection a little before. */
async function stays(record: ContainerRecord): Promise<boolean> {
  const held = holdProcess(record);
  const ended = await held?.ended(endAfterHangUp);
  held?.close();
  return ended === false;
}

/** The error for a container that another start has started: runt-init takes no more connections. */
export function startedBefore(root: string, record: ContainerRecord): RuntError {
  const status = statusOf(root, record);
  return notStarted(record, status === 'created' ? 'starting' : status);
}
