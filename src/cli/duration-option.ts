/** Flags about the end of a command: durations, and the exit status of a failure. */
import { parseDuration } from '../sys/duration.js';
import { usageError } from './arguments.js';

/** A flag's duration as an option of the same name, in ms; no option without the flag. Throws ERR_USAGE. */
export function durationOption<N extends string>(
  where: string,
  name: N,
  text: string | undefined,
): { readonly [K in N]?: number } {
  if (text === undefined) return {};
  const ms = parseDuration(text);
  if (ms === undefined) {
    throw usageError(
      where,
      `flag --${name} needs a duration of at most 300 years, such as 90s, 1m30s or 100ms, not "${text}"`,
    );
  }
  return { [name]: ms } as { readonly [K in N]?: number };
}

/** `--timeout` and `--stop-timeout`. Throws ERR_USAGE. */
export function limitOptions(
  where: string,
  flags: { readonly timeout?: string; readonly 'stop-timeout'?: string },
): { readonly timeout?: number; readonly stopTimeout?: number } {
  const limit = durationOption(where, 'timeout', flags.timeout);
  const stop = durationOption(where, 'stop-timeout', flags['stop-timeout'])['stop-timeout'];
  if (stop === undefined) return limit;
  if (limit.timeout === undefined) throw usageError(where, '--stop-timeout has no effect without --timeout');
  return { ...limit, stopTimeout: stop };
}

/** `--error-status`, which failure-report.ts applies. Throws ERR_USAGE. */
export function checkErrorStatus(
  where: string,
  { 'error-status': status = 1 }: { readonly 'error-status'?: number },
): void {
  if (status < 1 || status > 255) {
    throw usageError(where, `flag --error-status needs a number from 1 to 255, not "${status}"`);
  }
}
