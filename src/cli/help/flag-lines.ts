/** The flags of a command as help, man pages and completion show them. */
import { type CommandName, commands, type FlagName, type Flags, globals } from '../command-syntax.js';
import { commandDescriptions, globalFlags } from './command-descriptions.js';
import { flagsOf } from './command-flags.js';
import { flagValues } from './flag-values.js';

export interface FlagLine {
  readonly name: string;
  readonly short?: string;
  /** A placeholder such as `DIR`, the words that the flag takes (`text|json`), or '' for a boolean. */
  readonly value: string;
  readonly text: string;
}

/** The flags of a command, '' for the global ones, in the order of the table. */
export function flagLines(command: CommandName | ''): FlagLine[] {
  const flags: Flags = command === '' ? globals : flagsOf(command);
  const texts: Readonly<Record<string, string>> = command === '' ? globalFlags : commandDescriptions[command].flags;
  return Object.entries(flags).map(([key, kind]) => {
    const [name = '', short] = key.split('|');
    const text = name === 'help' ? 'print this help' : texts[name]!;
    return {
      name,
      ...(short !== undefined && { short }),
      value: shownValue(command, name, kind),
      text: kind === 'list' ? repeatable(text) : text,
    };
  });
}

/** A description that ends with its default in parentheses, or has none. */
const repeatable = (text: string): string =>
  text.endsWith(')') ? `${text.slice(0, -1)}; repeatable)` : `${text} (repeatable)`;

function shownValue(command: string, name: string, kind: string): string {
  if (kind === 'bool' || kind === 'opt') return '';
  // `wait --pid` is a process, `spec --pid` a namespace.
  if ((command === 'spec' || command === 'bundle') && name === 'pid') return flagValues.ipc;
  if (command === 'bundle' && name === 'user') return 'USER[:GROUP]';
  return kind.includes('|') ? kind : flagValues[name as FlagName<typeof flagValues>];
}

/** The forms of a command line after the global flags, such as `exec [flags] --process FILE ID`. */
export function usageLines(name: CommandName): string[] {
  const { args } = commands[name];
  return (commandDescriptions[name].usage ?? [args]).map((form) => `${name} [flags]${form && ` ${form}`}`);
}
