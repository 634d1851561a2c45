/** The parts of a man page in roff, with the macros of man(7). */
import { proseLines } from '../help/prose-lines.js';

/** Columns of prose in the source of a page. */
const width = 78;

/** Escapes a text, so that it contains no request, and no character that roff replaces or that is not ASCII. */
export function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replace(/[^\x20-\x7e\n]/gu, (c) => `\\[u${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`)
    .replaceAll(/^\./gm, '\\&.');
}

/** Escaped and wrapped: roff fills the lines anew. */
export const prose = (text: string): string =>
  proseLines(escaped(text), width)
    .map((line) => line.replace(/^\./, '\\&.'))
    .join('\n');

export const bold = (text: string): string => `\\fB${escaped(text)}\\fR`;
export const italic = (text: string): string => `\\fI${escaped(text)}\\fR`;
/** A reference to another page, such as runc(8). */
export const pageName = (name: string, section: number): string => `${bold(name)}(${section})`;

export const section = (name: string, ...lines: readonly string[]): string[] => [`.SH ${name}`, ...lines];

/** A term and its description, indented. */
export const item = (term: string, description: string): string[] => ['.TP', term, prose(description)];

/** Paragraphs, each a string. */
export const paragraphs = (texts: readonly string[]): string[] =>
  texts.flatMap((text, i) => [...(i === 0 ? [] : ['.PP']), prose(text)]);

/** Shell lines, each after a sentence about it. */
export const examples = (all: readonly { readonly purpose: string; readonly line: string }[]): string[] =>
  all.flatMap((example, i) => [...(i === 0 ? [] : ['.PP']), ...exampleLines(example)]);

const exampleLines = ({ purpose, line }: { readonly purpose: string; readonly line: string }): string[] => [
  `${escaped(purpose)}:`,
  '.PP',
  '.RS 4',
  '.EX',
  escaped(line),
  '.EE',
  '.RE',
];

/** Words of a usage line: placeholders in italics, the rest in bold. */
export const usage = (line: string): string =>
  line
    .split(' ')
    .map((word) => (/^[a-z-]+$/.test(word) ? bold(word) : italic(word)))
    .join(' ');

/** A whole page. @param date `YYYY-MM-DD`, or '' */
export const page = (
  name: string,
  number: 1 | 8,
  { date, source }: { readonly date: string; readonly source: string },
  ...lines: readonly string[]
): string =>
  `${[
    `.TH ${name.toUpperCase()} ${number} "${date}" "${source}" "${number === 1 ? 'User Commands' : 'System Administration'}"`,
    ...lines,
  ].join('\n')}\n`;
