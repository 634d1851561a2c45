/**
 * The tasks of `runt serve`, written down beside the state of each container, so that a server that is started again knows those of
 * one that has ended. (containerd's shim has no need: a new one is another container's.)
 */
import { isAlive, statusOf, thisProcess } from '../container/process.js';
import { load, type RecordedProcess } from '../container/store.js';
import { check } from '../sys/error.js';
import { tryListDir, tryReadText } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD } from '../sys/linux.js';
import { log } from './log.js';
import type { RuntimeOptions } from './options.js';
import { Process } from './process.js';
import type { Publisher } from './publisher.js';
import type { Streams } from './streams.js';
import { Task } from './task.js';

interface Kept {
  readonly version: 1;
  /** Whose it is, while that runs. */
  readonly server: RecordedProcess;
  readonly terminal: boolean;
  readonly streams: Streams;
  readonly options: RuntimeOptions;
}

const fileOf = (root: string, id: string): string => `${root}/${id}/task.json`;

/** Writes down a task whose container has just been made. @throws RuntError ERR_STATE */
export function keepTask({ root, id, init, options }: Task): void {
  const { terminal, streams } = init;
  const kept: Kept = { version: 1, server: thisProcess(), terminal, streams, options };
  const path = fileOf(root, id);
  check(native.replaceFile(AT_FDCWD, path, 0o600, host.encode(JSON.stringify(kept))), {
    code: 'ERR_STATE',
    message: `write down the task ${id}`,
    path,
  });
}

/** The tasks below a root that belong to no server which runs; they are this one's from now on. What cannot be used is told in the log. */
export async function keptTasks(root: string, publisher: Publisher, debug: boolean): Promise<readonly Task[]> {
  const tasks: Task[] = [];
  for (const id of tryListDir(root) ?? []) {
    try {
      const text = tryReadText(fileOf(root, id));
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
