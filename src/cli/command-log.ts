/** The log that engines read (`--log FILE --log-format json`), and warnings. */

import { printable } from '../plan/printable-text.js';
import { toJson } from '../spec/json/exact-json.js';
import { E, errnoName } from '../sys/errno.js';
import { check } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, O_APPEND, O_CREAT, O_NONBLOCK, O_WRONLY } from '../sys/linux.js';
import { timestamp } from '../sys/timestamp.js';
import { printError } from './command-output.js';
import type { globals, Values } from './command-syntax.js';

type Globals = Values<typeof globals>;
type Level = 'error' | 'warning' | 'debug';
/** Fields of a line besides its message. */
type Fields = Readonly<Record<string, unknown>>;

/** A FIFO without a reader is an error, and no wait for one. */
const APPEND = O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK;
let logFd = -1;

/** Sends a line to a socket, in the socket's own format (`log-socket.ts`). @returns bytes sent or -errno */
export type Sink = (fd: number, level: Level, message: string, fields: Fields) => number;
let sink: Sink | undefined;

/** The log level of `--debug` or `--log-level`; undefined without either. */
export function logLevel(global: Globals): Level | undefined {
  return global.debug ? 'debug' : global['log-level'];
}

/** Opens `--log` before the command does anything. At level debug logs the command line. Throws ERR_LOG. */
export async function openLog(global: Globals): Promise<void> {
  if (global.log !== undefined) logFd = await openTarget(global.log);
  if (logLevel(global) !== 'debug') return;
  const { versionText } = await import('./commands/version-command.js');
  writeLine(
    global,
    'debug',
    `${versionText().split('\n', 2).join(', ')}, ${host.name}: ${JSON.stringify(host.args)}`,
    {},
  );
}

/** Opens `FILE`, `file:FILE`, or a socket: `journald:NAME` or `syslog:NAME`, as for crun. */
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

/** Whether `--log` is open. */
export const isLogOpen = (): boolean => logFd >= 0;

/**
 * Opens `--log` for a failure before openLog: an error in the command line. If that fails, the error appears only on
 * standard error.
 */
export async function openLogForFailure(global: Globals): Promise<void> {
  if (global.log !== undefined && logFd < 0) logFd = await openTarget(global.log).catch(() => -1);
}

/** Closes the log. */
export function closeLog(): void {
  if (logFd >= 0) native.close(logFd);
  logFd = -1;
  sink = undefined;
}

/**
 * Warns about a config value that has no effect. With `--log`, an engine takes all lines on standard error and in the
 * log for failures: warn then only at a level that includes warnings, and only in the log.
 */
export function reportWarning(global: Globals, sentence: string): void {
  const level = logLevel(global);
  if (level === 'error') return;
  if (global.log === undefined) printError(`runt: warning: ${printable(sentence)}\n`);
  else if (level !== undefined) writeLine(global, 'warning', sentence, {});
}

/** Writes one line to the log, or to standard error without a log. */
export function writeLine(global: Globals, level: Level, message: string, fields: Fields): void {
  if (sink) {
    checkWritten(global, sink(logFd, level, message, fields));
    return;
  }
  const time = timestamp(native.realtime());
  const line =
    global['log-format'] === 'json'
      ? toJson({ level, msg: message, time, ...fields })
      : [`time="${time}"`, `level=${level}`, `msg=${JSON.stringify(message)}`, ...keyValuePairs(fields)].join(' ');
  if (logFd < 0) printError(`${line}\n`);
  else checkWritten(global, native.write(logFd, host.encode(`${line}\n`)));
}

function checkWritten(global: Globals, result: number): void {
  // Otherwise each further line waits again for a reader that has stopped.
  if (result === -E.ETIMEDOUT) sink = () => 0;
  if (result < 0) printError(`runt: the log ${global.log} was not written: ${errnoName(-result)}\n`);
}

/** key=value pairs in the file format of logrus: quoted when needed. */
export function keyValuePairs(fields: Fields): string[] {
  return Object.entries(fields)
    .filter(([key]) => key !== 'violations')
    .map(([key, value]) => {
      const text = String(value);
      return `${key}=${/^[A-Za-z0-9._/@^+-]+$/.test(text) ? text : JSON.stringify(text)}`;
    });
}
