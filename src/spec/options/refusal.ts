/** Errors for a value of an option of `spec` and `bundle()`. */
import { RuntError } from '../../sys/error.js';
import type { SpecCaller, SpecOptions } from './option-types.js';

export type Refuse = (option: keyof SpecOptions, value: unknown, problem: string) => RuntError;

export function usageError(message: string, command = 'spec'): RuntError {
  return new RuntError({ code: 'ERR_USAGE', message: `${command}: ${message}` });
}

export const refusal =
  (caller: SpecCaller): Refuse =>
  (option, value, problem) =>
    usageError(`${caller.name(option)} ${JSON.stringify(String(value))} ${problem}`, caller.command);

export function resolvePath(caller: SpecCaller, option: keyof SpecOptions, text: string): string {
  if (text === '') throw usageError(`${caller.name(option)} needs the path of a directory`, caller.command);
  return caller.absolute(text);
}
