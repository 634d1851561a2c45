/** The deletes that a server holds, on the fake host: which ids, until when, and with which answer. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeldDeletes } from '../../../src/shim/holds/held-deletes.js';
import { holdNo, holdYes, restOfAnswer } from '../../../src/shim/holds/hold-socket.js';
import { nulList } from '../../../src/sys/nul-list.js';
import { Protocol } from '../../../src/sys/protocol.js';
import { interruptWaits, sleep } from '../../../src/sys/waiting/loop.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import type { SocketEnd } from '../../sys/fake-host/sockets.js';

const test = suite('held deletes');
const path = '/run/s/a.hold';
const response = new Uint8Array([8, 42]);

process.on('unhandledRejection', (error) => {
  if (!(error instanceof Error) || error.message !== 'over') throw error;
});

/** A server with some requests. */
class Bed {
  readonly kernel = new FakeKernel();
  readonly holds = new HeldDeletes();

  constructor() {
    this.kernel.tree.directory('/run/s');
    this.holds.serve(this.kernel.performs('unixListen')(-100, path, 128));
  }

  wait(ms: number): Promise<void> {
    return this.kernel.finish(sleep(ms));
  }

  /** Sends a request; the connection and the byte of the answer, if there is one. */
  async ask(request: Uint8Array, trusted = true): Promise<{ end: SocketEnd; answer: number | undefined }> {
    const end = this.kernel.sockets.connect(path, trusted);
    end.send(request);
    await this.wait(10);
    return { end, answer: bytes(end, 1)?.[0] };
  }

  delete(id: string) {
    return this.ask(nulList(['hold', id]));
  }

  async over(): Promise<void> {
    await this.wait(1000);
    while (interruptWaits(new Error('over'))) await new Promise((next) => setImmediate(next));
  }
}

/** What has arrived; undefined if nothing has, empty at the end of the connection. */
function bytes(end: SocketEnd, max = 100): Uint8Array | undefined {
  if (!end.readable) return undefined;
  const data = new Uint8Array(max);
  return data.slice(0, end.read(data));
}

const on = (f: (bed: Bed) => Promise<void>) => async () => {
  const bed = new Bed();
  await f(bed);
  await bed.over();
};

test(
  'an id that the server does not have is not held, and a malformed request is not answered',
  on(async (bed) => {
    const { end, answer } = await bed.delete('web');
    assert.equal([answer, bytes(end)], [holdNo, new Uint8Array()]);
    for (const request of [nulList(['hold']), nulList(['take', 'web']), nulList(['hold', 'web', 'db'])])
      assert.is((await bed.ask(request)).answer, undefined);
    assert.is((await bed.ask(new TextEncoder().encode('hold\0web'))).answer, undefined);
  }),
);

test(
  'a client of another user is not answered',
  on(async (bed) => {
    bed.holds.begin('web');
    assert.is((await bed.ask(nulList(['hold', 'web']), false)).answer, undefined);
  }),
);

test(
  'a client that sends nothing is disconnected',
  on(async (bed) => {
    const end = bed.kernel.sockets.connect(path);
    await bed.wait(9900);
    assert.is(bytes(end), undefined);
    await bed.wait(200);
    assert.equal(bytes(end), new Uint8Array());
  }),
);

test(
  'a further container of a pod, which has no start, is held before its Create, and not after its Delete',
  on(async (bed) => {
    const { end, answer } = await bed.ask(nulList(['await', 'web']));
    assert.is(answer, holdYes);
    await bed.wait(59_000);
    bed.holds.begin('web');
    await bed.wait(2000);
    assert.is(bytes(end), undefined);
    bed.holds.end('web', response);
    await bed.wait(300);
    assert.equal([bytes(end), bytes(end)], [restOfAnswer(response), new Uint8Array()]);
    assert.is((await bed.ask(nulList(['await', 'web']))).answer, holdNo);
  }),
);

test(
  'the holder of one that is never created is let go after a minute, or when containerd deletes it',
  on(async (bed) => {
    const { end } = await bed.ask(nulList(['await', 'web']));
    await bed.wait(59_000);
    assert.is(bytes(end), undefined);
    await bed.wait(2000);
    assert.equal(bytes(end), new Uint8Array());
    const { end: other } = await bed.ask(nulList(['await', 'db']));
    bed.holds.end('db');
    await bed.wait(300);
    assert.equal(bytes(other), new Uint8Array());
  }),
);

test(
  'the server remembers the last 256 ids that it had',
  on(async (bed) => {
    for (let i = 0; i < 257; i++) bed.holds.end(`c${i}`);
    assert.is((await bed.ask(nulList(['await', 'c1']))).answer, holdNo);
    assert.is((await bed.ask(nulList(['await', 'c0']))).answer, holdYes);
  }),
);

test(
  'start makes the server expect an id: its delete before Create is held until Delete was answered',
  on(async (bed) => {
    assert.is((await bed.ask(nulList(['expect', 'web']))).answer, holdYes);
    const { end, answer } = await bed.delete('web');
    assert.is(answer, holdYes);
    bed.holds.begin('web');
    await bed.wait(60_000);
    assert.is(bytes(end), undefined);
    bed.holds.end('web', response);
    await bed.wait(100);
    assert.is(bytes(end), undefined, 'containerd may not have the response of Delete yet');
    await bed.wait(200);
    assert.equal([bytes(end), bytes(end)], [restOfAnswer(response), new Uint8Array()]);
    assert.is((await bed.delete('web')).answer, holdNo);
  }),
);

test(
  'Shutdown, which containerd calls after Delete, ends the delete at once; that of another id does not',
  on(async (bed) => {
    for (const id of ['web', 'db']) bed.holds.begin(id);
    const [web, db] = [await bed.delete('web'), await bed.delete('db')];
    bed.holds.end('web', response);
    bed.holds.forgotten('db');
    bed.holds.forgotten('web');
    assert.equal([bytes(web.end), bytes(db.end)], [restOfAnswer(response), undefined]);
  }),
);

test(
  'the delete of a container that could not be created ends without an answer: its holder deletes',
  on(async (bed) => {
    bed.holds.begin('web');
    const { end } = await bed.delete('web');
    bed.holds.end('web');
    await bed.wait(300);
    assert.equal(bytes(end), new Uint8Array());
  }),
);

test(
  'a container with the id of one that was deleted just now has a delete of its own',
  on(async (bed) => {
    bed.holds.begin('web');
    const first = await bed.delete('web');
    bed.holds.end('web', response);
    bed.holds.begin('web');
    assert.equal(bytes(first.end), restOfAnswer(response));
    const second = await bed.delete('web');
    await bed.wait(1000);
    assert.equal([second.answer, bytes(second.end)], [holdYes, undefined]);
    bed.holds.end('web', new Uint8Array([8, 43]));
    bed.holds.forgotten('web');
    assert.equal(bytes(second.end), restOfAnswer(new Uint8Array([8, 43])));
  }),
);

test(
  'a second delete while containerd still reads the first one is not held: containerd gives the container up',
  on(async (bed) => {
    bed.holds.begin('web');
    const first = await bed.delete('web');
    first.end.onMessage = (end) => {
      if (bytes(end)?.[0] === Protocol.HOLD_ASK) end.send(String.fromCharCode(Protocol.HOLD_READ));
    };
    const second = await bed.delete('web');
    assert.equal([second.answer, bytes(second.end)], [holdNo, new Uint8Array()]);
    first.end.onMessage = undefined;
    await bed.wait(300);
    assert.equal(bytes(first.end), new Uint8Array(), 'nor does the first one stay open');
  }),
);

test(
  'the delete of a restarted containerd is held: the earlier one has no reader',
  on(async (bed) => {
    bed.holds.begin('web');
    const gone = await bed.delete('web');
    gone.end.drop();
    assert.is((await bed.delete('web')).answer, holdYes);
    bed.holds.begin('db');
    const late = await bed.delete('db');
    // A holder on a busy machine: it has not seen yet that its reader has ended.
    const second = bed.kernel.sockets.connect(path);
    second.send(nulList(['hold', 'db']));
    await bed.wait(400);
    assert.is(bytes(second), undefined);
    await bed.wait(200);
    assert.equal(bytes(second), new Uint8Array([holdYes]), 'within the second that a delete waits');
    assert.equal([bytes(late.end)?.[0], bytes(late.end)], [Protocol.HOLD_ASK, new Uint8Array()]);
  }),
);

test(
  'a container that is deleted while its second delete waits is not held',
  on(async (bed) => {
    bed.holds.begin('web');
    await bed.delete('web');
    const second = bed.kernel.sockets.connect(path);
    second.send(nulList(['hold', 'web']));
    await bed.wait(200);
    bed.holds.end('web', response);
    await bed.wait(400);
    assert.equal(bytes(second), new Uint8Array([holdNo]));
  }),
);

test.run();
