/** `runt pause`: stops all processes of a container. */
import { pause } from '../container/pause.js';
import { rootDirectory } from './root.js';
import type { Call } from './syntax.js';

export async function command({ global, args }: Call<'pause'>): Promise<number> {
  await pause({ root: rootDirectory(global), id: args[0]! });
  return 0;
}
