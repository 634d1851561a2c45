/** `start`: tells a created container to run its process (runtime.md#start). */
import { isFrozenOrFreezing } from '../cgroup/freezer.js';
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { O_CREAT, O_EXCL } from '../sys/linux.js';
import { connectAt } from '../sys/sockets/connect-deadline.js';
import type { HookPosition } from './hooks/hook-failure.js';
import { Conversation, type ReportHandlers } from './launch/conversation.js';
import { InitChannel } from './launch/init-channel.js';
import { openProcess, statusOf } from './state/recorded-process.js';
import { openState } from './state/state-directory.js';
import { type ContainerRecord, loadRecord, startSocket, startTimeFile, withLock } from './state/state-store.js';
import type { Notify } from './stdio/notify-socket.js';

export interface StartOptions {
  readonly root: string;
  readonly id: string;
  readonly trace?: string;
  /** Address of the service manager's socket (NOTIFY_SOCKET), which receives the process's readiness. */
  readonly notifySocket?: string;
  /** Receives failures of poststop hooks. */
  readonly warn?: (sentence: string) => void;
}

/** @throws RuntError ERR_NO_CONTAINER, ERR_CONTAINER_STATUS, ERR_EXEC … with the reason */
export async function start(o: StartOptions): Promise<void> {
  if (!o.notifySocket) {
    await startCreated(o);
    return;
  }
  const { notifyOf } = await import('./stdio/notify-socket.js');
  let notify: Notify | undefined;
  let pidfd = -1;
  try {
    const record = await startCreated(o, (record) => {
      notify = notifyOf(`${o.root}/${o.id}`, o.notifySocket as string);
      // Before it runs: do not start a process that cannot be waited for.
      if (notify) pidfd = openProcess(record);
    });
    if (pidfd >= 0) await notify?.forward(record.pid, pidfd);
  } finally {
    notify?.close();
    if (pidfd >= 0) native.close(pidfd);
  }
}

/** Starts the process and waits for the execve. Calls `prepare` first, under the lock. */
async function startCreated(o: StartOptions, prepare?: (record: ContainerRecord) => void): Promise<ContainerRecord> {
  const { record, started } = await withLock(o.root, o.id, async () => {
    const record = loadRecord(o.root, o.id);
    if (statusOf(o.root, record, isFrozenOrFreezing) !== 'created')
      throw (await import('./failure/start-failure.js')).notStartedError(record, statusOf(o.root, record));
    prepare?.(record);
    const times = [native.monotonic()];
    const dir = openState(o.root, o.id);
    if (record.supervisor) noteStart(dir);
    const connection = dir < 0 ? dir : await connectAt(dir, startSocket);
    if (connection < 0) {
      if (dir >= 0) native.close(dir);
      if (connection === -E.ECONNREFUSED)
        throw await (await import('./failure/start-failure.js')).startedBeforeError(o.root, record);
      throw new RuntError({
        code: 'ERR_STATE',
        message: `start ${o.id}: connect to the start socket`,
        errno: -connection,
      });
    }
    const channel = new InitChannel(connection);
    const finish = async () => {
      try {
        await awaitExec(o, channel, record, times);
        native.unlinkAt(dir, startSocket, 0);
      } catch (error) {
        native.unlinkAt(dir, startTimeFile, 0);
        throw error;
      } finally {
        native.close(dir);
        channel.close();
      }
      if (o.trace !== undefined) await traceStart(o.id, o.trace, times);
    };
    // Release the lock while hooks run, which may take long.
    if (record.hooks?.startContainer) return { record, started: finish };
    await finish();
    return { record, started: async () => {} };
  });
  if (!record.hooks) return record;
  const { startWithHooks } = await import('./hooks/start-hooks.js');
  await startWithHooks(o, record, started);
  return record;
}

/**
 * Notes when the process is started, for the exit record. Before the execve: what ends at once must not end earlier.
 * Best effort, as its absence only leaves the time out; the time of an earlier start stays.
 */
function noteStart(dir: number): void {
  const time = host.encode(String(native.realtime()));
  if (dir >= 0) native.writeFile(dir, startTimeFile, O_CREAT | O_EXCL, 0o600, time);
}

/** If the trace cannot be written, this is an error, but the container keeps running. */
async function traceStart(id: string, path: string, times: readonly bigint[]): Promise<void> {
  const { writeTrace } = await import('./launch/trace-file.js');
  const names = ['connect to the start socket', 'prepare the process', 'execve'];
  const spans = names.map((name, i) => ({ name, start: times[i] as bigint, end: times[i + 1] as bigint }));
  writeTrace(`start ${id}`, path, { version: 1, ops: [] }, [], spans);
}

/**
 * Waits for runt-init's execve. If the channel closes before that, runt-init did not read the request.
 * @throws RuntError ERR_EXEC, ERR_HOOK, ERR_INIT_DIED …
 */
async function awaitExec({ root, warn }: StartOptions, channel: InitChannel, record: ContainerRecord, times: bigint[]) {
  const handlers: ReportHandlers<'starting' | 'executing'> = {
    exec: () => {
      times.push(native.monotonic());
    },
    // Ignored: create has written its trace.
    trace: () => {},
    slow: async (report) => {
      const { hookAt, slowHookWarning } = await import('./hooks/hook-failure.js');
      const position = report as HookPosition;
      warn?.(slowHookWarning(`start ${record.id}`, position, hookAt(record.hooks, position)));
    },
    error: async (report) => {
      throw (await import('./failure/start-failure.js')).execError(root, record, report);
    },
    eof: async (_report, state) => {
      if (state === 'starting')
        throw await (await import('./failure/start-failure.js')).closedConnectionError(root, record);
      times.push(native.monotonic());
    },
  };
  times.push(native.monotonic());
  await new Conversation(channel, handlers, 'starting').readUntil('ended');
}
