/** Errors for a value of an option of `spec` and `bundle()`. */
import { RuntError } from '../../sys/error.js';
import type { SpecCaller, SpecOptions } from './option-types.js';

export type Refuse = (option: keyof SpecOptions, value: unknown, problem: string) => RuntError;

export function usageError(message: string): RuntError {
  return new RuntError({ code: 'ERR_USAGE', message: `spec: ${message}` });
}

export const refusal =
  (caller: SpecCaller): Refuse =>
  (option, value, problem) =>
    usageError(`${caller.name(option)} ${JSON.stringify(String(value))} ${problem}`);

export function resolvePath(caller: SpecCaller, option: keyof SpecOptions, text: string): string {
  if (text === '') throw usageError(`${caller.name(option)} needs the path of a directory`);
  return caller.absolute(text);
}
