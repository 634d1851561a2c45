/** Bytes from one descriptor to another, moved in C; both must not block. */
import { native } from '../../sys/host.js';
import { Protocol } from '../../sys/protocol.js';
import { readable, sleep, writable } from '../../sys/waiting/loop.js';

/** The head of a transfer's state, and as much as a pipe holds. */
const stateSize = Protocol.TRANSFER_HEAD + (16 << 10);

/** Copies until `from` has ended, or `to` takes no more; or until it is stopped by `forget` of both and their close. */
export async function copy(from: number, to: number, closing: () => boolean = () => false): Promise<void> {
  const state = new Uint8Array(stateSize);
  for (;;) {
    switch (native.transfer(from, to, state)) {
      case Protocol.TRANSFER_READABLE:
        // What has come by the time of the close is still copied; `forget` ends the wait.
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
