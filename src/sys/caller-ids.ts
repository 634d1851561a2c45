/** The ids of this process. */
import { native } from './host.js';

/** The effective user and group id. */
export function callerIds(): { uid: number; gid: number } {
  const ids = new DataView(new ArrayBuffer(32));
  native.ids(new Uint8Array(ids.buffer));
  return { uid: Number(ids.getBigInt64(8, true)), gid: Number(ids.getBigInt64(24, true)) };
}
