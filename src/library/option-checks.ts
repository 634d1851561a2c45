/** Checks of the options and arguments of a call, for callers without a compiler. */
import { RuntError } from '../sys/error.js';
import { nearestWord } from '../sys/nearest-word.js';

/** Types of options, by name: what `typeof` gives, `list` (of strings), `stdio`, `signal` (AbortSignal). */
export type OptionTypes = Readonly<Record<string, string>>;

const meanings: Readonly<Record<string, string>> = {
  list: 'a list of strings',
  numbers: 'a list of numbers',
  stdio: "a list of three, each 'pipe', 'ignore', 'inherit' or a descriptor",
  signal: 'an AbortSignal',
  boolean: 'a boolean',
  string: 'a string',
  number: 'a number',
  function: 'a function',
};

const usage = (message: string): RuntError => new RuntError({ code: 'ERR_USAGE', message });

const isListOf = (value: unknown, type: string): boolean =>
  Array.isArray(value) && value.every((item) => typeof item === type);

function hasType(value: unknown, type: string): boolean {
  if (type === 'list') return isListOf(value, 'string');
  if (type === 'numbers') return isListOf(value, 'number');
  if (type === 'signal') return value instanceof AbortSignal;
  if (type !== 'stdio') return typeof value === type;
  const isOne = (v: unknown) => v === 'pipe' || v === 'ignore' || v === 'inherit' || typeof v === 'number';
  return Array.isArray(value) && value.length === 3 && value.every(isOne);
}

/** @throws RuntError ERR_USAGE, which names the unknown option and the nearest one, or the option and its type */
export function checkOptions(call: string, options: object, types: OptionTypes): void {
  for (const [name, value] of Object.entries(options)) {
    const type = Object.hasOwn(types, name) ? types[name]! : undefined;
    if (type === undefined) {
      const near = nearestWord(name, Object.keys(types));
      throw usage(`${call}: unknown option ${name}${near === undefined ? '' : `; did you mean ${near}?`}`);
    }
    if (value !== undefined && !hasType(value, type)) {
      throw usage(`${call}: option ${name} must be ${meanings[type]}`);
    }
  }
}

/** @throws RuntError ERR_USAGE for a command line in one string: a list needs no quoting */
export function checkWords(call: string, args: unknown): void {
  if (typeof args === 'string') {
    const words = JSON.stringify(args.trim().split(/\s+/));
    throw usage(`${call}: the command must be a list of words: write ${words}, or ["sh", "-c", …] for a shell`);
  }
  if (!isListOf(args, 'string')) throw usage(`${call}: the command must be a list of strings`);
}
