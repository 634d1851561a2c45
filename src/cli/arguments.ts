/** The parser of arguments. */
import { RuntError } from '../sys/error.js';
import type { Flags } from './command-syntax.js';

/** A word that the parser does not know, and the words that are allowed there. */
export interface UnknownWord {
  /** The command, '' before it. */
  readonly where: string;
  readonly wrong: string;
  readonly candidates: readonly string[];
}

/**
 * An error in the command line. `where` is the command, '' before it. For a `wrong` word the report suggests a
 * correction (suggestion.ts).
 */
export function usageError(where: string, message: string, wrong = '', candidates: readonly string[] = []): RuntError {
  const error = new RuntError({ code: 'ERR_USAGE', message: `${where && `${where}: `}${message}` });
  return wrong ? Object.assign(error, { unknown: { where, wrong, candidates } }) : error;
}

/**
 * Reads flags into `into` (long name → value) and returns the other arguments. With `stop`, parsing ends at the first
 * argument that is not a flag, and the result starts with that argument. Throws ERR_USAGE.
 *
 * The syntax is that of Go's parsers, because engines rely on it: one dash or two for every name, the value after `=`
 * or as the next argument, and flags before or after the arguments.
 */
export function parseFlags(
  where: string,
  flags: Flags,
  args: readonly string[],
  into: Record<string, unknown>,
  stop = false,
): string[] {
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '--') return rest.concat(args.slice(i + 1));
    if (arg[0] !== '-' || arg === '-') {
      if (stop) return args.slice(i);
      rest.push(arg);
      continue;
    }
    const equals = arg.indexOf('=');
    const shown = equals < 0 ? arg : arg.slice(0, equals);
    const key = findFlag(flags, shown.slice(shown[1] === '-' ? 2 : 1));
    if (key === undefined) {
      // As kill(1): -9, -KILL.
      if (flags['signal|s'] && /^-[0-9A-Z]/.test(arg)) into.signal = arg.slice(1);
      else if (!shortFlags(flags, arg.slice(1), into)) {
        throw usageError(where, `unknown flag ${shown}`, shown, allNames(flags));
      }
      continue;
    }
    const kind = flags[key]!;
    const name = key.split('|')[0]!;
    let value = equals < 0 ? undefined : arg.slice(equals + 1);
    if (kind === 'bool' || kind === 'opt') {
      into[name] = value === undefined || (kind === 'opt' ? value : parseBool(where, shown, value));
      continue;
    }
    if (value === undefined) {
      value = args[++i];
      if (value === undefined) throw usageError(where, `flag ${shown} needs a value`);
    }
    if (kind === 'list') {
      into[name] ??= [];
      (into[name] as string[]).push(value);
    }
    // An empty value counts as absent, as for runc: scripts pass variables that may be empty. But `spec` and `bundle`
    // report empty values by name, and an empty user must not become root.
    else if (value === '' && kind === 'str' && where !== 'spec' && where !== 'bundle' && name !== 'user')
      delete into[name];
    else into[name] = parseValue(where, shown, kind, value);
  }
  return rest;
}

/** Short names in one word, such as `-it`; only flags without a value, because in Go's syntax `-abc` is a long name. */
function shortFlags(flags: Flags, letters: string, into: Record<string, unknown>): boolean {
  const names: string[] = [];
  for (const letter of letters) {
    const key = findFlag(flags, letter);
    if (!key || flags[key] !== 'bool') return false;
    names.push(key.split('|')[0]!);
  }
  for (const name of names) into[name] = true;
  return true;
}

/** The key of a flag in its table, by its long or short name. */
export function findFlag(flags: Flags, name: string): string | undefined {
  for (const key in flags) if (key.split('|').includes(name)) return key;
  return undefined;
}

/** Every long name with two dashes, for suggestions. */
function allNames(flags: Flags): string[] {
  return Object.keys(flags).map((key) => `--${key.split('|')[0]}`);
}

function parseValue(where: string, shown: string, kind: string, value: string): string | number {
  if (kind === 'int') {
    if (!/^[0-9]{1,9}$/.test(value)) throw usageError(where, `flag ${shown} needs an integer ≥ 0, not "${value}"`);
    return Number(value);
  }
  if (kind.includes('|')) {
    const choices = kind.split('|');
    if (!choices.includes(value)) {
      throw usageError(where, `flag ${shown} must be ${choices.join(' or ')}, not "${value}"`, value, choices);
    }
  }
  return value;
}

/** The spellings of a boolean that Go's strconv.ParseBool accepts: engines in Go print them. */
export function parseBool(where: string, shown: string, value: string): boolean {
  if (['true', 't', 'T', 'TRUE', 'True', '1'].includes(value)) return true;
  if (['false', 'f', 'F', 'FALSE', 'False', '0'].includes(value)) return false;
  throw usageError(where, `flag ${shown} must be true or false, not "${value}"`);
}

/** Checks the number of arguments against the command's form (`MUST [MAY]`). Throws ERR_USAGE. */
export function checkArguments(where: string, form: string, args: readonly string[]): void {
  const names = form === '' ? [] : form.split(' ');
  for (let i = args.length; i < names.length; i++) {
    if (names[i]![0] !== '[') throw usageError(where, `missing argument ${names[i]}`);
  }
  if (args.length > names.length && !form.includes('…')) {
    const takes = names.length === 0 ? 'takes none' : `takes ${form}`;
    throw usageError(where, `unexpected argument "${args[names.length]}": ${where} ${takes}`);
  }
}
