/** `runt create`: creates a container, which waits for `start`. */
import { create } from '../../container/create.js';
import type { Call } from '../command-syntax.js';
import { createOptions, loggingOf } from '../create-options.js';

export async function command(call: Call<'create'>): Promise<number> {
  await create({ ...createOptions('create', call), ...(await loggingOf(call.global)) });
  return 0;
}
