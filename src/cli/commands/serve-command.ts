/** `runt serve`: the task service over gRPC, for scripts, or for containerd with its pods. */
import { shimRoot } from '../../shim/task/state-root.js';
import { host } from '../../sys/host.js';
import { absolute } from '../absolute-path.js';
import { usageError } from '../arguments.js';
import type { Call } from '../command-syntax.js';
import { rootDirectory } from '../root-directory.js';

export async function command({ global, flags }: Call<'serve'>): Promise<number> {
  const { listen, containerd: address } = flags;
  if (listen === undefined && !host.env.LISTEN_FDS)
    throw usageError('serve', '--listen is missing: give the socket, such as --listen unix:///run/runt.sock');
  for (const flag of ['containerd-root', 'containerd-state'] as const) {
    if (flags[flag] !== undefined && address === undefined)
      throw usageError('serve', `--${flag} needs --containerd: give the socket of that containerd`);
  }
  const { serve } = await import('../../shim/serve-api.js');
  await serve({
    ...(listen !== undefined && { listen }),
    root: address !== undefined && !global.root ? shimRoot : rootDirectory(global),
    debug: global.debug ?? false,
    ...(address !== undefined && {
      containerd: {
        address: absolute(address),
        root: absolute(flags['containerd-root'] ?? '/var/lib/containerd'),
        state: absolute(flags['containerd-state'] ?? '/run/containerd'),
      },
    }),
  });
  return 0;
}
