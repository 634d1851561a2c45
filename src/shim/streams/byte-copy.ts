/** Copy loops in C to a non-blocking descriptor, from another one or from memory. */
import { check } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { Protocol } from '../../sys/protocol.js';
import { readable, sleep, writable } from '../../sys/waiting/loop.js';

/** The size of a transfer's buffer. */
const bufferSize = 16 << 10;

/** Copies until `from` ends or `to` fails; to stop it earlier, call `forget` for both and close them. */
export async function copy(from: number, to: number, closing: () => boolean = () => false): Promise<void> {
  const state = new Uint8Array(Protocol.TRANSFER_HEAD + bufferSize);
  for (;;) {
    switch (native.transfer(from, to, state)) {
      case Protocol.TRANSFER_READABLE:
        // Copy the bytes that arrived before the close; `forget` ends the wait.
        if (closing() || (!(await readable(from)) && !closing())) return;
        break;
      case Protocol.TRANSFER_WRITABLE:
        if (!(await writable(to))) return;
        break;
      case Protocol.TRANSFER_MORE:
        await sleep(0);
        break;
      default:
        return;
    }
  }
}

/**
 * Writes bytes.
 * @param to called before each step: the descriptor, or -1 to stop
 * @returns false if it was stopped, `forget` ended a wait, or the reader is gone
 * @throws RuntError ERR_IO
 */
export async function writeBytes(data: Uint8Array, to: () => number): Promise<boolean> {
  const from = check(native.sealedFile(data), {
    code: 'ERR_IO',
    message: 'make a file for input',
    syscall: 'memfd_create',
  });
  const state = new Uint8Array(Protocol.TRANSFER_HEAD + Math.min(data.length, bufferSize));
  try {
    for (let fd = to(); fd >= 0; fd = to()) {
      const next = native.transfer(from, fd, state);
      if (next === Protocol.TRANSFER_MORE) await sleep(0);
      else if (next !== Protocol.TRANSFER_WRITABLE) return next === Protocol.TRANSFER_ENDED;
      else if (!(await writable(fd))) return false;
    }
    return false;
  } finally {
    native.close(from);
  }
}
