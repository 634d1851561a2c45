/** The answers of `delete` that the keeper of a node holds, on the fake host. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bundleAge, bundleIdentity } from '../../../src/shim/node/bundle-identity.js';
import { HeldAnswers } from '../../../src/shim/node/held-answers.js';
import { task } from '../../../src/shim/transport/protos.js';
import { native } from '../../../src/sys/host.js';
import { interruptWaits, sleep } from '../../../src/sys/waiting/loop.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';

const test = suite('held answers');

process.on('unhandledRejection', (error) => {
  if (!(error instanceof Error) || error.message !== 'over') throw error;
});

const service = 'containerd.task.v3.Task';
const response = task.DeleteResponse.encode({ pid: 7, exitStatus: 42 }).finish();

/** A keeper whose server has the container `c` of the namespace `ns`, or not. */
class Bed {
  readonly kernel = new FakeKernel();
  has: boolean | Promise<boolean> = false;
  asked = 0;
  readonly answers = new HeldAnswers(async () => {
    this.asked++;
    return this.has;
  });

  /** The identity of a new bundle at /b. */
  bundle(): string {
    this.kernel.tree.file('/b/bootstrap.json', String(native.realtime()));
    return bundleIdentity('/b')!;
  }

  /** Holds an answer: whether it is, and the pipe of `delete`. */
  async delete(bundle: string) {
    const fds = new BigInt64Array(2);
    assert.is(native.pipe(new Uint8Array(fds.buffer)), 0);
    const [out = -1, input = -1] = [...fds].map(Number);
    const isHeld = await this.kernel.finish(this.answers.hold('ns/c', bundle, input));
    const data = new Uint8Array(200);
    let length = 0;
    /** The status in the answer; undefined while it is held, -1 if it has none. */
    const answer = (): number | undefined => {
      for (;;) {
        if (native.isReadable(out) !== 1) return undefined;
        const n = native.read(out, data.subarray(length));
        if (n === 0) break;
        length += n;
      }
      const { pid, exitStatus } = task.DeleteResponse.decode(data.subarray(0, length));
      return pid === 0 ? -1 : exitStatus;
    };
    return { isHeld, answer };
  }

  /** Ends what still waits. */
  async over(): Promise<void> {
    await this.wait(1000);
    while (interruptWaits(new Error('over'))) await new Promise((next) => setImmediate(next));
  }

  create(bundle = '/b'): void {
    this.answers.calling(`${service}/Create`, 'ns', task.CreateTaskRequest.encode({ id: 'c', bundle }).finish());
  }

  deleted(): void {
    this.answers.called(`${service}/Delete`, 'ns', task.DeleteRequest.encode({ id: 'c' }).finish(), response);
  }

  wait(ms: number): Promise<void> {
    return this.kernel.finish(sleep(ms));
  }
}

/** An identity of that age in ms. */
const aged = (ms: number): string => `1:2:${native.realtime() - BigInt(ms) * 1_000_000n}`;

test('the answer of a container is held until Delete, and has its status', async () => {
  const bed = new Bed();
  const bundle = bed.bundle();
  bed.create();
  const { isHeld, answer } = await bed.delete(bundle);
  await bed.wait(100_000);
  assert.equal([isHeld, answer(), bed.asked], [true, undefined, 0]);
  bed.deleted();
  await bed.wait(1000);
  assert.is(answer(), 42);
  await bed.over();
});

test('a delete before Create is held for as long as a busy machine may need, without a question', async () => {
  const bed = new Bed();
  const { isHeld, answer } = await bed.delete(aged(100));
  await bed.wait(50_000);
  assert.equal([isHeld, bed.asked], [true, 0]);
  bed.create();
  await bed.wait(100_000);
  assert.is(answer(), undefined);
  await bed.over();
});

test('without a Create it ends, but for a container that the server has', async () => {
  for (const has of [false, true]) {
    const bed = new Bed();
    bed.has = has;
    const { answer } = await bed.delete(aged(100));
    await bed.wait(70_000);
    assert.equal([answer(), bed.asked], [has ? undefined : -1, 1]);
    await bed.over();
  }
});

test('a delete after Delete is answered at once; one of a later container with the same id is held', async () => {
  const bed = new Bed();
  const first = bed.bundle();
  bed.create();
  bed.deleted();
  const again = await bed.delete(first);
  assert.equal([again.isHeld, again.answer()], [true, 42]);
  const later = await bed.delete(aged(0));
  bed.create();
  await bed.wait(100_000);
  assert.equal([later.isHeld, later.answer()], [true, undefined]);
  await bed.over();
});

test('a delete after a failed Create is left to the caller, and ends one that is held', async () => {
  const bed = new Bed();
  const bundle = bed.bundle();
  bed.create();
  const { isHeld, answer } = await bed.delete(bundle);
  bed.answers.called(`${service}/Create`, 'ns', task.CreateTaskRequest.encode({ id: 'c' }).finish());
  await bed.wait(1000);
  assert.equal([isHeld, answer()], [true, -1]);
  assert.is((await bed.delete(bundle)).isHeld, false);
  await bed.over();
});

test('an old bundle of no container is left to the caller, and one of a server that does not answer is held', async () => {
  const bed = new Bed();
  assert.is((await bed.delete(aged(100_000))).isHeld, false);
  bed.has = new Promise(() => {});
  const { isHeld, answer } = await bed.delete(aged(100_000));
  assert.equal([isHeld, answer()], [true, undefined]);
  await bed.over();
});

test('an identity has an age only if it has a time', () => {
  const bed = new Bed();
  assert.is(bundleIdentity('/none'), undefined);
  assert.ok(bundleAge(bed.bundle()) >= 0);
  for (const text of ['', '1:2', '1:2:x', '1:2:99999999999999999999'])
    assert.is(bundleAge(text), Number.POSITIVE_INFINITY);
});

test.run();
