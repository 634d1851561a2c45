/** The end of a wait by an AbortSignal. Node.js only. */
import type { EarlyEnd } from '../container/wait.js';
import { abortedError } from './process-run.js';

/**
 * Waits with a wait that ends when the signal aborts.
 * @throws RuntError ERR_ABORTED then; what `wait` throws
 */
export async function abortable<T>(
  what: string,
  signal: AbortSignal | undefined,
  wait: (early: EarlyEnd) => Promise<T>,
): Promise<T> {
  const early: EarlyEnd = { ended: signal?.aborted === true };
  const abort = (): void => {
    early.ended = true;
    early.wake?.();
  };
  if (early.ended) throw abortedError(what, signal);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    return await wait(early);
  } catch (error) {
    throw early.ended ? abortedError(what, signal) : error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
