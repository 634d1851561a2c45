/** Waits of streaming calls: an outcome, the client's cancellation, the server's end. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { OpenCalls } from '../../../src/shim/containers/open-calls.js';
import { Outcome } from '../../../src/shim/containers/outcome.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import { FakeCall } from './fake-call.js';

const text = { decode: (bytes: Uint8Array) => ({ text: new TextDecoder().decode(bytes) }) };

function waiting<T>(outcome: Outcome<T>) {
  const calls = new OpenCalls();
  const serve = calls.handler(async (call) => {
    await call.stream.send(new TextEncoder().encode(String(await call.wait(outcome))));
  });
  return { calls, begin: () => new FakeCall(text).begin(serve) };
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await undefined;
};

test('all calls get an outcome, also one that begins later, and an error as well', async () => {
  let settle!: (value: number) => void;
  const { begin } = waiting(
    new Outcome(
      new Promise<number>((s) => {
        settle = s;
      }),
    ),
  );
  const calls = [begin(), begin()];
  await turns();
  assert.equal(
    calls.map(({ end }) => end),
    [undefined, undefined],
  );
  settle(7);
  await turns();
  calls.push(begin());
  await turns();
  for (const { sent, end } of calls) assert.equal([sent, end], [[{ text: '7' }], 'OK']);
  const failing = waiting(new Outcome(Promise.reject(new Error('lost')))).begin();
  await turns();
  assert.is(failing.end, '2 Error: lost');
});

test('a cancelled call ends alone and leaves no listener; the end of the server ends the others', async () => {
  const kernel = new FakeKernel();
  let listeners = 0;
  const outcome = {
    listen: () => {
      listeners++;
      return () => {
        listeners--;
      };
    },
  } as unknown as Outcome<number>;
  const { calls, begin } = waiting(outcome);
  const [one, two] = [begin(), begin()];
  await turns();
  assert.equal([listeners, calls.size], [2, 2]);
  one.cancel();
  await turns();
  assert.equal([one.end, two.end, listeners, calls.size], ['1 the call is cancelled', undefined, 1, 1]);
  await kernel.finish(calls.close(1000));
  const late = begin();
  await turns();
  assert.equal([two.end, late.end, listeners, calls.size], ['14 the server ends', '14 the server ends', 0, 0]);
});

test.run();
