/** A peer on a Unix socket that speaks D-Bus as a test scripts it, in place of systemd. */
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
import type { FakeKernel } from '../../sys/fake-host/fake-kernel.js';

export type Reply = Partial<Message> & { readonly type: number };
interface Peer {
  /** Its answers to each call; none at all when undefined. */
  readonly answer: (call: Message) => readonly (Reply | Uint8Array)[];
  /** Its part of the authentication, sent after the client's. */
  readonly auth?: string;
  /** Bytes of each write. */
  readonly piece?: number;
}

export const dir = mkdtempSync(join(tmpdir(), 'runt-bus-'));
test.after(() => rmSync(dir, { recursive: true }));
let count = 0;

/** The replies of a peer, chunk by chunk of what it receives. */
class Conversation {
  /** The bytes before the first message. */
  preamble = '';
  private data: Buffer = Buffer.alloc(0);
  private authenticated = false;

  constructor(private readonly peer: Peer) {}

  take(chunk: Uint8Array): Uint8Array[] {
    const out: Uint8Array[] = [];
    this.data = Buffer.concat([this.data, chunk]);
    const end = this.data.indexOf('BEGIN\r\n');
    if (!this.authenticated && end >= 0) {
      this.authenticated = true;
      this.preamble = this.data.subarray(0, end + 7).toString('latin1');
      this.data = this.data.subarray(end + 7);
      out.push(Buffer.from(this.peer.auth ?? 'DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n'));
    }
    while (this.authenticated && this.data.length >= 16 && this.data.length >= messageLength(this.data)) {
      const length = messageLength(this.data);
      const call = decodeMessage(Uint8Array.from(this.data.subarray(0, length)));
      this.data = this.data.subarray(length);
      out.push(Buffer.concat(this.peer.answer(call).map((reply) => encoded(call, reply))));
    }
    return out;
  }
}

const encoded = (call: Message, reply: Reply | Uint8Array): Uint8Array =>
  reply instanceof Uint8Array
    ? reply
    : encodeMessage({ serial: 1000, replySerial: call.serial, signature: '', body: [], ...reply });

/** Serves one peer while f runs; f gets the path of the socket and the bytes before the first message. */
export async function withPeer(peer: Peer, f: (path: string, preamble: () => string) => Promise<void>): Promise<void> {
  const path = join(dir, `bus-${++count}`);
  const sockets: Socket[] = [];
  let preamble = () => '';
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    const conversation = new Conversation(peer);
    preamble = () => conversation.preamble;
    let written = Promise.resolve();
    socket.on('data', (chunk) => {
      const answers = conversation.take(chunk);
      written = written.then(async () => {
        for (const answer of answers) await write(socket, answer, peer.piece);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    await f(path, () => preamble());
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

async function write(socket: Socket, bytes: Uint8Array, piece = bytes.length): Promise<void> {
  for (let at = 0; at < bytes.length; at += piece) {
    socket.write(bytes.subarray(at, at + piece));
    // The client reads each piece separately.
    if (piece < bytes.length) await elapse(1);
  }
}

/** The same on the fake kernel, whose waits take no time. Runs f to its end. */
export async function withFakePeer(kernel: FakeKernel, peer: Peer, f: (path: string) => Promise<void>): Promise<void> {
  const path = '/run/bus';
  kernel.sockets.listen(path, (end) => {
    const conversation = new Conversation(peer);
    end.onMessage = () => {
      const message = end.receive(1 << 20);
      if (typeof message === 'number') return;
      for (const answer of conversation.take(message.data)) if (answer.length > 0) end.send(answer);
    };
  });
  await kernel.finish(f(path));
}

/** The signal that reports the end of a job. */
export const jobRemoved = (path: string, result: string): Reply => ({
  type: SIGNAL,
  path: '/org/freedesktop/systemd1',
  interface: 'org.freedesktop.systemd1.Manager',
  member: 'JobRemoved',
  signature: 'uoss',
  body: [1n, path, 'a.scope', result],
});
