/**
 * The tasks of `runt serve`, written down beside the state of each container, so that a server that is started again knows those of
 * one that has ended. (containerd's shim has no need: a new one is another container's.)
 */
import { names } from '../../container/list.js';
import { isAlive, statusOf, thisProcess } from '../../container/state/recorded-process.js';
import { entryText, withState } from '../../container/state/state-directory.js';
import { load, type RecordedProcess } from '../../container/state/state-store.js';
import { check } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import type { Publisher } from '../containerd/event-publisher.js';
import type { RuntimeOptions } from '../containerd/runtime-options.js';
import { log } from '../shim-log.js';
import type { Streams } from './stdio-streams.js';
import { Task } from './task.js';
import { Process } from './task-process.js';

interface Kept {
  readonly version: 1;
  /** Whose it is, while that runs. */
  readonly server: RecordedProcess;
  readonly terminal: boolean;
  readonly streams: Streams;
  readonly options: RuntimeOptions;
}

const file = 'task.json';

/** Writes down a task whose container has just been made. @throws RuntError ERR_STATE */
export function keepTask({ root, id, init, options }: Task): void {
  const { terminal, streams } = init;
  const kept: Kept = { version: 1, server: thisProcess(), terminal, streams, options };
  const text = host.encode(JSON.stringify(kept));
  check(
    withState(root, id, (dir) => (dir < 0 ? dir : native.replaceFile(dir, file, 0o600, text))),
    { code: 'ERR_STATE', message: `write down the task ${id} in ${root}/${id}/${file}`, path: `${root}/${id}/${file}` },
  );
}

/** The tasks below a root that belong to no server which runs; they are this one's from now on. What cannot be used is told in the log. */
export async function keptTasks(root: string, publisher: Publisher, debug: boolean): Promise<readonly Task[]> {
  const tasks: Task[] = [];
  for (const id of names(root)) {
    try {
      const text = withState(root, id, (dir) => entryText(dir, file));
      const kept = text === undefined ? undefined : (JSON.parse(text) as Kept);
      if (kept?.version === 1 && !isAlive(kept.server)) tasks.push(await resumed(root, id, kept, publisher, debug));
    } catch (error) {
      log(id, error);
    }
  }
  return tasks;
}

async function resumed(root: string, id: string, kept: Kept, publisher: Publisher, debug: boolean): Promise<Task> {
  const record = load(root, id);
  const init = new Process('', kept.terminal, kept.streams);
  const task = new Task(root, id, record.bundle, publisher, kept.options, debug, init, '');
  const status = statusOf(root, record);
  init.started = status !== 'created';
  task.paused = status === 'paused';
  keepTask(task);
  task.begun();
  // How it ended is written down already; or nobody has seen it.
  if (status === 'stopped') await init.exit;
  return task;
}
