/** `runt create`: creates a container, which waits for `start`. */
import { create } from '../../container/create.js';
import type { Call } from '../command-syntax.js';
import { createOptions } from '../create-options.js';

export async function command(call: Call<'create'>): Promise<number> {
  await create(createOptions('create', call));
  return 0;
}
