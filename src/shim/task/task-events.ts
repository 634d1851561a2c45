/** Events of a task: the messages of containerd.events, each with its topic. */

import type { Publisher } from '../containerd/event-publisher.js';
import { events } from '../transport/protos.js';
import type { RecordedExit } from './task-process.js';

/** The process of an event; `execId` is empty for the init process. */
interface EventProcess {
  readonly execId: string;
  readonly pid: number;
}

export class TaskEvents {
  constructor(
    private readonly publisher: Publisher,
    private readonly containerId: string,
  ) {}

  create(event: Omit<events.TaskCreate.$Properties, 'containerId'>): void {
    this.publish('/tasks/create', 'TaskCreate', event);
  }

  started({ execId, pid }: EventProcess): void {
    if (execId) this.publish('/tasks/exec-started', 'TaskExecStarted', { execId, pid });
    else this.publish('/tasks/start', 'TaskStart', { pid });
  }

  execAdded(execId: string): void {
    this.publish('/tasks/exec-added', 'TaskExecAdded', { execId });
  }

  exit({ execId, pid }: EventProcess, { status: exitStatus, at: exitedAt }: RecordedExit): void {
    this.publish('/tasks/exit', 'TaskExit', { id: execId || this.containerId, pid, exitStatus, exitedAt });
  }

  delete(pid: number, { status: exitStatus, at: exitedAt }: RecordedExit): void {
    this.publish('/tasks/delete', 'TaskDelete', { pid, exitStatus, exitedAt });
  }

  checkpointed(checkpoint: string): void {
    this.publish('/tasks/checkpointed', 'TaskCheckpointed', { checkpoint });
  }

  outOfMemory(): void {
    this.publish('/tasks/oom', 'TaskOOM', {});
  }

  paused(on: boolean): void {
    if (on) this.publish('/tasks/paused', 'TaskPaused', {});
    else this.publish('/tasks/resumed', 'TaskResumed', {});
  }

  private publish(topic: string, name: keyof typeof events & `Task${string}`, event: object): void {
    const message = events[name] as { encode(event: object): { finish(): Uint8Array } };
    const value = message.encode({ containerId: this.containerId, ...event }).finish();
    this.publisher.publish(this.containerId, topic, name, value);
  }
}
