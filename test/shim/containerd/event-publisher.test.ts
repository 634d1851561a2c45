/** The event queue: through a restart of containerd, bounded, in order. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Publisher } from '../../../src/shim/containerd/event-publisher.js';
import { events, ttrpc } from '../../../src/shim/transport/protos.js';
import { native } from '../../../src/sys/host.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { eventually } from '../../deadline.js';

useNodeHost([]);

/** A containerd that accepts events; `answer` may refuse one. */
class Containerd {
  readonly topics: string[] = [];
  answer: (topic: string) => ttrpc.Response.$Properties | undefined = () => ({ payload: new Uint8Array() });
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;

  constructor(readonly path: string) {}

  async begin(): Promise<void> {
    this.server = createServer((socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {});
      let data = Buffer.alloc(0);
      socket.on('data', (chunk) => {
        data = Buffer.concat([data, chunk]);
        while (data.length >= 10 && data.length >= 10 + data.readUInt32BE(0)) {
          const end = 10 + data.readUInt32BE(0);
          const request = ttrpc.Request.decode(data.subarray(10, end));
          const topic = events.ForwardRequest.decode(request.payload as Uint8Array).envelope?.topic ?? '';
          const said = this.answer(topic);
          const head = Buffer.from(data.subarray(0, 10));
          data = data.subarray(end);
          if (!said) continue;
          if (!said.status) this.topics.push(topic);
          const answer = ttrpc.Response.encode(said).finish();
          head.writeUInt32BE(answer.length, 0);
          head.writeUInt8(2, 8);
          socket.write(Buffer.concat([head, answer]));
        }
      });
    });
    await new Promise<void>((done) => this.server?.listen(this.path, done));
  }

  end(): void {
    for (const socket of this.sockets) socket.destroy();
    this.sockets.clear();
    this.server?.close();
    this.server = undefined;
  }
}

/** Runs f. @returns what was written to descriptor 2 meanwhile */
async function logged(f: () => Promise<void>): Promise<string> {
  const functions = native as { write(fd: number, data: Uint8Array): number };
  const { write } = functions;
  let text = '';
  functions.write = (fd: number, data: Uint8Array) => {
    if (fd !== 2) return write(fd, data);
    text += new TextDecoder().decode(data);
    return data.length;
  };
  try {
    await f();
  } finally {
    functions.write = write;
  }
  return text;
}

/** Waits until this many attempts to connect to containerd have failed. */
async function attempts(n: number): Promise<void> {
  const functions = native as { unixConnect(dirfd: number, name: string): number };
  const { unixConnect } = functions;
  let failed = 0;
  functions.unixConnect = (dirfd, name) => {
    const fd = unixConnect(dirfd, name);
    if (fd < 0) failed++;
    return fd;
  };
  try {
    await eventually(`${n} attempts`, () => failed >= n);
  } finally {
    functions.unixConnect = unixConnect;
  }
}

const on = (f: (containerd: Containerd) => Promise<void>) => async () => {
  const dir = mkdtempSync(join(tmpdir(), 'runt-events-'));
  const containerd = new Containerd(join(dir, 'ttrpc'));
  try {
    await f(containerd);
  } finally {
    containerd.end();
    rmSync(dir, { recursive: true });
  }
};

const nothing = new Uint8Array();
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `/${from + i}`);

test(
  'events during a restart of containerd are published afterwards, in order',
  on(async (containerd) => {
    await containerd.begin();
    const publisher = new Publisher(containerd.path, 'n');
    publisher.publish('c', '/0', 'TaskExit', nothing);
    await eventually('1 events', () => containerd.topics.length === 1);
    containerd.end();
    for (let i = 1; i < 50; i++) publisher.publish('c', `/${i}`, 'TaskExit', nothing);
    await attempts(3);
    for (let i = 50; i < 60; i++) publisher.publish('c', `/${i}`, 'TaskExit', nothing);
    assert.equal(containerd.topics, ['/0']);
    assert.equal(await logged(() => containerd.begin()), '');
    await eventually('60 events', () => containerd.topics.length === 60);
    assert.equal(containerd.topics, numbers(0, 60));
  }),
);

test(
  'beyond a limit of number or size the oldest events are lost, and the log names them',
  on(async (containerd) => {
    for (const limits of [
      { events: 10, bytes: 1 << 20 },
      { events: 1000, bytes: 10 * 1100 },
    ]) {
      containerd.topics.length = 0;
      const publisher = new Publisher(containerd.path, 'n', limits);
      const value = new Uint8Array(1000);
      const text = await logged(async () => {
        for (let i = 10; i < 30; i++) publisher.publish('c', `/${i}`, 'TaskExit', value);
      });
      const lost = [...text.matchAll(/c: the event (\/\d+) is lost: too many events wait/g)].map((m) => m[1]);
      assert.equal(lost, numbers(10, 20));
      await containerd.begin();
      await eventually('10 events', () => containerd.topics.length === 10);
      assert.equal(containerd.topics, numbers(20, 30));
      containerd.end();
    }
  }),
);

test(
  'an event that containerd refuses repeatedly is lost, and later ones are published',
  on(async (containerd) => {
    await containerd.begin();
    const refusal = { status: { code: 3, message: 'what is this' } };
    containerd.answer = (topic) => (topic === '/bad' ? refusal : { payload: nothing });
    const publisher = new Publisher(containerd.path, 'n');
    const text = await logged(async () => {
      for (const topic of ['/1', '/bad', '/2']) publisher.publish('c', topic, 'TaskExit', nothing);
      await eventually('the last event', () => containerd.topics.includes('/2'));
    });
    assert.equal(containerd.topics, ['/1', '/2']);
    assert.match(text, /c: the event \/bad is lost: containerd answers what is this/);
  }),
);

test(
  'at its end the shim waits for pending events, and logs the lost ones',
  on(async (containerd) => {
    const publisher = new Publisher(containerd.path, 'n');
    publisher.publish('c', '/tasks/delete', 'TaskDelete', nothing);
    const text = await logged(() => publisher.flush(300));
    assert.match(text, /c: the event \/tasks\/delete is lost: containerd could not be reached/);
  }),
);

test.run();
