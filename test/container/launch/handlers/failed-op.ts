/** The failure of an operation that a handler performs, as text. */
import { OpFailed } from '../../../../src/container/failure/op-failed.js';
import { E } from '../../../../src/sys/errno.js';
import { RuntError } from '../../../../src/sys/error.js';

/**
 * Runs work. @returns `ERRNO syscall detail` of an OpFailed, `CODE message` of a RuntError, undefined if it succeeds
 */
export function failed(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return inWords(error);
  }
}

export async function failedLater(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(() => undefined, inWords);
}

function inWords(error: unknown): string {
  if (error instanceof RuntError) return `${error.code} ${error.message}`;
  if (!(error instanceof OpFailed)) throw error;
  const { errno, syscall, detail } = error.failed;
  return [E[errno], syscall, detail].filter(Boolean).join(' ');
}
