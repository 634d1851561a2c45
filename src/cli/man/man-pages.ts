/** The man pages: runt(1), one for each command, and the shim's; `hack/man.mjs` writes the files. */
import { type CommandName, commands } from '../command-syntax.js';
import { versionText } from '../commands/version-command.js';
import { commandDescriptions } from '../help/command-descriptions.js';
import { commandExamples, overviewExamples } from '../help/command-examples.js';
import { type FlagLine, flagLines, usageLines } from '../help/flag-lines.js';
import { placeholders } from '../help/placeholders.js';
import { environmentVariables, type Variable } from './environment-variables.js';
import { commonVariables, manDetails } from './man-details.js';
import { bold, escaped, examples, italic, item, page, pageName, paragraphs, prose, section, usage } from './roff.js';
import { shimPage } from './shim-man-page.js';

const names = Object.keys(commands) as CommandName[];
const stateDirectory = ['/run/runt', '$XDG_RUNTIME_DIR/runt'];

/** The pages by file name. @param date `YYYY-MM-DD` of the sources, or '' */
export function manPages(date: string): Readonly<Record<string, string>> {
  const header = { date, source: versionText().split('\n')[0]!.replace(' version', '') };
  return Object.fromEntries([
    ['runt.1', page('runt', 1, header, ...overview())],
    ...names.map((n) => [`runt-${n}.1`, page(`runt-${n}`, 1, header, ...commandPage(n))]),
    ['containerd-shim-runt-v1.8', page('containerd-shim-runt-v1', 8, header, ...shimPage())],
  ]);
}

function overview(): string[] {
  return [
    ...section('NAME', 'runt \\- OCI container runtime'),
    ...section('SYNOPSIS', `${bold('runt')} ${italic('[global flags] COMMAND [flags] [arguments]')}`),
    ...section(
      'DESCRIPTION',
      ...paragraphs([
        'runt creates, starts, observes and deletes Linux containers. A container is made from a bundle: a directory with a config.json and a root file system, as the runtime-spec of the Open Container Initiative describes it. The command line is compatible with that of runc(8).',
        'A flag begins with one or two dashes. Its value follows = or is the next argument. A flag without a value may be negated by =false. Global flags precede the command; the flags of a command may follow its arguments, except for exec, ps and spec. -- ends the flags.',
      ]),
    ),
    ...section(
      'COMMANDS',
      ...names.flatMap((n) => item(pageName(`runt-${n}`, 1), sentence(commandDescriptions[n].summary))),
    ),
    ...section('OPTIONS', ...flagLines('').flatMap(option)),
    ...section('VALUES', ...Object.entries(placeholders).flatMap(([name, text]) => item(italic(name), text))),
    ...section('EXAMPLES', ...examples(overviewExamples)),
    ...section(
      'EXIT STATUS',
      ...paragraphs([
        '0 on success, 1 on failure. exec, and run and restore in the foreground, exit with the status of the process, or with 128+N if signal N killed it; exec exits with 255 if the process was not executed.',
      ]),
    ),
    ...section('ENVIRONMENT', ...variableItems(usedVariables())),
    ...section(
      'FILES',
      ...stateItem(),
      ...item(italic('config.json'), 'The configuration of a container, in its bundle.'),
    ),
    ...section(
      'SEE ALSO',
      [...names.map((n) => pageName(`runt-${n}`, 1)), pageName('containerd-shim-runt-v1', 8), pageName('runc', 8)].join(
        ',\n',
      ),
    ),
  ];
}

function commandPage(name: CommandName): string[] {
  const { summary, text } = commandDescriptions[name];
  const { status, variables = [], files = {}, related } = manDetails[name];
  return [
    ...section('NAME', `runt\\-${name} \\- ${escaped(summary)}`),
    ...section(
      'SYNOPSIS',
      usageLines(name)
        .map((line) => `${bold('runt')} ${italic('[global flags]')} ${usage(line)}`)
        .join('\n.br\n'),
    ),
    ...section('DESCRIPTION', ...paragraphs([sentence(summary), ...(text === undefined ? [] : [text])])),
    ...section(
      'OPTIONS',
      ...flagLines(name).flatMap(option),
      '.PP',
      `Global flags and the values of flags are described in ${pageName('runt', 1)}.`,
    ),
    ...section('EXAMPLES', ...examples(commandExamples[name])),
    ...section('EXIT STATUS', prose(status ?? '0 on success, 1 on failure.')),
    ...section('ENVIRONMENT', ...variableItems([...variables, ...commonVariables])),
    ...section(
      'FILES',
      ...stateItem(),
      ...Object.entries(files).flatMap(([path, what]) => item(italic(path), sentence(what))),
    ),
    ...section('SEE ALSO', [pageName('runt', 1), ...related.map((n) => pageName(`runt-${n}`, 1))].join(',\n')),
  ];
}

const option = ({ name, short, value, text }: FlagLine): string[] =>
  item(
    `${short === undefined ? '' : `${bold(`-${short}`)}, `}${bold(`--${name}`)}${value && ` ${italic(value)}`}`,
    sentence(text),
  );

const variableItems = (variables: readonly Variable[]): string[] =>
  variables.flatMap((name) => item(bold(name), environmentVariables[name]));

/** The variables of all commands, in the order of their table. */
function usedVariables(): Variable[] {
  const used = new Set([...commonVariables, ...names.flatMap((n) => manDetails[n].variables ?? [])]);
  return (Object.keys(environmentVariables) as Variable[]).filter((name) => used.has(name));
}

const stateItem = (): string[] =>
  item(
    stateDirectory.map(italic).join(', '),
    'The state of all containers. The default of --root is the first one for root, and the second one for other users.',
  );

/** Upper case at the beginning, except for a word that the user types, and a full stop. */
function sentence(text: string): string {
  return `${/^[a-z]+[, ]/.test(text) ? text[0]!.toUpperCase() + text.slice(1) : text}.`;
}
