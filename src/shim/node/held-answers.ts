/**
 * Answers of `delete`, which containerd runs when it takes a connection for ended: at a restart of its own, and always
 * from 2.4 on. It then forgets the container, so the answer is held until Delete.
 */
import { native } from '../../sys/host.js';
import { forget, readable, sleep, withTimeout } from '../../sys/waiting/loop.js';
import { expectedCreateTime, heldAnswerPause } from '../../sys/waiting/time-limits.js';
import { task } from '../transport/protos.js';
import { decodeMessage } from '../transport/status-code.js';

/**
 * The first bytes of an answer: the tag of a field of four bytes that containerd does not know. An answer that is never
 * completed is an error to it (status 255, unknown), not a DeleteResponse of zeros.
 */
const head = new Uint8Array([0xc5, 0x3e]);
const padding = 4;

const task3 = 'containerd.task.v3.Task';

interface HeldAnswer {
  readonly fd: number;
  /** An encoded DeleteResponse; absent if there is none to report. */
  response?: Uint8Array;
}

/** Answers to remember of containers that were deleted: containerd may run `delete` after Delete. */
const remembered = 256;

export class HeldAnswers {
  private readonly held = new Map<string, HeldAnswer>();
  /** The containers of this server, from Create to Delete, each NAMESPACE/ID. */
  private readonly known = new Set<string>();
  /** The encoded DeleteResponses of the last ones. */
  private readonly deleted = new Map<string, Uint8Array>();
  /** What waits for a Create, by name. */
  private readonly expecting = new Map<string, () => void>();

  constructor(
    /** Asks the server whether it has a container. */
    private readonly ask: (namespace: string, id: string) => Promise<boolean>,
  ) {}

  get size(): number {
    return this.held.size;
  }

  /**
   * Takes over the standard output of `delete`, and writes its answer when the container is deleted.
   * @param name NAMESPACE/ID
   * @returns false if the server has no such container, and none is created soon: the caller keeps the descriptor
   */
  async hold(name: string, fd: number): Promise<boolean> {
    const response = this.deleted.get(name);
    if (response) {
      complete(fd, head, response);
      return true;
    }
    if (!this.known.has(name)) {
      const slash = name.indexOf('/');
      const [namespace, id] = [name.slice(0, slash), name.slice(slash + 1)];
      // containerd 2.4 runs it before Create.
      const found = await withTimeout(this.ask(namespace, id), expectedCreateTime);
      if (!found && !this.known.has(name) && !(await this.isCreated(name))) return false;
    }
    this.finish(name);
    const answer = { fd };
    this.held.set(name, answer);
    native.write(fd, head);
    // A pipe without a reader is "readable": containerd has ended.
    void readable(fd).then(() => {
      if (this.held.get(name) === answer) this.finish(name);
    });
    return true;
  }

  private async isCreated(name: string): Promise<boolean> {
    const created = new Promise<true>((settle) => this.expecting.set(name, () => settle(true)));
    const result = await withTimeout(created, expectedCreateTime);
    this.expecting.delete(name);
    return result === true;
  }

  /** Looks at a call before it is passed on. */
  calling(path: string, namespace: string, request: Uint8Array): void {
    if (path !== `${task3}/Create`) return;
    const name = `${namespace}/${decodeMessage(task.CreateTaskRequest, request).id}`;
    this.deleted.delete(name);
    this.known.add(name);
    this.expecting.get(name)?.();
  }

  /** Looks at a call that was answered; `response` is undefined if it failed. */
  called(path: string, namespace: string, request: Uint8Array, response?: Uint8Array): void {
    if (path === `${task3}/Create` && !response) {
      const name = `${namespace}/${decodeMessage(task.CreateTaskRequest, request).id}`;
      this.known.delete(name);
      this.end(name);
    } else if (path === `${task3}/Shutdown`) {
      const name = `${namespace}/${decodeMessage(task.ShutdownRequest, request).id}`;
      if (!this.known.has(name)) this.finish(name);
    } else if (path === `${task3}/Delete` && response) {
      const { id, execId } = decodeMessage(task.DeleteRequest, request);
      if (execId !== '') return;
      const name = `${namespace}/${id}`;
      this.known.delete(name);
      this.deleted.set(name, response);
      const [oldest = ''] = this.deleted.keys();
      if (this.deleted.size > remembered) this.deleted.delete(oldest);
      this.end(name, response);
    }
  }

  /**
   * The container is gone: its `delete` ends when containerd has forgotten it, at Shutdown or a moment later. Earlier,
   * containerd would publish its end once more.
   */
  private end(name: string, response?: Uint8Array): void {
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
    forget(answer.fd);
    complete(answer.fd, new Uint8Array(), answer.response);
  }
}

/** Writes what is missing of an answer, and ends it. */
function complete(fd: number, begin: Uint8Array, response: Uint8Array = new Uint8Array()): void {
  const rest = new Uint8Array(begin.length + padding + response.length);
  rest.set(begin);
  rest.set(response, begin.length + padding);
  native.write(fd, rest);
  native.close(fd);
}
