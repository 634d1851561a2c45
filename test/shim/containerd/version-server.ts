/** A containerd that answers the version call, as frames of HTTP/2. */
import type { SocketEnd } from '../../sys/fake-host/sockets.js';

export function frame(type: number, flags: number, payload: readonly number[] = []): number[] {
  return [0, 0, payload.length, type, flags, 0, 0, 0, type === 4 ? 0 : 1, ...payload];
}

const text = (value: string): number[] => [...new TextEncoder().encode(value)];

/** The frames of a response: SETTINGS, its acknowledgement, HEADERS, DATA, and trailers that end the stream. */
export function versionAnswer(version: string): Uint8Array {
  const message = [0x0a, version.length, ...text(version), 0x12, 3, ...text('abc')];
  return new Uint8Array([
    ...frame(4, 0, [0, 5, 0, 0, 64, 0]),
    ...frame(4, 1),
    ...frame(1, 4, [0x88]),
    ...frame(0, 0, [0, 0, 0, 0, message.length, ...message]),
    ...frame(1, 5, [0x88]),
  ]);
}

/** A server that answers the first request. */
export const answersVersion =
  (version: string) =>
  (end: SocketEnd): void => {
    end.onMessage = () => {
      end.text();
      end.onMessage = undefined;
      end.send(versionAnswer(version));
    };
    end.onHangUp = () => end.drop();
  };
