/** `run --summary`: how a container ended and what it has used. */
import type { EndReason, ExitRecord } from '../../container/state/exit-records.js';
import { check, RuntError } from '../../sys/error.js';
import { stat } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { signalName } from '../../sys/kernel-names.js';
import { AT_FDCWD, O_CREAT, O_NONBLOCK, O_TRUNC, S_IFDIR, S_IFMT, W_OK } from '../../sys/linux.js';
import { printError } from '../command-output.js';
import { secondsOf } from '../readable-time.js';
import { sizeText, timeText } from './quantities.js';

/**
 * Writes the record as JSON to a file, or as text to standard error without one.
 * @throws RuntError ERR_IO if the file cannot be written
 */
export function writeSummary(id: string, record: ExitRecord, path: string | undefined): void {
  if (path === undefined) {
    printError(summaryText(id, record));
    return;
  }
  const text = host.encode(`${JSON.stringify({ id, ...record })}\n`);
  // A FIFO without a reader is an error, and no wait for one.
  const facts = { code: 'ERR_IO', message: `run ${id}: write the summary ${path}`, path };
  check(native.writeFile(AT_FDCWD, path, O_CREAT | O_TRUNC | O_NONBLOCK, 0o644, text), facts);
}

/**
 * Refuses a file that cannot be written, before a process runs for hours. Makes nothing: a container that does not
 * start has no summary.
 * @throws RuntError ERR_IO
 */
export function checkSummary(id: string, path: string): void {
  const facts = { code: 'ERR_IO', message: `run ${id}: the summary ${path} cannot be written`, path };
  const exists = native.access(path, 0) === 0;
  const wanted = exists ? path : path.slice(0, path.lastIndexOf('/')) || '/';
  check(native.access(wanted, W_OK), { ...facts, syscall: 'faccessat' });
  if (exists && (stat(path).mode & S_IFMT) === S_IFDIR)
    throw new RuntError({ ...facts, message: `${facts.message}: it is a directory` });
}

const causes: { readonly [R in EndReason]: string } = {
  exited: '',
  killed: '',
  oom: ': the kernel killed for lack of memory',
  timeout: ': its time limit had passed',
  parent: ': the process that ran runt had ended',
  cancelled: ': another command deleted the container',
};

/** A line for the end, and one for each kind of usage that is known. */
export function summaryText(id: string, record: ExitRecord): string {
  const { status, signal, reason, usage = {} } = record;
  const how = signal === 0 ? `exited with status ${status}` : `was killed by ${signalName(signal)}`;
  const time = elapsed(record);
  const { cpuTotal, cpuUser, cpuKernel, memoryPeak, ioRead, ioWritten, pidsPeak } = usage;
  const parts = cpuUser === undefined ? '' : ` (user ${timeText(cpuUser)}, kernel ${timeText(cpuKernel ?? 0)})`;
  const lines = [
    `runt: ${id} ${how}${time === undefined ? '' : ` after ${timeText(time)}`}${causes[reason]}`,
    ...(cpuTotal === undefined ? [] : [`  CPU time     ${timeText(cpuTotal)}${parts}`]),
    ...(memoryPeak === undefined ? [] : [`  memory       ${sizeText(memoryPeak)} at most`]),
    ...(ioRead === undefined ? [] : [`  disks        ${sizeText(ioRead)} read, ${sizeText(ioWritten ?? 0)} written`]),
    ...(pidsPeak === undefined ? [] : [`  processes    ${pidsPeak} at most`]),
  ];
  return `${lines.join('\n')}\n`;
}

/** ns from the start to the end; undefined if the start is not known. */
function elapsed({ startedAt = '', exitedAt }: ExitRecord): number | undefined {
  const [start, end] = [nanoseconds(startedAt), nanoseconds(exitedAt)];
  return start === undefined || end === undefined ? undefined : Number(end - start);
}

function nanoseconds(text: string): bigint | undefined {
  const seconds = secondsOf(text);
  const fraction = /\.([0-9]{1,9})Z$/.exec(text)?.[1] ?? '';
  return seconds === undefined ? undefined : BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
}
