/** The man pages: runt(1) and one for each command, from the tables of `--help`; hack/man.mjs writes the files. */

import { type CommandName, commands } from './command-syntax.js';
import { type FlagLine, flagLines, wordsOf } from './commands/help-command.js';
import { versionText } from './commands/version-command.js';

const names = Object.keys(commands) as CommandName[];

/** The pages: file name → text. */
export function manualPages(): Readonly<Record<string, string>> {
  return Object.fromEntries([['runt.1', overview()], ...names.map((n) => [`runt-${n}.1`, page(n)])]);
}

/** Escapes a text for roff, so that it contains no request and no escape. */
function text(s: string): string {
  return s
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .split('\n')
    .map((line) => (/^[.']/.test(line) ? `\\&${line}` : line))
    .join('\n');
}

const title = (name: string): string =>
  `.TH ${name.toUpperCase()} 1 "" ${JSON.stringify(versionText().split('\n')[0]!.replace(' version', ''))} "User Commands"`;

function flag({ name, short, value, text: words }: FlagLine): string {
  const after = value === '' ? '' : ` \\fI${text(value)}\\fR`;
  return `.TP\n${short === undefined ? '' : `\\fB\\-${short}\\fR, `}\\fB\\-\\-${text(name)}\\fR${after}\n${text(words)}`;
}

function overview(): string {
  const commandLines = names.map((n) => `.TP\n\\fB${n}\\fR\n${text(wordsOf(n).summary)}; see \\fBrunt\\-${n}\\fR(1)`);
  return `${[
    title('runt'),
    '.SH NAME',
    'runt \\- OCI container runtime',
    '.SH SYNOPSIS',
    '\\fBrunt\\fR [\\fIglobal flags\\fR] \\fIcommand\\fR [\\fIflags\\fR] [\\fIarguments\\fR]',
    '.SH DESCRIPTION',
    text(
      'runt creates, starts, watches and deletes Linux containers from bundles: directories with a config.json and a root file system,\nas the runtime-spec of the Open Container Initiative describes them. Its command line is that of runc.',
    ),
    '.PP',
    text(
      'Flags take one dash or two; a value follows "=" or is the next argument; a boolean may be given as --flag=false. Global flags\nstand before the command.',
    ),
    '.SH COMMANDS',
    ...commandLines,
    '.SH "GLOBAL FLAGS"',
    ...flagLines('').map(flag),
    '.SH "EXIT STATUS"',
    text(
      "A command that fails exits 1; exec exits 255 then. run in the foreground, and exec, exit with the status of the process, 128 and\nthe signal's number when a signal ended it.",
    ),
    '.SH FILES',
    '.TP\n\\fI/run/runt\\fR, \\fI$XDG_RUNTIME_DIR/runt\\fR',
    text('the state of containers, of root and of another user, unless --root names another directory'),
    '.SH "SEE ALSO"',
    names.map((n) => `\\fBrunt\\-${n}\\fR(1)`).join(',\n'),
  ].join('\n')}\n`;
}

function page(name: CommandName): string {
  const { summary, text: more } = wordsOf(name);
  const { args } = commands[name];
  return `${[
    title(`runt-${name}`),
    '.SH NAME',
    `runt\\-${name} \\- ${text(summary)}`,
    '.SH SYNOPSIS',
    `\\fBrunt\\fR [\\fIglobal flags\\fR] \\fB${name}\\fR [\\fIflags\\fR]${args === '' ? '' : ` \\fI${text(args)}\\fR`}`,
    '.SH DESCRIPTION',
    text(`${summary[0]!.toUpperCase()}${summary.slice(1)}.${more === undefined ? '' : `\n${more}`}`),
    '.SH FLAGS',
    ...flagLines(name).map(flag),
    '.SH "SEE ALSO"',
    '\\fBrunt\\fR(1)',
  ].join('\n')}\n`;
}
