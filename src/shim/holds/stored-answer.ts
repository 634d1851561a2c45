/**
 * The answer of a `delete-held` whose container had a recorded exit status, in the bundle. If containerd is killed
 * before it has the answer, the next one runs `delete`.
 */
import { exists, readBytes } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';

const path = (bundle: string): string => `${bundle || '.'}/delete-response`;

/** Stores an encoded DeleteResponse. Without room for it a second `delete` reports that the container was killed. */
export function storeAnswer(bundle: string, answer: Uint8Array): void {
  native.replaceFile(AT_FDCWD, path(bundle), 0o600, answer);
}

/** The stored answer; undefined if there is none. @throws RuntError ERR_IO */
export const storedAnswer = (bundle: string): Uint8Array | undefined =>
  exists(path(bundle)) ? readBytes(path(bundle)) : undefined;
