/** `runt serve`: the task service over gRPC, for scripts. */
import { usageError } from '../arguments.js';
import type { Call } from '../command-syntax.js';
import { rootDirectory } from '../root-directory.js';

export async function command({ global, flags }: Call<'serve'>): Promise<number> {
  if (flags.listen === undefined)
    throw usageError('serve', '--listen is missing: give the socket, such as --listen unix:///run/runt.sock');
  const { serve } = await import('../../shim/serve-api.js');
  await serve({ listen: flags.listen, root: rootDirectory(global), debug: global.debug ?? false });
  return 0;
}
