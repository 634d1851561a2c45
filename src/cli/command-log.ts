/** The log that engines read (`--log FILE --log-format json`), and warnings. */

import { printable } from '../plan/printable-text.js';
import { toJson } from '../spec/json/exact-json.js';
import { errnoName } from '../sys/errno.js';
import { check } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, O_APPEND, O_CREAT, O_WRONLY } from '../sys/linux.js';
import { timestamp } from '../sys/timestamp.js';
import { printError } from './command-output.js';
import type { globals, Values } from './command-syntax.js';

type Globals = Values<typeof globals>;
type Level = 'error' | 'warning' | 'debug';
/** What a line says besides its message. */
type Fields = Readonly<Record<string, unknown>>;

const APPEND = O_WRONLY | O_CREAT | O_APPEND;
let logFd = -1;

/** Takes a line in place of the file: a socket's own format (`log-socket.ts`). @returns bytes sent or -errno */
export type Sink = (fd: number, level: Level, message: string, fields: Fields) => number;
let sink: Sink | undefined;

/** How much is logged, `--debug` being one way to say it; undefined when nobody said. */
export function threshold(global: Globals): Level | undefined {
  return global.debug ? 'debug' : global['log-level'];
}

/** Opens `--log`, before anything is done. At level debug says what was asked. Throws ERR_LOG. */
export async function openLog(global: Globals): Promise<void> {
  if (global.log !== undefined) logFd = await openTarget(global.log);
  if (threshold(global) !== 'debug') return;
  const { versionText } = await import('./commands/version-command.js');
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

/** Whether lines go to a file or a socket. */
export const hasLog = (): boolean => logFd >= 0;

/**
 * Opens `--log` for a failure that came before openLog: of the command line itself. Without it the failure is on
 * standard error alone.
 */
export async function openLogForFailure(global: Globals): Promise<void> {
  if (global.log !== undefined && logFd < 0) logFd = await openTarget(global.log).catch(() => -1);
}

/** Closes what openLog opened. */
export function closeLog(): void {
  if (logFd >= 0) native.close(logFd);
  logFd = -1;
  sink = undefined;
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

/** Writes one line to the log, or to standard error where there is none. */
export function writeLine(global: Globals, level: Level, message: string, fields: Fields): void {
  if (sink) {
    written(global, sink(logFd, level, message, fields));
    return;
  }
  const time = timestamp(native.realtime());
  const line =
    global['log-format'] === 'json'
      ? toJson({ level, msg: message, time, ...fields })
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
