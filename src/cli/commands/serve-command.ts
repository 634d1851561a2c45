/** `runt serve`: the task service over gRPC, for scripts, or for containerd with its pods. */
import { shimRoot } from '../../shim/task/state-root.js';
import { host } from '../../sys/host.js';
import { absolute } from '../absolute-path.js';
import { usageError } from '../arguments.js';
import type { Call } from '../command-syntax.js';
import { rootDirectory } from '../root-directory.js';

export async function command({ global, flags }: Call<'serve'>): Promise<number> {
  const { listen, containerd: address, keeper, api } = flags;
  if (keeper !== undefined) {
    const { keep } = await import('../../shim/node/keeper.js');
    await keep(absolute(keeper), listen !== undefined);
    return 0;
  }
  if (listen === undefined && !host.env.LISTEN_FDS)
    throw usageError('serve', '--listen is missing: give the socket, such as --listen unix:///run/runt.sock');
  for (const flag of ['containerd-root', 'containerd-state', 'api', 'streaming'] as const) {
    if (flags[flag] !== undefined && address === undefined)
      throw usageError('serve', `--${flag} needs --containerd: give the socket of that containerd`);
  }
  const options = { ...(listen !== undefined && { listen }), debug: global.debug ?? false };
  if (address === undefined) {
    const { serve } = await import('../../shim/serve-api.js');
    await serve({ ...options, root: rootDirectory(global) });
    return 0;
  }
  const { serveNode } = await import('../../shim/node/serve-node.js');
  await serveNode({
    ...options,
    ...(api !== undefined && { api }),
    // That of the shim: runt --root finds the containers of both in one place.
    root: global.root ? rootDirectory(global) : shimRoot,
    streaming: flags.streaming ?? false,
    systemdCgroup: global['systemd-cgroup'] ?? false,
    containerd: {
      address: absolute(address),
      root: absolute(flags['containerd-root'] ?? '/var/lib/containerd'),
      state: absolute(flags['containerd-state'] ?? '/run/containerd'),
    },
  });
  return 0;
}
