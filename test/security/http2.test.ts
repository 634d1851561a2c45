/**
 * Attacks on the HTTP/2 server of the static binary by a client: its memory stays bounded, and others are served. The
 * clients are root or the server's user; they must not be able to end or to block the server of all containers.
 */

import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { task } from '../../src/shim/transport/protos.js';
import { eventually, needing, onBed } from '../integration/bed/bed.js';
import {
  call,
  callHeaders,
  END_HEADERS,
  END_STREAM,
  Frame,
  field,
  frame,
  Http2Peer,
  message,
  preface,
  Setting,
  settings,
  u32,
} from '../integration/bed/http2-peer.js';
import { serve, TaskClient } from '../integration/bed/task-client.js';
import { anonymous, descriptors, pss } from '../leaks/process-use.js';

const test = needing('HTTP/2 attacks', 'root');

/** kB by which the anonymous memory of the idle server may have grown after an attack. */
const growth = 2500;
/** PSS in kB of the server during an attack. */
const largest = 50_000;

const waitPath = '/containerd.task.v3.Task/Wait';
const reflectionPath = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
/** A request of reflection (proto/grpc/reflection.proto): file_containing_symbol, whose answer has 20 KB. */
const describe = Buffer.concat([Buffer.from([0x22, 23]), Buffer.from('containerd.task.v3.Task')]);
const [PROTOCOL_ERROR, FLOW_CONTROL_ERROR, ENHANCE_YOUR_CALM] = [1, 3, 11];

interface Target {
  readonly path: string;
  readonly pid: number;
  /** The request of a Wait that does not end. */
  readonly wait: Uint8Array;
  readonly peer: (begins?: boolean) => Http2Peer;
  /** Fails if the server does not answer another client, and notes its memory. */
  readonly check: () => Promise<void>;
}

/** Runs an attack on a server with a running container; afterwards the server is as small as before. */
const onServer = (attack: (target: Target) => Promise<void>) =>
  onBed(async (bed) => {
    const path = join(bed.dir, 'api.sock');
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const { id, bundle } = bed;
    const server = await serve(bed, path);
    const pid = server.pid as number;
    const client = new TaskClient(path);
    const peers: Http2Peer[] = [];
    try {
      await client.call('Create', { id, bundle });
      await client.call('Start', { id });
      await client.call('State', { id });
      const before = anonymous(pid);
      const open = descriptors(pid);
      let most = 0;
      await attack({
        path,
        pid,
        wait: task.WaitRequest.encode({ id }).finish(),
        peer: (begins) => {
          const peer = new Http2Peer(path, begins);
          peers.push(peer);
          return peer;
        },
        check: async () => {
          most = Math.max(most, pss(pid));
          assert.is((await client.call('State', { id })).status, 'RUNNING');
        },
      });
      await client.call('State', { id });
      for (const peer of peers) peer.end();
      await eventually('the clients have left', () => descriptors(pid) <= open);
      await eventually('the memory is given back', () => anonymous(pid) <= before + growth).catch(() => {
        throw new Error(`anonymous memory: ${before} kB before, ${anonymous(pid)} kB after`);
      });
      console.log(`\n# note anonymous memory in kB: before ${before}, after ${anonymous(pid)}; PSS at most ${most}`);
      assert.ok(most <= largest, `PSS: ${most} kB`);
    } finally {
      for (const peer of peers) peer.end();
      client.close();
      server.kill('SIGKILL');
      bed.runt(['delete', '--force', bed.id]);
    }
  });

test(
  'rapid reset: waits that are cancelled leave nothing, and a client that cancels thousands is disconnected',
  onServer(async ({ peer, wait, check }) => {
    // The rate of one connection is limited; so is then the number of these.
    for (let round = 0; round < 20; round++) {
      const attacker = peer();
      for (let n = 0; n < 40 && !attacker.isClosed; n++) {
        const frames = Array.from({ length: 100 }, (_, i) => {
          const stream = 2 * (100 * n + i) + 1;
          return Buffer.concat([call(stream, waitPath, wait), frame(Frame.RST_STREAM, 0, stream, u32(8))]);
        });
        await attacker.send(...frames);
        if (n % 10 === 0) await check();
      }
      await attacker.closed('the end of the connection');
    }
  }),
);

test(
  'below that rate, tens of thousands of waits that end with their connection leave nothing',
  onServer(async ({ peer, wait, check }) => {
    for (let round = 0; round < 30; round++) {
      const attacker = peer();
      await attacker.send(...Array.from({ length: 900 }, (_, i) => call(2 * i + 1, waitPath, wait)));
      await attacker.ping('an answer after the waits');
      await check();
      attacker.end();
    }
  }),
);

test(
  'streams that the server resets for errors of the client are limited too (CVE-2025-8671)',
  onServer(async ({ peer, wait, check }) => {
    const attacker = peer();
    for (let n = 0; n < 100 && !attacker.isClosed; n++) {
      const frames = Array.from({ length: 20 }, (_, i) => {
        const stream = 2 * (20 * n + i) + 1;
        return Buffer.concat([call(stream, waitPath, wait), frame(Frame.WINDOW_UPDATE, 0, stream, u32(0))]);
      });
      await attacker.send(...frames);
      await check();
    }
    await attacker.closed('the end of the connection');
    const goAway = attacker.received.find(({ type }) => type === Frame.GOAWAY);
    assert.ok(goAway && [PROTOCOL_ERROR, ENHANCE_YOUR_CALM].includes(goAway.payload.readUInt32BE(4)));
  }),
);

test(
  'frames of a wrong length after an error of the connection do not end the server (CVE-2026-27135)',
  onServer(async ({ peer, check }) => {
    const errors = {
      'too large a window': frame(Frame.WINDOW_UPDATE, 0, 0, u32(0x7fff_ffff)),
      'an idle stream': frame(Frame.DATA, 0, 99, Buffer.alloc(9)),
      'a stream of the server': frame(Frame.HEADERS, END_HEADERS, 2, callHeaders('/x')),
      'a pushed stream': frame(Frame.PUSH_PROMISE, END_HEADERS, 1, u32(2)),
      'bad settings': settings([Setting.INITIAL_WINDOW_SIZE, 0x8000_0000]),
    };
    for (const [name, error] of Object.entries(errors)) {
      for (const [type, length] of Object.values(Frame).flatMap((type) => [0, 3, 7].map((length) => [type, length]))) {
        const attacker = peer();
        const stream = type === Frame.PING || type === Frame.SETTINGS || type === Frame.GOAWAY ? 0 : 1;
        await attacker.send(error, frame(type as number, 0, stream, Buffer.alloc(length as number)), error);
        await attacker.closed(`${name}, frame ${type} with ${length} bytes`);
      }
      await check();
    }
  }),
);

test(
  'a header list that grows in the dynamic table of HPACK is answered with 431, not stored',
  onServer(async ({ peer, check }) => {
    const attacker = peer();
    const filler = field('x-filler', 'x'.repeat(3900), true);
    await attacker.send(frame(Frame.HEADERS, END_HEADERS | END_STREAM, 1, Buffer.concat([callHeaders('/x'), filler])));
    // Each byte 0xbe is that field: 16 KB of frame are 50 MB of fields.
    for (let n = 1; n <= 50; n++) {
      const bomb = Buffer.concat([callHeaders('/x'), Buffer.alloc(16_000, 0xbe)]);
      await attacker.send(frame(Frame.HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, bomb));
      await check();
    }
    await attacker.ping('an answer after the bombs');
    assert.is(attacker.received.filter(({ type }) => type === Frame.HEADERS).length, 51);
  }),
);

test(
  'CONTINUATION frames without an end close the connection (CVE-2024-28182)',
  onServer(async ({ peer, check }) => {
    for (const payload of [Buffer.alloc(0), field('x', 'y'.repeat(16_000))]) {
      const attacker = peer();
      await attacker.send(frame(Frame.HEADERS, 0, 1, callHeaders('/x')));
      for (let n = 0; n < 1000 && !attacker.isClosed; n++) {
        await attacker.send(frame(Frame.CONTINUATION, 0, 1, payload));
        if (n % 100 === 0) await check();
      }
      await attacker.closed('the end of the connection');
    }
  }),
);

test(
  'answers that a client never reads, because its window is closed, are dropped beyond 8 MiB',
  onServer(async ({ peer, check }) => {
    for (const window of [0, 1]) {
      const attackers: Http2Peer[] = [];
      for (let n = 0; n < 5; n++) {
        // Not earlier: the server waits only for a while for HTTP/2.
        const attacker = peer(false);
        attackers.push(attacker);
        await attacker.send(preface, settings([Setting.INITIAL_WINDOW_SIZE, window]));
        for (let i = 0; i < 300; i++) await attacker.send(call(2 * i + 1, reflectionPath, describe));
        await check();
      }
      for (const attacker of attackers) {
        await attacker.ping('an answer');
        assert.not.ok(attacker.isClosed);
        attacker.end();
      }
    }
  }),
);

test(
  'a client that does not read from its socket is not read from, and delays no other',
  onServer(async ({ peer, check }) => {
    const attacker = peer();
    attacker.socket.pause();
    await attacker.send(frame(Frame.WINDOW_UPDATE, 0, 0, u32(0x7fff_0000)));
    let sent = 0;
    void (async () => {
      for (let n = 0; n < 4000; n++) {
        await attacker.send(call(2 * n + 1, reflectionPath, describe));
        sent++;
      }
    })();
    let last = -1;
    await eventually('the kernel takes no more', async () => {
      await check();
      const isSame = sent === last;
      last = sent;
      // `check` has let time pass.
      return isSame;
    });
    await check();
    attacker.socket.resume();
    await eventually('it is served again', () => sent === 4000);
    await attacker.ping('an answer after all of them');
  }),
);

test(
  'windows beyond 2^31 - 1 are errors of the stream or the connection',
  onServer(async ({ peer, wait, check }) => {
    const stream = peer();
    await stream.send(call(1, waitPath, wait), frame(Frame.WINDOW_UPDATE, 0, 1, u32(0x7fff_ffff)));
    assert.is(await stream.errorCode('RST_STREAM'), FLOW_CONTROL_ERROR);
    await stream.ping('the connection is left');
    const connection = peer();
    await connection.send(frame(Frame.WINDOW_UPDATE, 0, 0, u32(0x7fff_ffff)));
    assert.is(await connection.errorCode('GOAWAY'), FLOW_CONTROL_ERROR);
    await connection.closed('its end');
    const initial = peer();
    await initial.send(call(1, waitPath, wait), settings([Setting.INITIAL_WINDOW_SIZE, 0x8000_0000]));
    assert.is(await initial.errorCode('GOAWAY'), FLOW_CONTROL_ERROR);
    const sending = peer();
    await sending.send(frame(Frame.HEADERS, END_HEADERS, 1, callHeaders(waitPath)));
    // More than the windows of 65,535 bytes, which a stream that is not read keeps closed.
    const data = Array.from({ length: 5 }, () => frame(Frame.DATA, 0, 1, Buffer.alloc(16_384)));
    await sending.send(frame(Frame.HEADERS, END_HEADERS, 3, callHeaders(reflectionPath)));
    await sending.send(...data.map((_, i) => frame(Frame.DATA, 0, 3, Buffer.alloc(16_384, i === 0 ? 0 : 1))));
    await sending.errorCode('the end of the stream');
    await check();
  }),
);

test(
  'floods of PING, SETTINGS, PRIORITY and empty DATA queue nothing without a limit',
  onServer(async ({ peer, check }) => {
    const floods = {
      ping: frame(Frame.PING, 0, 0, Buffer.from('12345678')),
      settings: settings([Setting.HEADER_TABLE_SIZE, 4096]),
      priority: frame(Frame.PRIORITY, 0, 7, Buffer.concat([u32(0), Buffer.from([9])])),
      data: frame(Frame.DATA, 0, 1),
      unknown: frame(0xee, 0, 1, Buffer.alloc(8)),
    };
    for (const [name, one] of Object.entries(floods)) {
      const attacker = peer();
      await attacker.send(frame(Frame.HEADERS, END_HEADERS, 1, callHeaders(reflectionPath)));
      attacker.socket.pause();
      const many = Buffer.concat(Array.from({ length: 1000 }, () => one));
      let sent = 0;
      void (async () => {
        for (; sent < 200 && !attacker.isClosed; sent++) await attacker.send(many);
      })();
      let last = -1;
      await eventually(`${name}: all is sent, or no more is taken`, async () => {
        await check();
        const isSame = sent === last;
        last = sent;
        return isSame || sent === 200;
      });
      await check();
      attacker.end();
    }
  }),
);

test(
  'frames on closed and idle streams do not end the server, and DATA there does not close the window of the connection',
  onServer(async ({ peer, path, check }) => {
    const client = peer();
    await client.send(call(1, '/none/None', Buffer.alloc(0)));
    await client.frame('the answer', ({ type, stream }) => type === Frame.HEADERS && stream === 1);
    // Ten times the window, which the server opens again.
    for (let n = 0; n < 40; n++) await client.send(frame(Frame.DATA, 0, 1, Buffer.alloc(16_384)));
    await eventually('an open window', () => {
      const updates = client.received.filter(({ type, stream }) => type === Frame.WINDOW_UPDATE && stream === 0);
      return client.isClosed || updates.reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0) > 500_000;
    });
    const idle = peer();
    await idle.send(frame(Frame.DATA, 0, 99, Buffer.alloc(100)));
    assert.is(await idle.errorCode('GOAWAY'), PROTOCOL_ERROR);
    await idle.closed('its end');
    assert.ok(path);
    await check();
  }),
);

test(
  'a client that connects and sends nothing, or half of the preface, is disconnected',
  onServer(async ({ peer, check }) => {
    const silent = [peer(false), peer(false), peer(false)];
    await silent[1]!.send(preface.subarray(0, 10));
    await silent[2]!.send(preface.subarray(0, 30));
    for (const one of silent) await one.closed('the end of the connection');
    const wrong = peer(false);
    await wrong.send(Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n'));
    await wrong.closed('the end of HTTP/1');
    await check();
  }),
);

test(
  'of hundreds of connections, those beyond 256 are closed, and earlier clients are served',
  onServer(async ({ peer, wait, check }) => {
    const clients = Array.from({ length: 400 }, () => peer());
    await eventually('145 refusals', () => clients.filter(({ isClosed }) => isClosed).length >= 145);
    for (const client of clients.filter(({ isClosed }) => !isClosed)) {
      // Messages that are announced, and never complete.
      await client.send(
        frame(Frame.HEADERS, END_HEADERS, 1, callHeaders(waitPath)),
        frame(Frame.DATA, 0, 1, Buffer.concat([Buffer.from([0]), u32(4 << 20), Buffer.alloc(16_000)])),
      );
    }
    await check();
    for (const client of clients.filter(({ isClosed }) => !isClosed)) {
      for (let n = 0; n < 2; n++) await client.send(frame(Frame.DATA, 0, 1, Buffer.alloc(16_000)));
      await client.send(call(3, waitPath, wait));
    }
    await check();
  }),
);

test(
  'beyond 8,192 calls a client gets RESOURCE_EXHAUSTED, and others go on when it has left',
  onServer(async ({ peer, wait, check }) => {
    const attackers = [peer(), peer(), peer()];
    for (const attacker of attackers)
      for (let n = 0; n < 4000; n += 100)
        await attacker.send(...Array.from({ length: 100 }, (_, i) => call(2 * (n + i) + 1, waitPath, wait)));
    for (const attacker of attackers) await attacker.ping('an answer');
    const refused = attackers.map(({ received }) => received.filter(({ type }) => type === Frame.HEADERS).length);
    assert.ok(refused.reduce((sum, n) => sum + n) >= 12_000 - 8192, `${refused}`);
    for (const attacker of attackers) attacker.end();
    await eventually('calls are free again', () =>
      check().then(
        () => true,
        () => false,
      ),
    );
  }),
);

test(
  'a stream whose messages are not read keeps its window closed, in both directions',
  onServer(async ({ peer, check }) => {
    const attacker = peer();
    await attacker.send(frame(Frame.HEADERS, END_HEADERS, 1, callHeaders(reflectionPath)));
    const data = frame(Frame.DATA, 0, 1, Buffer.concat(Array.from({ length: 500 }, () => message(describe))));
    for (let n = 0; n < 5; n++) {
      await attacker.send(data);
      await check();
    }
    // Its answers of 20 KB each fill the window of 64 KiB: so does the server stop to read requests.
    await attacker.errorCode('the client has ignored the window');
  }),
);

test.run();
