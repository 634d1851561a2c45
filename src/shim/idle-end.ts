/** The end of an idle server. */
import { sleep } from '../sys/waiting/loop.js';

/**
 * Ends a server without clients. containerd may exit between `start` and Create, reject the answer of `start`, or exit
 * between Delete and Shutdown; it never sends Shutdown then.
 */
export class IdleTimer {
  clients = 0;
  /** Counts connects and waits: each one restarts the idle time. */
  private restarts = 0;

  constructor(
    /** Idle time before the end: ms without a client. */
    private readonly idleTime: number,
    /** Ends the server if it is unused. @returns whether it did */
    private readonly end: () => Promise<boolean>,
  ) {
    void this.wait();
  }

  /** Counts a client that connected. @returns a function to call when the client has disconnected */
  addClient(): () => void {
    this.clients++;
    this.restarts++;
    return () => {
      if (--this.clients === 0) void this.wait();
    };
  }

  private async wait(): Promise<void> {
    const restart = ++this.restarts;
    do await sleep(this.idleTime);
    while (restart === this.restarts && !(await this.end()));
  }
}
