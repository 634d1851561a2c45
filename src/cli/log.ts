/**
 * What the command says when it fails, and the log that engines read (`--log FILE --log-format json`).
 *
 * Engines rely on two things: the text is on standard error whether or not there is a log, and on a failure the log
 * gets exactly one line (podman parses the file as one JSON object). Only `--debug` writes more.
 */
import { printable } from '../plan/printable.js';
import { check, RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, O_APPEND, O_CREAT, O_WRONLY } from '../sys/linux.js';
import { timestamp } from '../sys/time.js';
import { printError } from './output.js';
import type { globals, Values } from './syntax.js';
import { versionText } from './version.js';

type Globals = Values<typeof globals>;
type Fields = Record<string, unknown>;

const APPEND = O_WRONLY | O_CREAT | O_APPEND;
let logFd = -1;

/** Opens `--log`, before anything is done. With `--debug` says what was asked. Throws ERR_LOG. */
export function openLog(global: Globals): void {
  if (global.log !== undefined) {
    logFd = check(native.openAt(AT_FDCWD, global.log, APPEND, 0o600), {
      code: 'ERR_LOG',
      message: `open the log ${global.log}`,
      path: global.log,
      syscall: 'openat',
    });
  }
  if (!global.debug) return;
  writeLine(
    global,
    'debug',
    `${versionText().split('\n', 2).join(', ')}, ${host.name}: ${JSON.stringify(host.args)}`,
    {},
  );
}

/** Reports a failure on standard error and in the log; the exit status. */
export function reportFailure(error: unknown, global: Globals): number {
  const e = error instanceof RuntError ? error : internalError(error);
  // The command line itself may be what is wrong, and then the log it named was not opened yet.
  if (global.log !== undefined && logFd < 0 && e.code !== 'ERR_LOG') {
    logFd = Math.max(-1, native.openAt(AT_FDCWD, global.log, APPEND, 0o600));
  }
  const fields: Fields = {};
  for (const key of ['code', 'op', 'path', 'pointer', 'errno', 'syscall', 'hint', 'violations'] as const) {
    if (e[key] !== undefined) fields[key] = e[key];
  }
  if (logFd >= 0 || global['log-format'] === 'json') writeLine(global, 'error', sentence(e), fields);
  if (logFd >= 0 || global['log-format'] !== 'json')
    printError(`runt: ${e.report().split('\n').map(printable).join('\n')}\n`);
  if (global.debug) writeLine(global, 'debug', stackOf(e), {});
  if (logFd >= 0) native.close(logFd);
  logFd = -1;
  return 1;
}

/**
 * Says what a config asks and does not get. With a log the engine reads standard error and the log as words about a
 * failure, so a warning goes there only with `--debug`.
 */
export function reportWarning(global: Globals, sentence: string): void {
  if (global.log === undefined) printError(`runt: warning: ${printable(sentence)}\n`);
  else if (global.debug) writeLine(global, 'warning', sentence, {});
}

/** What no code expected: a defect of runt. */
function internalError(error: unknown): RuntError {
  return new RuntError({
    code: 'ERR_INTERNAL',
    message: `internal error: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`,
    hint: 'this is a defect of runt; with --debug the log shows where it happened',
    cause: error,
  });
}

/** The one line that an engine shows to its user. The hint stays out: engines search this text for words of the errno. */
function sentence(e: RuntError): string {
  const found = (e.violations ?? []).map((v) => `${v.pointer || '/'} must ${v.expected}`);
  const at = e.pointer === undefined ? '' : ` (at ${e.pointer || '/'} in config.json)`;
  return `${e.message}${found.length > 0 ? `: ${found.join('; ')}` : ''}${at}`;
}

function stackOf(e: Error): string {
  const lines: string[] = [];
  for (let at: unknown = e, depth = 0; at !== undefined && depth < 8; depth++) {
    lines.push(at instanceof Error ? `${at.name}: ${at.message}\n${at.stack ?? ''}` : String(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return lines.join('\ncaused by ');
}

function writeLine(global: Globals, level: 'error' | 'warning' | 'debug', message: string, fields: Fields): void {
  const time = timestamp(native.realtime());
  const line =
    global['log-format'] === 'json'
      ? JSON.stringify({ level, msg: message, time, ...fields }, (_, v) => (typeof v === 'bigint' ? String(v) : v))
      : textLine(time, level, message, fields);
  if (logFd < 0) printError(`${line}\n`);
  else if (native.write(logFd, host.encode(`${line}\n`)) < 0)
    printError(`runt: the log ${global.log} was not written\n`);
}

/** key=value pairs, as logrus prints them to a file: quoted when needed. */
function textLine(time: string, level: string, message: string, fields: Fields): string {
  const pairs = [`time="${time}"`, `level=${level}`, `msg=${JSON.stringify(message)}`];
  for (const [key, value] of Object.entries(fields)) {
    if (key === 'violations') continue;
    const text = String(value);
    pairs.push(`${key}=${/^[A-Za-z0-9._/@^+-]+$/.test(text) ? text : JSON.stringify(text)}`);
  }
  return pairs.join(' ');
}
