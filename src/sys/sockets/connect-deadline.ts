/** connect(2) to unix sockets with a deadline. */
import { E } from '../errno.js';
import { native } from '../host.js';
import { pollUntil } from '../waiting/loop.js';
import { connectTime } from '../waiting/time-limits.js';

/**
 * Connects to the socket `name` in a directory, whose path may be of any length. A blocking connect(2) would wait for
 * ever while the listener's queue is full. @returns the descriptor or -errno; -ETIMEDOUT if the queue stays full
 */
export async function connectAt(dir: number, name: string, timeout = connectTime): Promise<number> {
  let socket = -E.EAGAIN;
  await pollUntil(() => {
    socket = native.unixConnect(dir, name);
    return socket !== -E.EAGAIN;
  }, timeout);
  return socket === -E.EAGAIN ? -E.ETIMEDOUT : socket;
}
