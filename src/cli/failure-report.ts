/** The report of a failed command. */
import { printable } from '../plan/printable-text.js';
import { E } from '../sys/errno.js';
import { isOutOfMemory, RuntError } from '../sys/error.js';
import { clipped } from '../sys/report/clipped-text.js';
import { reportOf } from '../sys/report/error-report.js';
import { closeLog, isLogOpen, logLevel, openLogForFailure, writeLine } from './command-log.js';
import { printError } from './command-output.js';
import type { globals, Values } from './command-syntax.js';
import { addSuggestion } from './suggestion.js';

type Globals = Values<typeof globals>;

/** The failed command and its container. */
export interface FailedCommand {
  readonly command: string;
  readonly id: string;
}

/** Records the failure in the container's state, for `runt debug`. */
async function recordFailure(e: RuntError, global: Globals, { command, id }: FailedCommand): Promise<void> {
  try {
    const [{ storeLastError }, { findRoot }] = [
      await import('../container/state/last-error.js'),
      await import('./root-flag.js'),
    ];
    const root = findRoot(global);
    if (root !== undefined) storeLastError(root, id, command, e);
  } catch {
    // Report the failure itself, not that recording it failed.
  }
}

/**
 * Reports a failure on standard error and in the log. Engines rely on two things: the text is on standard error even if
 * there is a log, and a failure writes exactly one line to the log (podman parses the file as one JSON object). Only
 * `--debug` writes more.
 * @param status exit status of a failure that has none of its own; any but 1 to 255 counts as 1
 * @returns the exit status
 */
export async function reportFailure(
  error: unknown,
  global: Globals,
  failed?: FailedCommand,
  status = 1,
): Promise<number> {
  const e = error instanceof RuntError ? error : isOutOfMemory(error) ? memoryError(failed) : internalError(error);
  addSuggestion(e);
  if (failed) await recordFailure(e, global, failed);
  if (e.code !== 'ERR_LOG') await openLogForFailure(global);
  const fields: Record<string, unknown> = {};
  for (const key of ['code', 'op', 'path', 'pointer', 'errno', 'syscall', 'hint', 'violations'] as const) {
    if (e[key] !== undefined) fields[key] = e[key];
  }
  if (isLogOpen() || global['log-format'] === 'json') writeLine(global, 'error', sentence(e), fields);
  if (isLogOpen() || global['log-format'] !== 'json')
    printError(`runt: ${reportOf(e).split('\n').map(shown).join('\n')}\n`);
  if (logLevel(global) === 'debug') writeLine(global, 'debug', stackOf(e), {});
  closeLog();
  return e.exit ?? (status >= 1 && status <= 255 ? status : 1);
}

/** A line of a report for a terminal; shows a non-UTF-8 byte, which JSON escapes as its surrogate, as `\x…`. */
const shown = (line: string): string => printable(line).replace(/(?<!\\)((?:\\\\)*)\\udc([89a-f][0-9a-f])/g, '$1\\x$2');

const memoryError = (failed: FailedCommand | undefined): RuntError =>
  new RuntError({
    code: 'ERR_MEMORY',
    message: `${failed ? `${failed.command} ${failed.id}: ` : ''}allocate memory`,
    errno: E.ENOMEM,
    hint: 'free memory, or raise the limit of the address space (ulimit -v) or of the cgroup in which runt runs',
  });

/** The error for an unexpected exception: a defect of runt. */
function internalError(error: unknown): RuntError {
  return new RuntError({
    code: 'ERR_INTERNAL',
    message: `internal error: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`,
    hint: 'report this defect of runt with the log of --debug: it shows where the error happened',
    cause: error,
  });
}

/**
 * The one line that an engine shows to its user. It omits the hint, because engines search this text for the words of
 * an errno.
 */
function sentence(e: RuntError): string {
  const found = (e.violations ?? []).map((v) => `${clipped(v.pointer || '/')} must ${clipped(v.expected)}`);
  const at = e.pointer === undefined ? '' : ` (at ${clipped(e.pointer || '/')} in ${e.document ?? 'config.json'})`;
  return `${clipped(e.message)}${found.length > 0 ? `: ${found.join('; ')}` : ''}${at}`;
}

function stackOf(e: Error): string {
  const lines: string[] = [];
  for (let at: unknown = e, depth = 0; at !== undefined && depth < 8; depth++) {
    lines.push(at instanceof Error ? `${at.name}: ${at.message}\n${at.stack ?? ''}` : String(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return lines.join('\ncaused by ');
}
