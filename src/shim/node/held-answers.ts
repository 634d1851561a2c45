/**
 * Answers of `delete`, which containerd runs when it takes a connection for ended: at a restart of its own, and always
 * from 2.4 on. It then forgets the container, so the answer is held until Delete.
 */
import { native } from '../../sys/host.js';
import { forget, readable, sleep } from '../../sys/waiting/loop.js';
import { heldAnswerPause } from '../../sys/waiting/time-limits.js';
import { task } from '../transport/protos.js';
import { decodeMessage } from '../transport/status-code.js';

/**
 * The first bytes of an answer: the tag of a field of four bytes that containerd does not know. An answer that is never
 * completed is an error to it (status 255, unknown), not a DeleteResponse of zeros.
 */
const head = new Uint8Array([0xc5, 0x3e]);
const padding = 4;

interface HeldAnswer {
  readonly fd: number;
  /** An encoded DeleteResponse; absent if there is none to report. */
  response?: Uint8Array;
}

export class HeldAnswers {
  private readonly held = new Map<string, HeldAnswer>();

  get size(): number {
    return this.held.size;
  }

  /** Takes over the standard output of `delete`. @param name NAMESPACE/ID */
  hold(name: string, fd: number): void {
    this.finish(name);
    const answer = { fd };
    this.held.set(name, answer);
    native.write(fd, head);
    // A pipe without a reader is "readable": containerd has ended.
    void readable(fd).then(() => {
      if (this.held.get(name) === answer) this.finish(name);
    });
  }

  /** Looks at a call that was answered; `response` is undefined if it failed. */
  called(path: string, namespace: string, request: Uint8Array, response?: Uint8Array): void {
    if (this.held.size === 0) return;
    const method = path.slice(path.lastIndexOf('/') + 1);
    if (!path.startsWith('containerd.task.')) return;
    if (method === 'Create' && !response) this.end(namespace, decodeMessage(task.CreateTaskRequest, request).id);
    else if (method === 'Shutdown') this.finish(`${namespace}/${decodeMessage(task.ShutdownRequest, request).id}`);
    else if (method === 'Delete' && response) {
      const { id, execId } = decodeMessage(task.DeleteRequest, request);
      if (execId === '') this.end(namespace, id, response);
    }
  }

  /**
   * The container is gone: its `delete` ends when containerd has forgotten it, at Shutdown or a moment later. Earlier,
   * containerd would publish its end once more.
   */
  private end(namespace: string, id: string, response?: Uint8Array): void {
    const name = `${namespace}/${id}`;
    const answer = this.held.get(name);
    if (!answer) return;
    if (response) answer.response = response;
    void sleep(heldAnswerPause).then(() => {
      if (this.held.get(name) === answer) this.finish(name);
    });
  }

  private finish(name: string): void {
    const answer = this.held.get(name);
    if (!answer) return;
    this.held.delete(name);
    const { fd, response = new Uint8Array() } = answer;
    const rest = new Uint8Array(padding + response.length);
    rest.set(response, padding);
    forget(fd);
    native.write(fd, rest);
    native.close(fd);
  }
}
