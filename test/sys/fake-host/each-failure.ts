/** Every failure that an operation may meet: it is run again for each of its calls, which then fails. */
import { E } from '../../../src/sys/errno.js';
import type { FakeKernel } from './fake-kernel.js';

export interface Outcome {
  readonly kernel: FakeKernel;
  /** The call that failed, as in `calls`, without its result. */
  readonly call: string;
  /** What the operation threw; undefined when it succeeded all the same. */
  readonly error: unknown;
  /** What it left open, but for the root, whose descriptor is kept. */
  readonly leftOpen: readonly string[];
}

/** Runs `act` on a new kernel for each call of it that can fail; that call gives `errno`. */
export async function eachFailure(
  make: () => FakeKernel | Promise<FakeKernel>,
  act: (kernel: FakeKernel) => unknown,
  errno = E.EIO,
): Promise<Outcome[]> {
  for (const outcomes: Outcome[] = []; ; ) {
    const kernel = await make();
    const open = [...kernel.descriptors.all.keys()];
    kernel.calls.length = 0;
    kernel.failAt('*', outcomes.length + 1, errno);
    const error = await kernel.finish(Promise.resolve().then(() => act(kernel))).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (kernel.unreached.length > 0) return outcomes;
    const end = ` = ${E[errno]}`;
    const call = kernel.calls.find((text) => text.endsWith(end))?.slice(0, -end.length) ?? '';
    const leftOpen = [...kernel.descriptors.all]
      .filter(([fd, { shown }]) => !open.includes(fd) && shown !== kernel.root)
      .map(([, { shown }]) => shown);
    outcomes.push({ kernel, call, error, leftOpen });
  }
}
