/** Checks of the options and arguments of a call, for callers without a compiler. */
import { toJson } from '../spec/json/exact-json.js';
import { isObject } from '../spec/json/is-object.js';
import { escapeSegment } from '../spec/json/json-pointer.js';
import { checkOptionTypes, isListOf, type OptionType } from '../spec/options/option-checks.js';
import { longestTime } from '../sys/duration.js';
import { RuntError } from '../sys/error.js';

/** Types of options, by name: what `typeof` gives, `list` (of strings), or a name below. */
export type OptionTypes = Readonly<Record<string, string>>;

const isFile = (value: unknown): boolean =>
  isObject(value) && Object.keys(value).join() === 'file' && isPath(value.file);
const isStdio = (value: unknown): boolean =>
  value === 'pipe' || value === 'ignore' || value === 'inherit' || isDescriptor(value) || isFile(value);
const isPath = (value: unknown): value is string => typeof value === 'string' && value !== '' && !value.includes('\0');
const isDescriptor = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0;

const isTime =
  (least: number) =>
  (value: unknown): boolean =>
    typeof value === 'number' && value >= least && value <= longestTime;
const isSignal = (value: unknown): boolean =>
  isObject(value) && 'aborted' in value && 'addEventListener' in value && 'removeEventListener' in value;

const types: Readonly<Record<string, OptionType>> = {
  numbers: { is: isListOf('number'), meaning: 'a list of numbers' },
  path: { is: isPath, meaning: 'a path' },
  // One of another realm counts too, as in the tests of jest.
  abort: { is: isSignal, meaning: 'an AbortSignal' },
  milliseconds: { is: isTime(0), meaning: 'a number of milliseconds from 0 to 300 years' },
  interval: { is: isTime(1), meaning: 'a number of milliseconds from 1 to 300 years' },
  seconds: { is: isTime(0), meaning: 'a number of seconds, at least 0' },
  descriptor: { is: isDescriptor, meaning: 'a descriptor' },
  policy: { is: (value) => ['allow', 'warn', 'deny'].includes(value as string), meaning: "'allow', 'warn' or 'deny'" },
  stdio: {
    is: (value) => Array.isArray(value) && value.length === 3 && [...value].every(isStdio),
    meaning: "a list of three, each 'pipe', 'ignore', 'inherit', a descriptor or { file: PATH }",
  },
};

/** The error of a wrong call. */
export const callError = (message: string): RuntError => new RuntError({ code: 'ERR_USAGE', message });

/**
 * Checks the options of a call.
 * @param more types of this call alone
 * @returns a copy, for which each option was read once
 * @throws RuntError ERR_USAGE, which names the unknown option and the nearest one, or the option and its type
 */
export function checkOptions<O extends object>(
  call: string,
  options: O,
  known: OptionTypes,
  more: Readonly<Record<string, OptionType>> = {},
): O {
  if (!isObject(options)) throw callError(`${call}: the options must be an object`);
  const copy = membersOf(options);
  checkOptionTypes(copy, known, (message) => callError(`${call}: ${message}`), { ...types, ...more });
  return copy as O;
}

/** The members of an object, inherited ones too, except those that another module has added to all objects. */
function membersOf(options: { readonly [name: string]: unknown }): object {
  const members: Record<string, unknown> = Object.create(null);
  for (const name in options) if (!isOfAllObjects(options, name)) members[name] = options[name];
  return members;
}

/** Options for the core that inherit nothing: what another module has added to all objects does not count. */
export const alone = <O extends object>(options: O): O => Object.assign(Object.create(null), options);

function isOfAllObjects(options: object, name: string): boolean {
  let owner = options;
  while (!Object.hasOwn(owner, name)) owner = Object.getPrototypeOf(owner) ?? Object.prototype;
  return owner !== options && Object.getPrototypeOf(owner) === null;
}

/** Checks an argument that is a string, such as an id. @throws RuntError ERR_USAGE */
export function checkText(call: string, name: string, value: unknown): void {
  if (typeof value !== 'string') throw callError(`${call}: ${name} must be a string`);
}

/** Checks an argument that is a path. @throws RuntError ERR_USAGE, also for an empty string */
export function checkPath(call: string, name: string, value: unknown): void {
  if (!isPath(value)) throw callError(`${call}: ${name} must be a path`);
}

/** Checks an argument that is an object. @throws RuntError ERR_USAGE */
export function checkObject(call: string, name: string, value: unknown): void {
  if (!isObject(value)) throw callError(`${call}: ${name} must be an object`);
}

/** The JSON text of an argument. @throws RuntError ERR_USAGE, with a pointer, for what JSON cannot express */
export function jsonOf(call: string, name: string, value: object, indent = ''): string {
  checkJson(`${call}: ${name}`, value, '', []);
  return toJson(value, indent);
}

function checkJson(what: string, value: unknown, pointer: string, within: readonly object[]): void {
  const refuse = (problem: string): never => {
    throw new RuntError({ code: 'ERR_USAGE', message: `${what}${pointer && ` at ${pointer}`} ${problem}`, pointer });
  };
  if (typeof value === 'number' && !Number.isFinite(value)) refuse(`is ${value}, which JSON does not have`);
  if (typeof value === 'function' || typeof value === 'symbol') refuse(`is a ${typeof value}`);
  if (typeof value !== 'object' || value === null) return;
  if (within.includes(value)) refuse('contains itself');
  const members: Iterable<readonly [string | number, unknown]> = Array.isArray(value)
    ? value.entries()
    : Object.entries(value);
  for (const [name, member] of members)
    checkJson(what, member, `${pointer}/${escapeSegment(String(name))}`, [...within, value]);
}

/** @throws RuntError ERR_USAGE for a command line in one string: a list needs no quoting */
export function checkWords(call: string, args: unknown): void {
  if (typeof args === 'string') {
    const words = JSON.stringify(args.trim().split(/\s+/));
    throw callError(`${call}: the command must be a list of words: write ${words}, or ["sh", "-c", …] for a shell`);
  }
  if (!isListOf('string')(args)) throw callError(`${call}: the command must be a list of strings`);
  const words = args as readonly string[];
  if (words.length === 0 || words[0] === '') throw callError(`${call}: the command is empty`);
  if (words.some((word) => word.includes('\0'))) throw callError(`${call}: the command has a NUL byte`);
}
