/** Checks of the options and arguments of a call, for callers without a compiler. */
import { isObject } from '../spec/json/is-object.js';
import { checkOptionTypes, isListOf, type OptionType } from '../spec/options/option-checks.js';
import { RuntError } from '../sys/error.js';

/** Types of options, by name: what `typeof` gives, `list` (of strings), or a name below. */
export type OptionTypes = Readonly<Record<string, string>>;

const isFile = (value: unknown): boolean => isObject(value) && 'file' in value && typeof value.file === 'string';
const isStdio = (value: unknown): boolean =>
  value === 'pipe' || value === 'ignore' || value === 'inherit' || isDescriptor(value) || isFile(value);
const isDescriptor = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0;

/** The longest time limit of a supervisor, in ms: LIMIT_TIME_MAX of native/init/supervisor/request.c. */
const longestTime = 100 * 366 * 24 * 3600 * 1000;
const isTime = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= longestTime;

const types: Readonly<Record<string, OptionType>> = {
  numbers: { is: isListOf('number'), meaning: 'a list of numbers' },
  abort: { is: (value) => value instanceof AbortSignal, meaning: 'an AbortSignal' },
  milliseconds: { is: isTime, meaning: 'a number of milliseconds, at least 0' },
  seconds: { is: isTime, meaning: 'a number of seconds, at least 0' },
  descriptor: { is: isDescriptor, meaning: 'a descriptor' },
  policy: { is: (value) => ['allow', 'warn', 'deny'].includes(value as string), meaning: "'allow', 'warn' or 'deny'" },
  stdio: {
    is: (value) => Array.isArray(value) && value.length === 3 && value.every(isStdio),
    meaning: "a list of three, each 'pipe', 'ignore', 'inherit', a descriptor or { file: PATH }",
  },
};

/** The error of a wrong call. */
export const callError = (message: string): RuntError => new RuntError({ code: 'ERR_USAGE', message });

/**
 * Checks the options of a call.
 * @param more types of this call alone
 * @throws RuntError ERR_USAGE, which names the unknown option and the nearest one, or the option and its type
 */
export function checkOptions(
  call: string,
  options: unknown,
  known: OptionTypes,
  more: Readonly<Record<string, OptionType>> = {},
): void {
  if (!isObject(options)) throw callError(`${call}: the options must be an object`);
  checkOptionTypes(options, known, (message) => callError(`${call}: ${message}`), { ...types, ...more });
}

/** Checks an argument that is a string, such as an id or a path. @throws RuntError ERR_USAGE */
export function checkText(call: string, name: string, value: unknown): void {
  if (typeof value !== 'string') throw callError(`${call}: ${name} must be a string`);
}

/** Checks an argument that is an object. @throws RuntError ERR_USAGE */
export function checkObject(call: string, name: string, value: unknown): void {
  if (!isObject(value)) throw callError(`${call}: ${name} must be an object`);
}

/** @throws RuntError ERR_USAGE for a command line in one string: a list needs no quoting */
export function checkWords(call: string, args: unknown): void {
  if (typeof args === 'string') {
    const words = JSON.stringify(args.trim().split(/\s+/));
    throw callError(`${call}: the command must be a list of words: write ${words}, or ["sh", "-c", …] for a shell`);
  }
  if (!isListOf('string')(args)) throw callError(`${call}: the command must be a list of strings`);
}
