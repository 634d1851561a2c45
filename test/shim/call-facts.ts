/** What a call has beside its messages, in tests. */
import { PendingCall } from '../../src/shim/transport/pending-call.js';

/** The facts of a call with these headers, which a test may cancel. */
export const callWith = (headers: Readonly<Record<string, string>> = {}): PendingCall =>
  new PendingCall((name) => headers[name]);
