/** Task records of `runt serve`, in the state directories of the containers. */
import { statusOf, thisProcess } from '../../container/state/recorded-process.js';
import { loadRecord } from '../../container/state/state-store.js';
import type { Publisher } from '../containerd/event-publisher.js';
import type { RuntimeOptions } from '../containerd/runtime-options.js';
import { log } from '../shim-log.js';
import type { Streams } from '../streams/stdio-streams.js';
import { claimId, releaseId, removeAllUnfinished } from './creation-claims.js';
import { recordsLeft, type ServerRecord, storeRecord } from './server-records.js';
import { Task, type TaskOptions, type TaskRecords } from './task.js';
import { Process } from './task-process.js';

interface TaskRecord extends ServerRecord {
  readonly terminal: boolean;
  readonly streams: Streams;
  readonly options: RuntimeOptions;
}

const file = 'task.json';

/** Records of tasks on disk. containerd's shim needs none: a new shim serves another container. */
export const taskRecords: TaskRecords = {
  begin: ({ root, id, bundle, rootfs }, mounts) => claimId(root, id, bundle, mounts ? rootfs : ''),
  created(task) {
    storeTask(task);
    releaseId(task.root, task.id);
  },
  end: ({ root, id }) => releaseId(root, id),
};

/** Records a task whose container exists, so that a restarted server can adopt it. @throws RuntError ERR_STATE */
function storeTask({ root, id, init, options }: Task): void {
  const { terminal, streams } = init;
  const record: TaskRecord = { version: 1, server: thisProcess(), terminal, streams, options };
  storeRecord(root, id, file, record, { code: 'ERR_STATE', message: `record the task ${id} in ${root}/${id}/${file}` });
}

/**
 * Adopts every task below `root` whose server has exited, and removes those that it was creating. Logs and skips
 * unreadable records.
 * @param publisherOf where the events of a container go
 */
export async function adoptTasks(
  root: string,
  publisherOf: (id: string) => Publisher,
  { debug, keeper }: Pick<TaskOptions, 'debug' | 'keeper'>,
): Promise<readonly Task[]> {
  await removeAllUnfinished(root);
  const tasks: Task[] = [];
  for (const [id, record] of recordsLeft<TaskRecord>(root, file)) {
    try {
      tasks.push(await adoptTask(root, id, record, { publisher: publisherOf(id), debug, ...(keeper && { keeper }) }));
    } catch (error) {
      log(id, error);
    }
  }
  return tasks;
}

async function adoptTask(
  root: string,
  id: string,
  record: TaskRecord,
  { publisher, debug, keeper }: TaskOptions,
): Promise<Task> {
  const container = loadRecord(root, id);
  const init = new Process('', record.terminal, record.streams);
  const task = new Task(root, id, container.bundle, publisher, record.options, debug, init, '', taskRecords, keeper);
  task.isAdopted = true;
  const status = statusOf(root, container);
  init.started = status !== 'created';
  task.paused = status === 'paused';
  storeTask(task);
  const kept = task.kept('');
  if (kept) await init.adoptStreams(kept);
  await task.execs.adopt();
  task.watchInit();
  // The exit record exists already, or the exit status is lost.
  if (status === 'stopped') await init.waitForEnd();
  return task;
}
