/** `runt resume`: resumes a paused container. */
import { resume } from '../../container/pause.js';
import type { Call } from '../command-syntax.js';
import { rootDirectory } from '../root-directory.js';

export async function command({ global, args }: Call<'resume'>): Promise<number> {
  await resume({ root: rootDirectory(global), id: args[0]! });
  return 0;
}
