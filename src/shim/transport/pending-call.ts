/** A unary call that is being answered, for transports that have no object of their own for it. */
import type { UnaryCall } from './rpc.js';

export class PendingCall implements UnaryCall {
  onCancel: (() => void) | undefined = undefined;
  private isCancelled = false;

  constructor(private readonly headers: (name: string) => string | undefined = () => undefined) {}

  header(name: string): string | undefined {
    return this.headers(name);
  }

  get cancelled(): Promise<void> {
    return new Promise((settle) => {
      if (this.isCancelled) settle();
      else this.onCancel = settle;
    });
  }

  cancel(): void {
    this.isCancelled = true;
    this.onCancel?.();
  }
}
