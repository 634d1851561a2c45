/** Ends unary calls whose message does not arrive: they would keep their share of the calls of all clients. */
import { now, sleep } from '../../sys/waiting/loop.js';
import { requestCheckInterval, requestTime } from '../../sys/waiting/time-limits.js';
import type { Call } from './grpc-call.js';

export class RequestTimer {
  /** Calls whose message is not complete, the oldest first, with the time when they began. */
  private readonly calls = new Map<Call, number>();
  private isRunning = false;

  add(call: Call): void {
    this.calls.set(call, now());
    if (!this.isRunning) void this.run();
  }

  /** Forgets a call whose message is complete, or which has ended. */
  remove(call: Call): void {
    this.calls.delete(call);
  }

  private async run(): Promise<void> {
    this.isRunning = true;
    while (this.calls.size > 0) {
      await sleep(requestCheckInterval);
      for (const [call, began] of this.calls) {
        if (now() - began < requestTime) break;
        this.calls.delete(call);
        call.endRequest();
      }
    }
    this.isRunning = false;
  }
}
