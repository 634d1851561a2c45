/** A plan for a person and for a machine. Pure: nothing is read, nothing done. */
import { toJson } from './json.js';
import { type Op, ops, type Plan } from './ops.js';
import { phase, phases } from './phase.js';
import { printable } from './printable.js';
import { sentence } from './sentence.js';
import { type Row, rows } from './words.js';

/** How explain prints. */
export interface Look {
  /** ANSI colours. */
  readonly colour: boolean;
}

/**
 * The plan by phases, one line or more for each operation: its number in the plan, the verb, what it is done to, how, and
 * at the end the JSON pointer of the config value that asked for it, `-` for what the runtime does by itself.
 */
export function explainText(plan: Plan, o: Look & { readonly id: string }): string {
  const numbered = plan.ops.map((op, i) => ({ op, lines: lineParts(op, i) }));
  const format = layout(
    numbered.flatMap((n) => n.lines),
    o,
  );
  const blocks: string[] = [`${bold(printable(o.id), o)}: ${plan.ops.length} operations\n`];
  for (const name of phases) {
    const lines = numbered.filter(({ op }) => phase(op) === name).flatMap((n) => n.lines.map(format));
    if (lines.length > 0) blocks.push(`${bold(name, o)}\n${lines.join('')}`);
  }
  return blocks.join('\n');
}

/** The plan as JSON (docs/cli.md, "explain"); integers are exact. */
export function explainJson(plan: Plan): string {
  const operations = plan.ops.map((op, index) => ({ index, ...describe(op) }));
  return `${toJson({ version: plan.version, operations }, '  ')}\n`;
}

/** An operation as explain's JSON has it. */
export function describe(op: Op): Record<string, unknown> {
  const { op: name, at, ...fields } = op;
  return { op: name, by: ops[name].by, phase: phase(op), at, text: sentence(op), fields };
}

/** A line before it is laid out: the operation's number (empty on further lines) and its cells. */
export type Line = readonly [number: string, ...Row];

/** The lines of an operation. */
export function lineParts(op: Op, index: number): Line[] {
  return rows(op).map((row, i): Line => [i === 0 ? String(index) : '', ...row]);
}

// A column is as wide as its widest cell, but one long path must not push all pointers off the screen.
const most = [4, 17, 34, 62];

/** A function that prints lines in columns fitted to all of `lines`. */
export function layout(lines: readonly Line[], o: Look): (line: Line) => string {
  const widths = most.map((max, i) =>
    lines.reduce((w, line) => (line[i]!.length <= max ? Math.max(w, line[i]!.length) : w), 0),
  );
  return ([number, verb, object, detail, at]) => {
    const left = `  ${dim(number.padStart(widths[0]!), o)}  ${verb.padEnd(widths[1]!)}  ${bold(object.padEnd(widths[2]!), o)}`;
    return `${left}  ${detail.padEnd(widths[3]!)}  ${dim(at === '' ? '-' : printable(at), o)}\n`;
  };
}

const bold = (text: string, o: Look): string => (o.colour ? `\x1b[1m${text}\x1b[0m` : text);
const dim = (text: string, o: Look): string => (o.colour ? `\x1b[2m${text}\x1b[0m` : text);
