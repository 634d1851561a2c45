/** Descriptors that the caller hands through to the process (`--preserve-fds`). */
import { check } from '../sys/error.js';
import { native } from '../sys/host.js';
import { AT_EMPTY_PATH } from '../sys/linux.js';

/**
 * Refuses to preserve what is not open, before a descriptor of our own takes its number.
 * @throws RuntError ERR_DESCRIPTOR
 */
export function checkPreserved(count: number): void {
  const scratch = new Uint8Array(64);
  for (let fd = 3; fd < 3 + count; fd++) {
    check(native.stat(fd, '', AT_EMPTY_PATH, scratch), {
      code: 'ERR_DESCRIPTOR',
      message: `--preserve-fds ${count}: descriptor ${fd} is not open`,
      hint: 'it counts the descriptors from 3 on that the caller has opened for the process',
    });
  }
}
