/** Exit status of a child of this process. */
import type { Spec } from '../../spec/config-types.js';
import { RuntError } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { CLD_EXITED, SIGKILL, SIGSYS } from '../../sys/linux.js';
import { readableOrPolled } from '../../sys/waiting/loop.js';
import { killedProcessTime } from '../../sys/waiting/time-limits.js';
import { signalProcess } from '../state/recorded-process.js';

export class ProcessEnd {
  constructor(
    /** Exit status as in a shell: the code, or 128 + signal. */
    readonly status: number,
    /** The signal that killed it; 0 if it exited. */
    readonly signal: number,
  ) {}

  /** As the predicate of a sentence. */
  get description(): string {
    return this.signal ? `was killed by signal ${this.signal}` : `exited with status ${this.status}`;
  }

  /** The error for a runt-init that ended without a report. */
  async unexpectedError(command: string, id: string, spec: Spec): Promise<RuntError> {
    const { linux } = spec;
    const memoryLimit = linux?.resources?.memory?.limit;
    const killed = this.signal === SIGKILL;
    return new RuntError({
      code: 'ERR_INIT_DIED',
      message: `${command} ${id}: runt-init ${this.description} before the container was ready`,
      ...(killed && {
        hint:
          memoryLimit === undefined
            ? 'look into dmesg: runt did not send the signal that killed it'
            : `raise memory.limit, which is ${memoryLimit}: the kernel kills a process when its cgroup is out of memory`,
        ...(memoryLimit !== undefined && { pointer: '/linux/resources/memory/limit', value: memoryLimit }),
      }),
      ...(this.signal === SIGSYS && {
        hint: (await import('../../plan/seccomp/seccomp-hints.js')).killedInitHint(spec),
        ...(linux?.seccomp && { pointer: '/linux/seccomp' }),
      }),
    });
  }
}

/** Reaps the ended child behind a pidfd. Status 255 if it still runs or is not our child. */
export const endOf = (pidfd: number): ProcessEnd => childEnd(pidfd) ?? new ProcessEnd(255, 0);

/** Reaps the ended child behind a pidfd; undefined if it still runs or is not our child. */
export function childEnd(pidfd: number): ProcessEnd | undefined {
  const out = new Uint8Array(16);
  if (native.waitPidfd(pidfd, out) !== 1) return undefined;
  const view = new DataView(out.buffer);
  const code = view.getInt32(0, true);
  const status = view.getInt32(8, true);
  return code === CLD_EXITED ? new ProcessEnd(status, 0) : new ProcessEnd(128 + status, status);
}

/** Kills the process behind a pidfd, reaps it and closes the pidfd. @throws RuntError ERR_PROCESS */
export async function endKilled(pidfd: number, pid: number): Promise<void> {
  signalProcess(pidfd, pid, SIGKILL);
  const ended = await readableOrPolled(pidfd, killedProcessTime);
  if (ended) childEnd(pidfd);
  native.close(pidfd);
  if (ended) return;
  throw new RuntError({ code: 'ERR_PROCESS', message: `process ${pid} was killed and does not end` });
}
