/** `runt pause`: stops all processes of a container. */
import { pause } from '../../container/pause.js';
import type { Call } from '../command-syntax.js';
import { rootDirectory } from '../root-directory.js';

export async function command({ global, args }: Call<'pause'>): Promise<number> {
  await pause({ root: rootDirectory(global), id: args[0]! });
  return 0;
}
