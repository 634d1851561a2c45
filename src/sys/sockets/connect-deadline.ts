/** Connecting to Unix sockets, with a deadline. */
import { E } from '../errno.js';
import { native } from '../host.js';
import { until } from '../waiting/loop.js';
import { connectTime } from '../waiting/time-limits.js';

/**
 * Connects to the socket `name` in a directory, however long the directory's path is. Where the queue of the listener
 * stays full it gives up: a blocking connect(2) waits for ever. The descriptor, or -errno; -ETIMEDOUT when nobody
 * accepts.
 */
export async function connectAt(dir: number, name: string, patience = connectTime): Promise<number> {
  let socket = -E.EAGAIN;
  await until(() => {
    socket = native.unixConnect(dir, name);
    return socket !== -E.EAGAIN;
  }, patience);
  return socket === -E.EAGAIN ? -E.ETIMEDOUT : socket;
}
