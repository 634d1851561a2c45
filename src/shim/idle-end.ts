/**
 * The end of a server that nobody wants: containerd was ended between `start` and Create, or did not take the answer of `start`, or
 * was ended between Delete and Shutdown. Nobody would ever say Shutdown to it.
 */
import { sleep } from '../sys/waiting/loop.js';

export class Idleness {
  clients = 0;
  /** Counts what happened: a wait is over when something has. */
  private moment = 0;

  constructor(
    /** ms without a client. */
    private readonly patience: number,
    /** Ends the server, if it is of no use. Whether it did. */
    private readonly end: () => Promise<boolean>,
  ) {
    void this.wait();
  }

  /** A client has come. @returns what is to be called when it has gone */
  client(): () => void {
    this.clients++;
    this.moment++;
    return () => {
      if (--this.clients === 0) void this.wait();
    };
  }

  private async wait(): Promise<void> {
    const since = ++this.moment;
    do await sleep(this.patience);
    while (since === this.moment && !(await this.end()));
  }
}
