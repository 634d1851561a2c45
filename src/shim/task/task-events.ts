/** Events of a task: the messages of containerd.events, each with its topic. */

import type { Publisher } from '../containerd/event-publisher.js';
import { events } from '../transport/protos.js';
import type { Ended } from './task-process.js';

/** The process of an event; `execId` is empty for the init process. */
interface Told {
  readonly execId: string;
  readonly pid: number;
}

export class TaskEvents {
  constructor(
    private readonly publisher: Publisher,
    private readonly containerId: string,
  ) {}

  create(event: Omit<events.TaskCreate.$Properties, 'containerId'>): void {
    this.tell('/tasks/create', 'TaskCreate', event);
  }

  started({ execId, pid }: Told): void {
    if (execId) this.tell('/tasks/exec-started', 'TaskExecStarted', { execId, pid });
    else this.tell('/tasks/start', 'TaskStart', { pid });
  }

  execAdded(execId: string): void {
    this.tell('/tasks/exec-added', 'TaskExecAdded', { execId });
  }

  exit({ execId, pid }: Told, { status: exitStatus, at: exitedAt }: Ended): void {
    this.tell('/tasks/exit', 'TaskExit', { id: execId || this.containerId, pid, exitStatus, exitedAt });
  }

  delete(pid: number, { status: exitStatus, at: exitedAt }: Ended): void {
    this.tell('/tasks/delete', 'TaskDelete', { pid, exitStatus, exitedAt });
  }

  checkpointed(checkpoint: string): void {
    this.tell('/tasks/checkpointed', 'TaskCheckpointed', { checkpoint });
  }

  outOfMemory(): void {
    this.tell('/tasks/oom', 'TaskOOM', {});
  }

  paused(on: boolean): void {
    if (on) this.tell('/tasks/paused', 'TaskPaused', {});
    else this.tell('/tasks/resumed', 'TaskResumed', {});
  }

  private tell(topic: string, name: keyof typeof events & `Task${string}`, event: object): void {
    const message = events[name] as { encode(event: object): { finish(): Uint8Array } };
    const value = message.encode({ containerId: this.containerId, ...event }).finish();
    this.publisher.publish(this.containerId, topic, name, value);
  }
}
