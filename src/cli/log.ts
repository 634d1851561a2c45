/**
 * What the command says when it fails, and the log that engines read (`--log FILE --log-format json`).
 *
 * Engines rely on two things: the text is on standard error whether or not there is a log, and on a failure the log
 * gets exactly one line (podman parses the file as one JSON object). Only `--debug` writes more.
 */
import { printable } from '../plan/printable.js';
import { errnoName } from '../sys/errno.js';
import { check, RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, O_APPEND, O_CREAT, O_WRONLY } from '../sys/linux.js';
import { timestamp } from '../sys/time.js';
import { printError } from './output.js';
import type { globals, Values } from './syntax.js';
import { versionText } from './version.js';

type Globals = Values<typeof globals>;
type Level = 'error' | 'warning' | 'debug';
/** What a line says besides its message. */
export type Fields = Readonly<Record<string, unknown>>;

const APPEND = O_WRONLY | O_CREAT | O_APPEND;
let logFd = -1;

/** Takes a line in place of the file: a socket's own format (`log-socket.ts`). @returns bytes sent or -errno */
export type Sink = (fd: number, level: Level, message: string, fields: Fields) => number;
let sink: Sink | undefined;

/** How much is logged, `--debug` being one way to say it; undefined when nobody said. */
function threshold(global: Globals): Level | undefined {
  return global.debug ? 'debug' : global['log-level'];
}

/** Opens `--log`, before anything is done. At level debug says what was asked. Throws ERR_LOG. */
export async function openLog(global: Globals): Promise<void> {
  if (global.log !== undefined) logFd = await openTarget(global.log);
  if (threshold(global) !== 'debug') return;
  writeLine(
    global,
    'debug',
    `${versionText().split('\n', 2).join(', ')}, ${host.name}: ${JSON.stringify(host.args)}`,
    {},
  );
}

/** A file, `file:` and a file, or a socket: `journald:NAME`, `syslog:NAME`, as crun names them. */
async function openTarget(log: string): Promise<number> {
  if (log.startsWith('journald:') || log.startsWith('syslog:')) {
    const opened = (await import('./log-socket.js')).openSocket(log);
    sink = opened.sink;
    return opened.fd;
  }
  const path = log.startsWith('file:') ? log.slice(5) : log;
  return check(native.openAt(AT_FDCWD, path, APPEND, 0o600), {
    code: 'ERR_LOG',
    message: `open the log ${path}`,
    path,
    syscall: 'openat',
  });
}

/** The command that failed, and the container that it was for. */
export interface About {
  readonly command: string;
  readonly id: string;
}

/** Keeps the failure with the container, for `runt debug`. */
async function keep(e: RuntError, global: Globals, { command, id }: About): Promise<void> {
  try {
    const [{ noteError }, { findRoot }] = [await import('../container/last-error.js'), await import('./find-root.js')];
    const root = findRoot(global);
    if (root !== undefined) noteError(root, id, command, e);
  } catch {
    // The failure itself is what is to be told.
  }
}

/** Reports a failure on standard error and in the log; the exit status. */
export async function reportFailure(error: unknown, global: Globals, about?: About): Promise<number> {
  const e = error instanceof RuntError ? error : internalError(error);
  if (about) await keep(e, global, about);
  // The command line itself may be what is wrong, and then the log it named was not opened yet.
  if (global.log !== undefined && logFd < 0 && e.code !== 'ERR_LOG') {
    logFd = await openTarget(global.log).catch(() => -1);
  }
  const fields: Record<string, unknown> = {};
  for (const key of ['code', 'op', 'path', 'pointer', 'errno', 'syscall', 'hint', 'violations'] as const) {
    if (e[key] !== undefined) fields[key] = e[key];
  }
  if (logFd >= 0 || global['log-format'] === 'json') writeLine(global, 'error', sentence(e), fields);
  if (logFd >= 0 || global['log-format'] !== 'json')
    printError(`runt: ${e.report().split('\n').map(printable).join('\n')}\n`);
  if (threshold(global) === 'debug') writeLine(global, 'debug', stackOf(e), {});
  if (logFd >= 0) native.close(logFd);
  logFd = -1;
  sink = undefined;
  return 1;
}

/**
 * Says what a config asks and does not get. With a log the engine reads standard error and the log as words about a
 * failure, so a warning goes there only when its level was asked for.
 */
export function reportWarning(global: Globals, sentence: string): void {
  const level = threshold(global);
  if (level === 'error') return;
  if (global.log === undefined) printError(`runt: warning: ${printable(sentence)}\n`);
  else if (level !== undefined) writeLine(global, 'warning', sentence, {});
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
  const at = e.pointer === undefined ? '' : ` (at ${e.pointer || '/'} in ${e.document ?? 'config.json'})`;
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

function writeLine(global: Globals, level: Level, message: string, fields: Fields): void {
  if (sink) {
    written(global, sink(logFd, level, message, fields));
    return;
  }
  const time = timestamp(native.realtime());
  const line =
    global['log-format'] === 'json'
      ? JSON.stringify({ level, msg: message, time, ...fields }, (_, v) => (typeof v === 'bigint' ? String(v) : v))
      : [`time="${time}"`, `level=${level}`, `msg=${JSON.stringify(message)}`, ...pairs(fields)].join(' ');
  if (logFd < 0) printError(`${line}\n`);
  else written(global, native.write(logFd, host.encode(`${line}\n`)));
}

function written(global: Globals, result: number): void {
  if (result < 0) printError(`runt: the log ${global.log} was not written: ${errnoName(-result)}\n`);
}

/** key=value pairs, as logrus prints them to a file: quoted when needed. */
export function pairs(fields: Fields): string[] {
  return Object.entries(fields)
    .filter(([key]) => key !== 'violations')
    .map(([key, value]) => {
      const text = String(value);
      return `${key}=${/^[A-Za-z0-9._/@^+-]+$/.test(text) ? text : JSON.stringify(text)}`;
    });
}
