/** `runt install`: makes engines run containers on runt. */
import { engineNames } from '../../engines/engine.js';
import { install } from '../../engines/install.js';
import { printable } from '../../plan/printable-text.js';
import { absolute } from '../absolute-path.js';
import { usageError } from '../arguments.js';
import { print } from '../command-output.js';
import type { Call } from '../command-syntax.js';

export async function command({ flags }: Call<'install'>): Promise<number> {
  const hostRoot = absolute(flags['host-root'] || '/');
  const named = flags['bin-dir'];
  if (named !== undefined && !named.startsWith('/'))
    throw usageError('install', `--bin-dir ${named} is not an absolute path of the host`);
  // Programs of another tree are not at this path for its engines.
  const binDirectory = named ?? (hostRoot === '/' ? undefined : '/usr/local/bin');
  await install({
    engines: engineNames.filter((name) => flags[name] === true),
    kubernetes: flags.kubernetes === true,
    hostRoot,
    ...(binDirectory !== undefined && { binDirectory: absolute(binDirectory) }),
    dryRun: flags['dry-run'] === true,
    undo: flags.undo === true,
    restart: flags.restart === true,
    verify: flags['no-verify'] !== true,
    report: (line) => print(`${printable(line)}\n`),
  });
  return 0;
}
