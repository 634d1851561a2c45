/** Options of the commands that make containers, from their flags and the global flags. */

import type { CreateOptions } from '../container/launch/container-options.js';
import type { RootlessMode } from '../container/launch/read-host-facts.js';
import { listenFds } from '../container/stdio/preserved-descriptors.js';
import type { StdioFiles } from '../container/stdio/stdio-files.js';
import { parseSeconds } from '../sys/duration.js';
import { host } from '../sys/host.js';
import { absolute } from './absolute-path.js';
import { parseBool, usageError } from './arguments.js';
import { logLevel, reportWarning } from './command-log.js';
import type { Call } from './command-syntax.js';
import { rootDirectory } from './root-directory.js';

/** The options of a create. Throws ERR_USAGE, ERR_UNSUPPORTED. */
export function createOptions(where: string, call: Call<'create'> | Call<'run'>): CreateOptions {
  const { global, flags, args } = call;
  const listen = listenFds(host.env);
  return {
    root: rootDirectory(global),
    id: args[0]!,
    bundle: absolute(flags.bundle ?? '.'),
    ...(flags.config === undefined ? {} : { config: flags.config }),
    cgroupManager: cgroupManager(global),
    ...(flags['pid-file'] === undefined ? {} : { pidFile: absolute(flags['pid-file']) }),
    supervise: flags.supervise === true,
    ...(flags['console-socket'] ? { consoleSocket: absolute(flags['console-socket']) } : {}),
    ...(flags.init && { init: true }),
    noPivot: flags['no-pivot'] === true,
    noNewKeyring: flags['no-new-keyring'] === true,
    preserveFds: flags['preserve-fds'] ?? 0,
    ...(listen && { listen }),
    ...(host.env.NOTIFY_SOCKET ? { notifySocket: host.env.NOTIFY_SOCKET } : {}),
    ...(flags['pidfd-socket'] ? { pidfdSocket: absolute(flags['pidfd-socket']) } : {}),
    rootless: rootlessMode(where, global.rootless),
    ...annotationPolicyOption(global),
    ...hookTimeoutOption(where, global),
    ...(flags.trace === undefined ? {} : { trace: absolute(flags.trace) }),
    debug: isVerbose(global),
    warn: (sentence) => reportWarning(global, sentence),
  };
}

/** The option that logs each operation, at level debug. */
export async function loggingOf(global: Call<'create'>['global']): Promise<Pick<CreateOptions, 'onDone'>> {
  return logLevel(global) === 'debug' ? (await import('./operation-log.js')).operationLog(global) : {};
}

/** Whether to report more than errors: `--debug`, or a `--log-level` that includes warnings. */
export function isVerbose(global: Call<'create'>['global']): boolean {
  return global.debug === true || (global['log-level'] ?? 'error') !== 'error';
}

/** `--unsafe-annotations` if set; otherwise the environment decides. */
export const annotationPolicyOption = ({
  'unsafe-annotations': policy,
}: Call<'create'>['global']): Pick<CreateOptions, 'unsafeAnnotations'> => (policy ? { unsafeAnnotations: policy } : {});

/** `--hook-timeout` in seconds if set; otherwise the environment decides. Throws ERR_USAGE. */
export function hookTimeoutOption(where: string, global: Call<'create'>['global']): Pick<CreateOptions, 'hookTimeout'> {
  const text = global['hook-timeout'];
  if (text === undefined) return {};
  const seconds = parseSeconds(text);
  if (seconds === undefined) {
    throw usageError(where, `flag --hook-timeout needs a duration in whole seconds, such as 90s or 10m, not "${text}"`);
  }
  return { hookTimeout: seconds };
}

/** `--rootless`: `auto`, or any boolean that Go accepts. */
export function rootlessMode(where: string, value: string | undefined): RootlessMode {
  if (value === undefined || value === '' || value === 'auto') return 'auto';
  return parseBool(where, '--rootless', value) ? 'true' : 'false';
}

/**
 * The manager of the container's cgroups. Engines pass these global flags on every call; they matter only to commands
 * that create cgroups.
 */
export function cgroupManager(global: Call<'create'>['global']): 'cgroupfs' | 'systemd' | 'disabled' {
  return global['systemd-cgroup'] ? 'systemd' : (global['cgroup-manager'] ?? 'cgroupfs');
}

/** `--stdin`, `--stdout` and `--stderr`: paths, or the words null and journal. Throws ERR_USAGE. */
export function stdioFiles(
  where: string,
  { stdin, stdout, stderr }: Pick<Call<'run'>['flags'], 'stdin' | 'stdout' | 'stderr'>,
): { stdioFiles?: StdioFiles } {
  if (stdin === undefined && stdout === undefined && stderr === undefined) return {};
  if (stdin === 'journal')
    throw usageError(where, 'flag --stdin cannot be journal, which takes output: use ./journal for a file');
  const pathOf = (value: string): string => (value === 'null' || value === 'journal' ? value : absolute(value));
  return {
    stdioFiles: {
      ...(stdin !== undefined && { stdin: pathOf(stdin) }),
      ...(stdout !== undefined && { stdout: pathOf(stdout) }),
      ...(stderr !== undefined && { stderr: pathOf(stderr) }),
    },
  };
}
