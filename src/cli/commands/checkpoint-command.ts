/** `runt checkpoint`: writes the processes of a container to image files. */
import { checkpoint } from '../../container/criu/checkpoint.js';
import { usageError } from '../arguments.js';
import { reportWarning } from '../command-log.js';
import type { Call } from '../command-syntax.js';
import { annotationPolicyOption } from '../create-options.js';
import { criuFlags, imagePaths } from '../criu-flags.js';
import { rootDirectory } from '../root-directory.js';

export async function command(call: Call<'checkpoint'>): Promise<number> {
  const { global, flags, args } = call;
  const server = flags['page-server'];
  await checkpoint({
    ...criuFlags('checkpoint', flags),
    ...imagePaths(flags),
    root: rootDirectory(global),
    id: args[0]!,
    ...(global.criu ? { criu: global.criu } : {}),
    leaveRunning: flags['leave-running'] === true,
    preDump: flags['pre-dump'] === true,
    linkRemap: flags['link-remap'] === true,
    tcpSkipInFlight: flags['tcp-skip-in-flight'] === true,
    ...(flags['parent-path'] ? { parentPath: flags['parent-path'] } : {}),
    ...(server ? { pageServer: pageServer(server) } : {}),
    ...(flags['status-fd'] === undefined ? {} : { statusFd: flags['status-fd'] }),
    ...annotationPolicyOption(global),
    warn: (sentence) => reportWarning(global, sentence),
  });
  return 0;
}

/** ADDRESS:PORT; an IPv6 address may be in brackets. */
function pageServer(text: string): { address: string; port: number } {
  const [, address = '', digits = ''] = /^\[?(.+?)\]?:([0-9]{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (address === '' || port < 1 || port > 65535) {
    throw usageError('checkpoint', `flag --page-server needs ADDRESS:PORT, not "${text}"`);
  }
  return { address, port };
}
