/** `start`: the word to a created container (runtime.md#start). */
import { stopped } from '../cgroup/freezer.js';
import { E } from '../sys/errno.js';
import { check, RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, O_CREAT, O_TRUNC } from '../sys/linux.js';
import { connectAt } from '../sys/sockets/connect-deadline.js';
import { Reports } from './launch/init-channel.js';
import { openProcess, statusOf } from './state/recorded-process.js';
import { openState } from './state/state-directory.js';
import { type ContainerRecord, load, locked, startSocket } from './state/state-store.js';
import type { Notify } from './stdio/notify-socket.js';

export interface StartOptions {
  readonly root: string;
  readonly id: string;
  readonly trace?: string;
  /** Address of a service manager's socket (NOTIFY_SOCKET), which is told when the process is ready. */
  readonly notifySocket?: string;
  /** Takes what a poststop hook that failed says. */
  readonly warn?: (sentence: string) => void;
}

/** @throws RuntError ERR_NO_CONTAINER, ERR_CONTAINER_STATUS, ERR_EXEC … with why the process could not be executed */
export async function start(o: StartOptions): Promise<void> {
  if (!o.notifySocket) {
    await begin(o);
    return;
  }
  const { notifyOf } = await import('./stdio/notify-socket.js');
  let notify: Notify | undefined;
  let pidfd = -1;
  try {
    const record = await begin(o, (record) => {
      notify = notifyOf(`${o.root}/${o.id}`, o.notifySocket as string);
      // Before it runs: what cannot be waited for is not started.
      if (notify) pidfd = openProcess(record);
    });
    if (pidfd >= 0) await notify?.forward(record.pid, pidfd);
  } finally {
    notify?.close();
    if (pidfd >= 0) native.close(pidfd);
  }
}

/** Says start and waits for the execve. `prepare` is called, under the lock, before. */
async function begin(o: StartOptions, prepare?: (record: ContainerRecord) => void): Promise<ContainerRecord> {
  const { record, started } = await locked(o.root, o.id, async () => {
    const record = load(o.root, o.id);
    const status = statusOf(o.root, record);
    if (status !== 'created' || stopped(record.cgroups)) {
      throw (await import('./failure/start-failure.js')).notStarted(record, status);
    }
    prepare?.(record);
    const times = [native.monotonic()];
    const dir = openState(o.root, o.id);
    const connection = dir < 0 ? dir : await connectAt(dir, startSocket);
    if (connection < 0) {
      if (dir >= 0) native.close(dir);
      if (connection === -E.ECONNREFUSED)
        throw (await import('./failure/start-failure.js')).startedBefore(o.root, record);
      throw new RuntError({
        code: 'ERR_STATE',
        message: `start ${o.id}: connect to the start socket`,
        errno: -connection,
      });
    }
    const finish = async () => {
      try {
        if (!(await awaitExec(o, connection, record, times))) {
          throw await (await import('./failure/start-failure.js')).notHeard(o.root, record);
        }
        native.unlinkAt(dir, startSocket, 0);
      } finally {
        native.close(dir);
        native.close(connection);
      }
      if (o.trace !== undefined) await writeTrace(o.trace, times);
    };
    // The lock is not held while hooks run: they take what time they like.
    if (record.hooks?.startContainer) return { record, started: finish };
    await finish();
    return { record, started: async () => {} };
  });
  if (!record.hooks) return record;
  const { startWithHooks } = await import('./hooks/start-hooks.js');
  await startWithHooks(o, record, started);
  return record;
}

/** The container runs by now: a trace that cannot be written is an error that leaves it running. */
async function writeTrace(path: string, times: readonly bigint[]): Promise<void> {
  const { traceJson } = await import('../plan/explain/plan-trace.js');
  const names = ['connect to the start socket', 'prepare the process', 'execve'];
  const spans = names.map((name, i) => ({ name, start: times[i] as bigint, end: times[i + 1] as bigint }));
  const text = host.encode(traceJson({ version: 1, ops: [] }, [], spans));
  const r = native.writeFile(AT_FDCWD, path, O_CREAT | O_TRUNC, 0o644, text);
  check(r, { code: 'ERR_IO', message: `write the trace ${path}`, path });
}

/** `exec`, then the end of the connection, is success; false when it ends without a word. */
async function awaitExec(
  { root, warn }: StartOptions,
  connection: number,
  record: ContainerRecord,
  times: bigint[],
): Promise<boolean> {
  times.push(native.monotonic());
  const reports = new Reports(connection);
  let said = false;
  for (;;) {
    const report = await reports.next();
    if (report.kind === 'exec') {
      said = true;
      times.push(native.monotonic());
    }
    if (report.kind === 'listener') {
      const { handOver } = await import('./launch/handlers/seccomp-agent.js');
      handOver(reports, report, { record, status: 'created', pid: record.pid });
    }
    if (report.kind === 'slow') {
      const { hookIsSlow, hookNamed } = await import('./hooks/hook-failure.js');
      warn?.(hookIsSlow(`start ${record.id}`, report.hook, hookNamed(record.hooks, report.hook)));
    }
    if (report.kind === 'error') {
      const { execFailed } = await import('./failure/start-failure.js');
      throw execFailed(root, record, report);
    }
    if (report.kind === 'eof') {
      times.push(native.monotonic());
      return said;
    }
  }
}
