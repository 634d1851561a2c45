/** `runt exec`: executes another process in a container. If it cannot start, the exit status is 255, as for runc. */

import { exec } from '../../container/exec.js';
import { listenFds } from '../../container/stdio/preserved-descriptors.js';
import { host } from '../../sys/host.js';
import { Protocol } from '../../sys/protocol.js';
import { absolute } from '../absolute-path.js';
import { usageError } from '../arguments.js';
import { reportWarning } from '../command-log.js';
import type { Call } from '../command-syntax.js';
import { annotationPolicyOption, loggingOf, rootlessMode, stdioFiles } from '../create-options.js';
import { checkErrorStatus, limitOptions } from '../duration-option.js';
import { reportFailure } from '../failure-report.js';
import { rootDirectory } from '../root-directory.js';

export async function command(call: Call<'exec'>): Promise<number> {
  try {
    return await perform(call);
  } catch (error) {
    return reportFailure(error, call.global, { command: 'exec', id: call.args[0]! }, call.flags['error-status'] ?? 255);
  }
}

async function perform({ global, flags, args }: Call<'exec'>): Promise<number> {
  const [id = '', ...command] = args;
  const { process, trace, cwd, user, apparmor } = flags;
  if (process === undefined && command.length === 0) {
    throw usageError('exec', 'process args cannot be empty: give a command after the id, or --process FILE');
  }
  if (process !== undefined && command.length > 0) {
    throw usageError('exec', `unexpected argument "${command[0]}": the file of --process has the command`);
  }
  if (flags.interactive === false) {
    throw usageError(
      'exec',
      '--interactive=false has no effect: the process reads the standard input of runt; redirect that from /dev/null',
    );
  }
  checkErrorStatus('exec', flags);
  const limit = limitOptions('exec', flags);
  const { program: name = '' } = host;
  if (name.startsWith(Protocol.RUN_END_PROGRAM)) {
    return (await import('../../container/run-end.js')).endExec({ id, ...limit }, name);
  }
  const listen = listenFds(host.env);
  return exec({
    root: rootDirectory(global),
    id,
    args: command,
    ...(process !== undefined && { process: absolute(process) }),
    ...(cwd !== undefined && { cwd }),
    ...(user !== undefined && { user }),
    env: flags.env ?? [],
    additionalGids: flags['additional-gids'] ?? [],
    capabilities: flags.cap ?? [],
    cgroups: flags.cgroup ?? [],
    ...(flags['no-new-privs'] !== undefined && { noNewPrivileges: flags['no-new-privs'] }),
    ...(apparmor !== undefined && { apparmor }),
    ...(flags['process-label'] !== undefined && { processLabel: flags['process-label'] }),
    terminal: flags.tty === true,
    ...(flags['console-socket'] !== undefined && { consoleSocket: absolute(flags['console-socket']) }),
    detach: flags.detach === true,
    ...(flags['pid-file'] !== undefined && { pidFile: absolute(flags['pid-file']) }),
    preserveFds: flags['preserve-fds'] ?? 0,
    ...(listen && { listen }),
    ...(flags['pidfd-socket'] ? { pidfdSocket: absolute(flags['pidfd-socket']) } : {}),
    dieWithParent: flags['die-with-parent'] === true,
    ignorePaused: flags['ignore-paused'] === true,
    ...limit,
    ...stdioFiles('exec', flags),
    rootless: rootlessMode('exec', global.rootless),
    ...annotationPolicyOption(global),
    ...(trace !== undefined && { trace: absolute(trace) }),
    ...(await loggingOf(global)),
    warn: (sentence) => reportWarning(global, sentence),
  });
}
