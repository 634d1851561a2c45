/** The deletes that a gRPC server holds: `delete` of a container that it has ends when the server is done with it. */

import { native } from '../../sys/host.js';
import { Protocol } from '../../sys/protocol.js';
import { forget, readable, sleep, withTimeout } from '../../sys/waiting/loop.js';
import { expectedCreateTime, heldAnswerPause, holdReaderTime, holdRequestTime } from '../../sys/waiting/time-limits.js';
import { acceptConnections } from '../transport/ttrpc.js';
import { arrives, holdNo, holdYes, parseRequest, restOfAnswer } from './hold-socket.js';

const requestMax = 512;
const ask: number = Protocol.HOLD_ASK;

/** How many ids to remember that the server had: containerd may run `delete` after Delete. */
const remembered = 256;

/**
 * containerd 2.x runs `delete` of a gRPC shim as soon as it has connected, usually before Create, and waits for the end
 * of its output. Ids: from `start` or Create until Create failed, or Delete was answered.
 */
export class HeldDeletes {
  private readonly ids = new Set<string>();
  private readonly holds = new Map<string, Hold>();
  /** The last ids that the server has no more. */
  private readonly earlier = new Set<string>();
  /** Ids of which only `delete` has told. */
  private readonly awaited = new Set<string>();

  /** Answers the requests of `start` and `delete`. */
  serve(listener: number): void {
    void acceptConnections(listener, (fd) => void this.answer(fd));
  }

  /** A container of this id is expected, or being created. */
  begin(id: string): void {
    this.ids.add(id);
    this.earlier.delete(id);
    this.awaited.delete(id);
    // Of a container with this id that was deleted just now.
    const earlier = this.holds.get(id);
    if (earlier?.done) this.finish(id, earlier);
  }

  /**
   * The server does not have the container any more: its delete ends when containerd has forgotten the container, at
   * `forgotten` or a moment later. If that were earlier, containerd would publish its end once more.
   * @param response an encoded DeleteResponse; if absent, the holder deletes what is left of the container
   */
  end(id: string, response?: Uint8Array): void {
    this.ids.delete(id);
    this.awaited.delete(id);
    this.earlier.add(id);
    const [oldest = ''] = this.earlier;
    if (this.earlier.size > remembered) this.earlier.delete(oldest);
    const hold = this.holds.get(id);
    if (!hold || hold.done) return;
    hold.done = true;
    hold.response = response;
    void sleep(heldAnswerPause).then(() => this.finish(id, hold));
  }

  /** containerd has forgotten the container. */
  forgotten(id: string): void {
    const hold = this.holds.get(id);
    if (hold?.done) this.finish(id, hold);
  }

  private finish(id: string, hold: Hold): void {
    if (this.holds.get(id) === hold) this.holds.delete(id);
    hold.finish();
  }

  private async answer(fd: number): Promise<void> {
    const data = new Uint8Array(requestMax);
    const n = (await arrives(fd, holdRequestTime)) ? native.read(fd, data) : 0;
    const request = n > 0 ? parseRequest(data.subarray(0, n)) : undefined;
    if (request?.[0] === 'await') this.awaitCreate(request[1]);
    if (request && request[0] !== 'expect' && (await this.holdsFor(request[1]))) {
      this.hold(fd, request[1]);
      return;
    }
    if (request?.[0] === 'expect') this.begin(request[1]);
    if (request) native.send(fd, new Uint8Array([request[0] === 'expect' ? holdYes : holdNo]));
    native.close(fd);
  }

  /** Expects the Create of an id that the server never had, for a while. */
  private awaitCreate(id: string): void {
    if (this.ids.has(id) || this.earlier.has(id)) return;
    this.ids.add(id);
    this.awaited.add(id);
    void sleep(expectedCreateTime).then(() => {
      if (this.awaited.has(id)) this.end(id);
    });
  }

  /** Whether the delete of an id is held. The second one of one containerd is not: that gives the container up. */
  private async holdsFor(id: string): Promise<boolean> {
    const earlier = this.holds.get(id);
    if (earlier && !earlier.done && (await earlier.isRead())) this.end(id);
    return this.ids.has(id);
  }

  private hold(fd: number, id: string): void {
    const earlier = this.holds.get(id);
    if (earlier) this.finish(id, earlier);
    const hold = new Hold(fd);
    this.holds.set(id, hold);
    // containerd or the holder has ended.
    void hold.watch().then(() => this.finish(id, hold));
    native.send(fd, new Uint8Array([holdYes]));
  }
}

/** The connection to the holder of one answer (native/init/holder.c). */
class Hold {
  /** The server is done with the container. */
  done = false;
  response: Uint8Array | undefined;
  private open = true;
  private onRead: (() => void) | undefined;

  constructor(private readonly fd: number) {}

  /** Resolves when the holder has ended. */
  async watch(): Promise<void> {
    const byte = new Uint8Array(1);
    while (this.open && (await readable(this.fd)) && this.open) {
      if (native.read(this.fd, byte) <= 0) return;
      this.onRead?.();
    }
  }

  /** Whether the answer has a reader, by the holder's word. A busy machine delays it: then this is false. */
  async isRead(): Promise<boolean> {
    const asked = new Promise<boolean>((settle) => {
      this.onRead = () => settle(true);
    });
    if (native.send(this.fd, new Uint8Array([ask])) !== 1) return false;
    return (await withTimeout(asked, holdReaderTime)) === true;
  }

  /** Completes the answer, or lets the holder delete the container. */
  finish(): void {
    if (!this.open) return;
    this.open = false;
    if (this.response) native.send(this.fd, restOfAnswer(this.response));
    forget(this.fd);
    native.close(this.fd);
  }
}
