/** The errors of calls of the built library that must fail. */
import { resolve } from 'node:path';
import * as assert from 'uvu/assert';
import type * as Library from '../../../src/library/index.js';

const { RuntError } = (await import(resolve('dist/index.js'))) as typeof Library;

/** The error of a call, which must be a RuntError. */
export async function failure(call: Promise<unknown>): Promise<Library.RuntError> {
  const error = await call.then(
    () => undefined,
    (e: unknown) => e,
  );
  assert.instance(error, RuntError);
  return error as Library.RuntError;
}
