/** Frames to and from runt-init: split anywhere, too long, damaged, with descriptors. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { InitChannel, type Report } from '../../../src/container/launch/init-channel.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { fdPair } from '../../../src/sys/fds.js';
import { native } from '../../../src/sys/host.js';
import { Protocol } from '../../../src/sys/protocol.js';
import { OpenInode, Transcript } from '../../sys/fake-host/descriptors.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import { frameOf } from '../../sys/fake-host/scripted-init.js';
import type { SocketEnd } from '../../sys/fake-host/sockets.js';

const test = suite('init channel');

function connected(): { kernel: FakeKernel; channel: InitChannel; end: SocketEnd; next: () => Promise<Report> } {
  const kernel = new FakeKernel();
  const pair = new Uint8Array(16);
  native.socketPair(pair);
  const [ours, theirs] = fdPair(pair);
  const end = kernel.descriptors.get(theirs) as SocketEnd;
  end.hold();
  native.close(theirs);
  const channel = new InitChannel(ours);
  return { kernel, channel, end, next: () => kernel.finish(channel.next()) };
}

async function failure(work: Promise<unknown>): Promise<[string, string]> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof RuntError)) throw error ?? new Error('it did not fail');
  return [error.code, error.message];
}

const joined = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

test('send writes the length in 32 bits, then the bytes', () => {
  const { channel, end } = connected();
  channel.send(new TextEncoder().encode('plan'));
  assert.is(end.text(), '\x04\0\0\0plan');
});

test('send refuses a plan that is too long for runt-init before it writes a byte', () => {
  const { kernel, channel } = connected();
  const large = new Uint8Array(Protocol.PLAN_MAX + 1);
  assert.throws(() => channel.send(large), /it has 16777217 bytes, more than 16777216/);
  const half = large.subarray(0, 8 << 20);
  assert.throws(() => channel.send(half, half, large.subarray(0, 1)), /it has 16777217 bytes, more than 16777216/);
  assert.not.ok(kernel.calls.some((call) => call.startsWith('write(')));
});

test('go sends one byte, and after the hooks also the pid', () => {
  const { channel, end } = connected();
  channel.sendGo();
  channel.sendGo(0x0102);
  const message = end.receive(100);
  assert.equal(typeof message === 'number' ? [] : [...message.data], [Protocol.GO]);
  const withPid = end.receive(100);
  assert.equal(typeof withPid === 'number' ? [] : [...withPid.data], [Protocol.GO, 2, 1, 0, 0]);
});

test('send ignores a peer that has ended, and reports other failures', () => {
  const { kernel, channel } = connected();
  kernel.failAt('write', 1, E.EPIPE);
  channel.send(new Uint8Array(4));
  kernel.failAt('write', 1, E.ENOBUFS);
  assert.throws(() => channel.send(new Uint8Array(4)), /send the plan to runt-init: ENOBUFS/);
});

test('next reads reports that arrive together, byte by byte, or in halves', async () => {
  const { end, next } = connected();
  const error = frameOf(['error', '3', '13', 'mount', '/proc']);
  end.send(joined(frameOf(['created']), error));
  assert.is((await next()).kind, 'created');
  const expected = { kind: 'error', index: 3, errno: 13, syscall: 'mount', detail: '/proc' };
  assert.equal(await next(), expected);
  for (const byte of error) end.send(Uint8Array.of(byte));
  assert.equal(await next(), expected);
  end.send(error.subarray(0, 7));
  end.send(joined(error.subarray(7), frameOf(['hooks'])));
  assert.equal(await next(), expected);
  assert.is((await next()).kind, 'hooks');
});

test('next reads a report that is longer than the first buffer', async () => {
  const { end, next } = connected();
  const detail = `/${'ü'.repeat(20_000)}`;
  end.send(frameOf(['error', '0', '2', 'open', detail]));
  const report = await next();
  assert.is(report.kind === 'error' && report.detail, detail);
});

test('next refuses a length beyond every report before it allocates memory for it', async () => {
  const { kernel, channel, end } = connected();
  end.send(Uint8Array.of(0xff, 0xff, 0xff, 0x7f));
  const before = kernel.calls.length;
  assert.equal(await failure(kernel.finish(channel.next())), [
    'ERR_INTERNAL',
    'runt-init sent a report of 2147483651 bytes',
  ]);
  assert.ok(kernel.calls.length - before < 6);
});

test('next refuses an unknown kind', async () => {
  for (const kind of ['toString', '', 'CREATED']) {
    const { kernel, channel, end } = connected();
    end.send(frameOf([kind]));
    assert.equal(await failure(kernel.finish(channel.next())), ['ERR_INTERNAL', `runt-init sent a report "${kind}"`]);
  }
});

test('next reports the end of a peer at once, in the middle of a report, or when it was killed', async () => {
  const ended = connected();
  ended.end.drop();
  assert.equal(await ended.next(), { kind: 'eof' });
  const cut = connected();
  cut.end.send(frameOf(['created']).subarray(0, 6));
  cut.end.drop();
  assert.equal(await cut.next(), { kind: 'eof' });
  const killed = connected();
  killed.end.drop();
  killed.kernel.failAt('receiveFds', 1, E.ECONNRESET);
  assert.equal(await killed.next(), { kind: 'eof' });
});

test('next does not take a failed read for the end of the peer', async () => {
  const { kernel, channel, end } = connected();
  end.send(frameOf(['created']));
  kernel.failAt('receiveFds', 1, E.EIO);
  assert.equal(await failure(kernel.finish(channel.next())), [
    'ERR_INIT',
    'read from runt-init: EIO (input/output error)',
  ]);
});

test('a descriptor belongs to the report that it arrived with', async () => {
  const { kernel, end, next } = connected();
  end.send(frameOf(['pid', '4', '77']), [new Transcript('pidfd of 77')]);
  const report = await next();
  assert.equal({ ...report, pidfd: 0 }, { kind: 'pid', index: 4, pid: 77, pidfd: 0 });
  assert.is(report.kind === 'pid' && kernel.descriptors.get(report.pidfd)?.shown, 'pidfd of 77');
  end.send(frameOf(['pid', '4', '77']));
  assert.equal(await next(), { kind: 'pid', index: 4, pid: 77, pidfd: -1 }, 'without a descriptor');
});

test('the times of spans are numbers of 64 bits', async () => {
  const { end, next } = connected();
  end.send(frameOf(['trace', '0', '9007199254740993', '9007199254740995', '1', '5', '6']));
  assert.equal(await next(), {
    kind: 'trace',
    spans: [
      { index: 0, start: 9007199254740993n, end: 9007199254740995n },
      { index: 1, start: 5n, end: 6n },
    ],
  });
});

/** The page for a last report, with these fields. */
function page(kernel: FakeKernel, fields: readonly string[]): OpenInode {
  const inode = kernel.tree.file('/page', `${fields.map((field) => `${field}\0`).join('')}\0\0`);
  return new OpenInode(inode, 0);
}

test("a last report that the peer's own seccomp filter prevented is read from the page", async () => {
  const { kernel, channel, end, next } = connected();
  end.send(frameOf(['words']), [page(kernel, ['error', '9', '1', 'seccomp', 'why'])]);
  end.send(frameOf(['exec']));
  assert.is((await next()).kind, 'exec');
  end.drop();
  assert.equal(await next(), { kind: 'error', index: 9, errno: 1, syscall: 'seccomp', detail: 'why' });
  assert.equal(await next(), { kind: 'eof' }, 'the page is reported once');
  channel.close();
  assert.equal(kernel.open, []);
});

test('an empty page is not a report', async () => {
  const { kernel, channel, end, next } = connected();
  end.send(frameOf(['words']), [page(kernel, [])]);
  end.drop();
  assert.equal(await next(), { kind: 'eof' });
  channel.close();
  assert.equal(kernel.open, []);
});

test('close closes the socket and the page, once', async () => {
  const { kernel, channel, end, next } = connected();
  end.send(frameOf(['words']), [page(kernel, [])]);
  end.send(frameOf(['created']));
  await next();
  channel.close();
  channel.close();
  assert.equal(kernel.open, []);
});

test.run();
