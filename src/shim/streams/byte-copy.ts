/** A copy loop in C between two non-blocking descriptors. */
import { native } from '../../sys/host.js';
import { Protocol } from '../../sys/protocol.js';
import { readable, sleep, writable } from '../../sys/waiting/loop.js';

/** The head of a transfer's state, and its buffer. */
const stateSize = Protocol.TRANSFER_HEAD + (16 << 10);

/** Copies until `from` ends or `to` fails; to stop it earlier, call `forget` for both and close them. */
export async function copy(from: number, to: number, closing: () => boolean = () => false): Promise<void> {
  const state = new Uint8Array(stateSize);
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
