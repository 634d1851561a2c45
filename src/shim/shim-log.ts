/** The shim's log: its standard error, which is the fifo `log` of the bundle that containerd reads. */
import { printable } from '../plan/printable-text.js';
import { RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { reportOf } from '../sys/report/error-report.js';

/** Writes a line about a container: a sentence, or an error with all that it says. */
export function log(id: string, what: unknown): void {
  native.write(
    2,
    host.encode(`containerd-shim-runt-v1: ${id}: ${printable(wordsOf(what).trim().replaceAll('\n', '; '))}\n`),
  );
}

/** A sentence as it is; all that an error says. */
export function wordsOf(what: unknown): string {
  if (what instanceof RuntError) return reportOf(what);
  return what instanceof Error ? what.message : String(what);
}

/** From now on an error that nobody has caught is a line of the log: what failed is lost, the containers' server is not. */
export function outliveErrors(): void {
  host.outlive?.((error) => {
    const stack = error instanceof Error && error.stack ? `\n${error.stack}` : '';
    log('internal error', `${wordsOf(error)}${stack}`);
  });
}
