/** A peer on a Unix socket that speaks D-Bus as a test says: in the place of systemd. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import {
  decodeMessage,
  encodeMessage,
  type Message,
  messageLength,
  SIGNAL,
} from '../../../src/cgroup/systemd/bus-message.js';
import { elapse } from '../../deadline.js';

export type Reply = Partial<Message> & { readonly type: number };
interface Peer {
  /** What it answers to each call; nothing at all when undefined. */
  readonly answer: (call: Message) => readonly (Reply | Uint8Array)[];
  /** Its part of the authentication, after the client's. */
  readonly auth?: string;
  /** Bytes of each write. */
  readonly piece?: number;
}

export const dir = mkdtempSync(join(tmpdir(), 'runt-bus-'));
test.after(() => rmSync(dir, { recursive: true }));
let count = 0;

/** Serves one peer while f runs; f gets its path and what came before the first message. */
export async function withPeer(peer: Peer, f: (path: string, said: () => string) => Promise<void>): Promise<void> {
  const path = join(dir, `bus-${++count}`);
  const sockets: Socket[] = [];
  let said = '';
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    let data = Buffer.alloc(0);
    let begun = false;
    socket.on('data', async (chunk) => {
      data = Buffer.concat([data, chunk]);
      const end = data.indexOf('BEGIN\r\n');
      if (!begun && end >= 0) {
        begun = true;
        said = data.subarray(0, end + 7).toString('latin1');
        data = data.subarray(end + 7);
        socket.write(peer.auth ?? 'DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n');
      }
      while (begun && data.length >= 16 && data.length >= messageLength(data)) {
        const length = messageLength(data);
        const call = decodeMessage(Uint8Array.from(data.subarray(0, length)));
        data = data.subarray(length);
        const out = Buffer.concat(
          peer
            .answer(call)
            .map((r) =>
              r instanceof Uint8Array
                ? r
                : encodeMessage({ serial: 1000, replySerial: call.serial, signature: '', body: [], ...r }),
            ),
        );
        for (let at = 0; at < out.length; at += peer.piece ?? out.length) {
          socket.write(out.subarray(at, at + (peer.piece ?? out.length)));
          // Each piece is a read of its own.
          if (peer.piece) await elapse(1);
        }
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    await f(path, () => said);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

/** The signal that tells the end of a job. */
export const jobRemoved = (path: string, result: string): Reply => ({
  type: SIGNAL,
  path: '/org/freedesktop/systemd1',
  interface: 'org.freedesktop.systemd1.Manager',
  member: 'JobRemoved',
  signature: 'uoss',
  body: [1n, path, 'a.scope', result],
});
