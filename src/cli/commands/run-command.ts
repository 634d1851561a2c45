/** `runt run`: create, start and, in the foreground, wait and delete. The exit status is the container's. */
import type { RunOptions } from '../../container/launch/container-options.js';
import { run } from '../../container/run.js';
import { host } from '../../sys/host.js';
import { Protocol } from '../../sys/protocol.js';
import { absolute } from '../absolute-path.js';
import { usageError } from '../arguments.js';
import type { Call } from '../command-syntax.js';
import { createOptions, loggingOf, stdioFiles } from '../create-options.js';
import { checkErrorStatus, limitOptions } from '../duration-option.js';

export async function command(call: Call<'run'>): Promise<number> {
  const { flags } = call;
  checkErrorStatus('run', flags);
  const options = {
    ...createOptions('run', call),
    ...(await loggingOf(call.global)),
    detach: flags.detach === true,
    keep: flags.keep === true,
    noSubreaper: flags['no-subreaper'] === true,
    ...limitOptions('run', flags),
    ...stdioFiles('run', flags),
    dieWithParent: flags['die-with-parent'] === true,
    ...(flags.summary !== undefined && (await summaryOption(call, flags.summary))),
  };
  // The supervisor ends a container without a command that waits, and if that command is killed.
  if (options.dieWithParent || (options.detach && options.timeout !== undefined)) options.supervise = true;
  const { program = '' } = host;
  if (!program.startsWith(Protocol.RUN_END_PROGRAM)) return run(options);
  return (await import('../../container/run-end.js')).endRun(options, program);
}

async function summaryOption({ args, flags }: Call<'run'>, to: true | string): Promise<Pick<RunOptions, 'onEnd'>> {
  if (flags.detach) throw usageError('run', '--summary has no effect with --detach: use "runt wait --format json"');
  const { checkSummary, writeSummary } = await import('../summary/run-summary.js');
  if (to === '') throw usageError('run', '--summary= needs a file: leave "=" out for standard error');
  const path = to === true ? undefined : absolute(to);
  // Not of a run that ends: its container must be removed first.
  if (path !== undefined && !host.program?.startsWith(Protocol.RUN_END_PROGRAM)) checkSummary(args[0]!, path);
  return { onEnd: (record) => writeSummary(args[0]!, record, path) };
}
