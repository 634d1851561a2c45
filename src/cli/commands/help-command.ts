/** `runt help` and `--help`. Loaded on demand. */
import { usageError } from '../arguments.js';
import { isColoured, terminalWidth } from '../colour.js';
import { print } from '../command-output.js';
import { type Call, type CommandName, commands } from '../command-syntax.js';
import { commandDescriptions } from '../help/command-descriptions.js';
import { commandExamples, type Example, overviewExamples } from '../help/command-examples.js';
import { flagLines, usageLines } from '../help/flag-lines.js';
import { proseLines } from '../help/prose-lines.js';
import { versionText } from './version-command.js';

const proseWidth = 80;
/** Least width of a column of descriptions. */
const descriptionWidth = 30;

export function command({ args }: Call<'help'>): number {
  const name = args[0];
  if (name !== undefined && !Object.hasOwn(commands, name)) {
    throw usageError('', `No help topic for '${name}'`, name, Object.keys(commands));
  }
  print(name === undefined ? overview() : commandHelp(name as CommandName));
  return 0;
}

function overview(): string {
  const names = Object.keys(commands) as CommandName[];
  return [
    `${versionText().split('\n')[0]}: OCI container runtime`,
    '',
    heading('Usage'),
    '  runt [global flags] COMMAND [flags] [arguments]',
    '',
    heading('Commands'),
    ...columns(names.map((n) => [n, commandDescriptions[n].summary])),
    '',
    heading('Global flags'),
    ...columns(flagRows('')),
    '',
    heading('Examples'),
    ...exampleRows(overviewExamples),
    '',
    '"runt help COMMAND" prints the flags and examples of a command.',
    '',
  ].join('\n');
}

function commandHelp(name: CommandName): string {
  const { summary, text } = commandDescriptions[name];
  return [
    `runt ${name}: ${summary}`,
    ...(text === undefined ? [] : ['', ...proseLines(text, proseWidth)]),
    '',
    heading('Usage'),
    ...usageLines(name).map((line) => `  runt ${line}`),
    '',
    heading('Flags'),
    ...columns(flagRows(name)),
    '',
    heading('Examples'),
    ...exampleRows(commandExamples[name]),
    '',
  ].join('\n');
}

function flagRows(command: CommandName | ''): [term: string, description: string][] {
  return flagLines(command).map(({ name, short, value, text }) => [
    `${short === undefined ? '    ' : `-${short}, `}--${name}${value && ` ${value}`}`,
    text,
  ]);
}

function exampleRows(examples: readonly Example[]): string[] {
  return examples.flatMap(({ purpose, line }, i) => [...(i === 0 ? [] : ['']), `  # ${purpose}`, `  ${line}`]);
}

/** Two columns. Only a terminal wraps the second one: scripts search its lines. */
function columns(rows: readonly (readonly [term: string, description: string])[]): string[] {
  const indent = rows.reduce((most, [term]) => Math.max(most, term.length), 0) + 4;
  const width = Math.max((terminalWidth() ?? Number.POSITIVE_INFINITY) - indent, descriptionWidth);
  return rows.flatMap(([term, description]) =>
    proseLines(description, width).map((line, i) => `${(i === 0 ? `  ${term}` : '').padEnd(indent)}${line}`),
  );
}

function heading(text: string): string {
  return isColoured() ? `\x1b[1m${text}:\x1b[0m` : `${text}:`;
}
