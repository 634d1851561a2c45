/** The check that options of a call are known and have their types, for callers without a compiler. */
import type { RuntError } from '../../sys/error.js';
import { nearestWord } from '../../sys/nearest-word.js';

/** A type of options. */
export interface OptionType {
  readonly is: (value: unknown) => boolean;
  /** With an article: "a list of strings". */
  readonly meaning: string;
}

export const isListOf =
  (type: string) =>
  (value: unknown): boolean =>
    // Spread: `every` passes over holes.
    Array.isArray(value) && [...value].every((item) => typeof item === type);

const list: OptionType = { is: isListOf('string'), meaning: 'a list of strings' };

/**
 * Checks each option; undefined counts as absent.
 * @param types by name: what `typeof` gives, `list`, or a name in `more`; alternatives have a space between them
 * @param usageError makes the error of a message that begins with the option
 * @throws the usage error, which names the unknown option and the nearest one, or the option and its type
 */
export function checkOptionTypes(
  options: object,
  types: Readonly<Record<string, string>>,
  usageError: (message: string) => RuntError,
  more: Readonly<Record<string, OptionType>> = {},
): void {
  const named: Readonly<Record<string, OptionType>> = { list, ...more };
  for (const [name, value] of Object.entries(options)) {
    const type = Object.hasOwn(types, name) ? types[name]! : undefined;
    if (type === undefined) {
      const near = nearestWord(name, Object.keys(types));
      throw usageError(`unknown option ${name}${near === undefined ? '' : `; did you mean ${near}?`}`);
    }
    const alternatives = type.split(' ');
    if (value === undefined || alternatives.some((t) => named[t]?.is(value) ?? typeof value === t)) continue;
    throw usageError(`option ${name} must be ${alternatives.map((t) => named[t]?.meaning ?? `a ${t}`).join(' or ')}`);
  }
}
