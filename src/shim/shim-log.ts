/** The shim's log: its stderr, which is the fifo `log` in the bundle that containerd reads. */
import { printable } from '../plan/printable-text.js';
import { RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { reportOf } from '../sys/report/error-report.js';

/** Writes one line about a container: a sentence, or an error's whole report. */
export function log(id: string, what: unknown): void {
  native.write(
    2,
    host.encode(`containerd-shim-runt-v1: ${id}: ${printable(logText(what).trim().replaceAll('\n', '; '))}\n`),
  );
}

/** A sentence unchanged; an error's whole report. */
export function logText(what: unknown): string {
  if (what instanceof RuntError) return reportOf(what);
  return what instanceof Error ? what.message : String(what);
}

/** Logs uncaught errors from now on: the operation fails, but the server of the containers keeps running. */
export function outliveErrors(): void {
  host.outlive?.((error) => {
    const stack = error instanceof Error && error.stack ? `\n${error.stack}` : '';
    log('internal error', `${logText(error)}${stack}`);
  });
}
