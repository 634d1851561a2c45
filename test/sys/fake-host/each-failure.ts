/** Every possible failure of an operation: it is run once for each of its calls, which then fails. */
import { E } from '../../../src/sys/errno.js';
import type { FakeKernel } from './fake-kernel.js';

export interface Outcome {
  readonly kernel: FakeKernel;
  /** The call that failed, as in `calls`, without its result. */
  readonly call: string;
  /** The exception of the operation; undefined if it succeeded anyway. */
  readonly error: unknown;
  /** The descriptors that it left open, except for the root's, which stays open. */
  readonly leftOpen: readonly string[];
}

/** Runs `act` on a new kernel for each of its calls that can fail; that call returns `errno`. */
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
