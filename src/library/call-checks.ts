/** Checks of the options and arguments of a call, for callers without a compiler. */
import { checkOptionTypes, isListOf, type OptionType } from '../spec/options/option-checks.js';
import { RuntError } from '../sys/error.js';

/** Types of options, by name: what `typeof` gives, `list` (of strings), or a name below. */
export type OptionTypes = Readonly<Record<string, string>>;

const isStdio = (v: unknown): boolean => v === 'pipe' || v === 'ignore' || v === 'inherit' || typeof v === 'number';

const types: Readonly<Record<string, OptionType>> = {
  numbers: { is: isListOf('number'), meaning: 'a list of numbers' },
  signal: { is: (value) => value instanceof AbortSignal, meaning: 'an AbortSignal' },
  stdio: {
    is: (value) => Array.isArray(value) && value.length === 3 && value.every(isStdio),
    meaning: "a list of three, each 'pipe', 'ignore', 'inherit' or a descriptor",
  },
};

const usage = (message: string): RuntError => new RuntError({ code: 'ERR_USAGE', message });

/** @throws RuntError ERR_USAGE, which names the unknown option and the nearest one, or the option and its type */
export function checkOptions(call: string, options: object, known: OptionTypes): void {
  checkOptionTypes(options, known, (message) => usage(`${call}: ${message}`), types);
}

/** @throws RuntError ERR_USAGE for a command line in one string: a list needs no quoting */
export function checkWords(call: string, args: unknown): void {
  if (typeof args === 'string') {
    const words = JSON.stringify(args.trim().split(/\s+/));
    throw usage(`${call}: the command must be a list of words: write ${words}, or ["sh", "-c", …] for a shell`);
  }
  if (!isListOf('string')(args)) throw usage(`${call}: the command must be a list of strings`);
}
