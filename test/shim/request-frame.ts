/** A ttrpc request as the frame that a client sends. */
import { ttrpc } from '../../src/shim/transport/protos.js';

export function requestFrame(stream: number, request: ttrpc.Request.$Properties): Uint8Array {
  const message = ttrpc.Request.encode(request).finish();
  const data = new Uint8Array(10 + message.length);
  const view = new DataView(data.buffer);
  view.setUint32(0, message.length);
  view.setUint32(4, stream);
  view.setUint8(8, 1);
  data.set(message, 10);
  return data;
}
