/**
 * Answers of `delete`, which containerd runs when it takes a connection for ended: at a restart of its own, and always
 * from 2.4 on. It then forgets the container, so the answer is held until Delete.
 */
import { native } from '../../sys/host.js';
import { Protocol } from '../../sys/protocol.js';
import { forget, readable, sleep, withTimeout } from '../../sys/waiting/loop.js';
import { expectedCreateTime, heldAnswerPause, serverAnswerTime } from '../../sys/waiting/time-limits.js';
import { restOfAnswer } from '../holds/hold-socket.js';
import { log } from '../shim-log.js';
import { task } from '../transport/protos.js';
import { decodeMessage } from '../transport/status-code.js';
import { bundleAge, bundleIdentity } from './bundle-identity.js';

const firstByte: number = Protocol.HOLD_HEAD;
const head = new Uint8Array([firstByte]);

const task3 = 'containerd.task.v3.Task';

interface HeldAnswer {
  readonly fd: number;
  /** An encoded DeleteResponse; absent if there is none to report. */
  response?: Uint8Array;
}

interface DeletedContainer {
  /** Its identity (bundle-identity.ts). */
  readonly bundle: string;
  /** The encoded DeleteResponse; absent if its Create failed. */
  readonly response?: Uint8Array;
}

/** Containers to remember that were deleted: containerd may run `delete` after Delete. */
const remembered = 256;

export class HeldAnswers {
  private readonly held = new Map<string, HeldAnswer>();
  /** The bundles of this server's containers, from Create to Delete, each under NAMESPACE/ID. */
  private readonly known = new Map<string, string>();
  private readonly deleted = new Map<string, DeletedContainer>();
  /** What waits for a Create, by name. */
  private readonly expecting = new Map<string, () => void>();

  constructor(
    /** Asks the server whether it has a container; waits for the next server if there is none. */
    private readonly ask: (namespace: string, id: string) => Promise<boolean>,
  ) {}

  get size(): number {
    return this.held.size;
  }

  /**
   * Takes over the standard output of `delete`, and writes its answer when the container is deleted.
   * @param name NAMESPACE/ID, which a later container may have again
   * @param bundle its identity
   * @returns false if the server has no such container, and none is created soon: the caller keeps the descriptor
   */
  async hold(name: string, bundle: string, fd: number): Promise<boolean> {
    const last = this.deleted.get(name);
    if (last?.bundle === bundle) {
      if (!last.response) return false;
      native.write(fd, head);
      complete(fd, last.response);
      return true;
    }
    // containerd 2.4 runs it before Create, which a busy machine delays.
    const soon = Math.min(expectedCreateTime, expectedCreateTime - bundleAge(bundle));
    if (!this.known.has(name) && soon <= 0 && (await withTimeout(this.has(name), serverAnswerTime)) === false)
      return false;
    this.finish(name);
    const answer = { fd };
    this.held.set(name, answer);
    native.write(fd, head);
    // A pipe without a reader is "readable": containerd has ended.
    void readable(fd).then(() => {
      if (this.held.get(name) === answer) this.finish(name);
    });
    if (!this.known.has(name)) void this.check(name, answer, soon);
    return true;
  }

  /** Ends an answer if its container is not created in `soon` ms, and the server does not have it. */
  private async check(name: string, answer: HeldAnswer, soon: number): Promise<void> {
    if (soon > 0 && (await this.isCreated(name, soon))) return;
    if (await this.has(name)) return;
    if (this.held.get(name) === answer && !this.known.has(name)) this.finish(name);
  }

  private async has(name: string): Promise<boolean> {
    const slash = name.indexOf('/');
    try {
      return await this.ask(name.slice(0, slash), name.slice(slash + 1));
    } catch (error) {
      // It is not known to be gone.
      log(name, error);
      return true;
    }
  }

  private async isCreated(name: string, ms: number): Promise<boolean> {
    let settle!: () => void;
    const created = new Promise<true>((resolve) => {
      settle = () => resolve(true);
    });
    this.expecting.set(name, settle);
    const result = await withTimeout(created, ms);
    if (this.expecting.get(name) === settle) this.expecting.delete(name);
    return result === true;
  }

  /** Looks at a call before it is passed on. */
  calling(path: string, namespace: string, request: Uint8Array): void {
    if (path !== `${task3}/Create`) return;
    const { id, bundle } = decodeMessage(task.CreateTaskRequest, request);
    const name = `${namespace}/${id}`;
    this.deleted.delete(name);
    this.known.set(name, bundleIdentity(bundle) ?? '');
    this.expecting.get(name)?.();
  }

  /** Looks at a call that was answered; `response` is undefined if it failed. */
  called(path: string, namespace: string, request: Uint8Array, response?: Uint8Array): void {
    if (path === `${task3}/Create` && !response) {
      const name = `${namespace}/${decodeMessage(task.CreateTaskRequest, request).id}`;
      this.forget(name);
      this.end(name);
    } else if (path === `${task3}/Shutdown`) {
      const name = `${namespace}/${decodeMessage(task.ShutdownRequest, request).id}`;
      if (!this.known.has(name)) this.finish(name);
    } else if (path === `${task3}/Delete` && response) {
      const { id, execId } = decodeMessage(task.DeleteRequest, request);
      if (execId !== '') return;
      const name = `${namespace}/${id}`;
      this.forget(name, response);
      this.end(name, response);
    }
  }

  /** The server does not have the container any more, or its Create failed. */
  private forget(name: string, response?: Uint8Array): void {
    const bundle = this.known.get(name) ?? '';
    this.known.delete(name);
    this.deleted.set(name, { bundle, ...(response && { response }) });
    const [oldest = ''] = this.deleted.keys();
    if (this.deleted.size > remembered) this.deleted.delete(oldest);
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
    complete(answer.fd, answer.response);
  }
}

/** Writes what is missing of an answer, and ends it. */
function complete(fd: number, response: Uint8Array = new Uint8Array()): void {
  native.write(fd, restOfAnswer(response));
  native.close(fd);
}
