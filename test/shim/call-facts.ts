/** What a call has beside its messages, in tests. */
import type { CallFacts } from '../../src/shim/transport/rpc.js';

/** The facts of a call that is not cancelled, with these headers. */
export const callWith = (headers: Readonly<Record<string, string>> = {}): CallFacts => ({
  header: (name) => headers[name],
  cancelled: new Promise(() => {}),
});
