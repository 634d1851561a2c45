/** A plan as text and as JSON. Pure: no I/O. */
import { toJson } from '../../spec/json/exact-json.js';
import type { Plan } from '../op-list.js';
import { type Op, ops } from '../plan-ops.js';
import { printable } from '../printable-text.js';
import { rows, sentence } from './op-messages.js';
import { phase, phases } from './op-phases.js';
import type { Row } from './row-parts.js';
import { wrap } from './wrapped-lines.js';

/** Output format of explain. */
export interface ExplainFormat {
  /** ANSI colours. */
  readonly colour: boolean;
  /** Columns of the terminal; absent without one. */
  readonly width?: number;
}

/**
 * The plan by phases, with one or more lines for each operation: its number in the plan, the verb, the object, the
 * details, and the JSON pointer of the config value (`-` for operations that the runtime adds by itself).
 * Annotations that weaken the container come last, marked.
 */
export function explainText(plan: Plan, o: ExplainFormat & { readonly id: string }): string {
  const numbered = [...plan.ops].map((op, i) => ({ phase: phase(op), lines: lineParts(op, i) }));
  const blocks: string[] = [`${bold(printable(o.id), o)}: ${plan.ops.length} operations\n`];
  for (const name of phases) {
    const lines = numbered.filter((n) => n.phase === name).flatMap((n) => n.lines);
    if (lines.length > 0) blocks.push(`${bold(name, o)}\n${lines.map(layout(lines, o)).join('')}`);
  }
  const unsafe = plan.unsafeAnnotations ?? [];
  if (unsafe.length > 0) {
    const lines = unsafe.map(({ at, effect }): Line => ['!', 'unsafe', '', `it ${effect}`, at]);
    blocks.push(`${bold('annotations', o)}\n${lines.map(layout(lines, o)).join('')}`);
  }
  return blocks.join('\n');
}

/** The plan as JSON (docs/plan-json.md); integers are exact. */
export function explainJson(plan: Plan): string {
  const operations = [...plan.ops].map((op, index) => ({ index, ...opFields(op) }));
  const unsafe = plan.unsafeAnnotations?.map(({ at, effect }) => ({ at, effect }));
  return `${toJson({ version: plan.version, operations, ...(unsafe && { unsafeAnnotations: unsafe }) }, '  ')}\n`;
}

/** An operation in explain's JSON. */
export function opFields(op: Op): Record<string, unknown> {
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
const maxWidths = [4, 17, 44, 64] as const;
const gap = 2;
/** Characters that the middle columns need beside a pointer. */
const minMiddleWidth = 24;

/** A function that prints lines in columns fitted to all of `lines`. */
export function layout(lines: readonly Line[], o: ExplainFormat): (line: Line) => string {
  const width = (cells: readonly string[], max: number): number =>
    cells.reduce((w, cell) => (cell.length <= max ? Math.max(w, cell.length) : w), 0);
  const number = width(
    lines.map((l) => l[0]),
    maxWidths[0],
  );
  const verb = width(
    lines.map((l) => l[1]),
    maxWidths[1],
  );
  const object = width(
    lines.map((l) => l[2]),
    maxWidths[2],
  );
  const detail = width(
    lines.filter((l) => l[2] !== '').map((l) => l[3]),
    maxWidths[3],
  );
  const alone = width(
    lines.filter((l) => l[2] === '').map((l) => l[3]),
    maxWidths[2] + maxWidths[3],
  );
  const both = Math.max(object + (detail && detail + gap), alone);
  const before = 2 + number + gap + verb + gap;
  const pointers = lines.reduce((w, l) => Math.max(w, printable(l[4]).length || 1), 0);
  // If both do not fit, pointers are on the lines below.
  const beside = o.width === undefined || o.width - before - gap - pointers >= minMiddleWidth;
  const room = o.width === undefined ? Number.POSITIVE_INFINITY : o.width - before - (beside ? gap + pointers : 0);
  const wrapped = ([n, v, obj, how, at]: Line): string => {
    const shown = wrap(at === '' ? '-' : printable(at), beside ? pointers : Math.max(room, 1));
    const cells = [
      ...(obj === '' ? [] : wrap(obj, Math.max(room, 1))).map((text) => [text, bold(text, o)] as const),
      ...(how === '' ? [] : wrap(how, Math.max(room, 1))).map((text) => [text, text] as const),
    ];
    const [first = ['', ''] as const, ...more] = cells;
    const indent = ' '.repeat(before);
    const head = `  ${dim(n.padStart(number), o)}  ${v.padEnd(verb)}  ${first[1]}`;
    const beginning = beside
      ? `${head}${' '.repeat(Math.max(0, Math.min(both, room) - first[0].length))}  ${dim(shown[0]!, o)}`
      : head;
    const below = beside ? [] : shown.map((text) => dim(text, o));
    return [beginning, ...[...more.map(([, text]) => text), ...below].map((text) => `${indent}${text}`), ''].join('\n');
  };
  return (line) => {
    const [n, v, obj, how, at] = line;
    // A row without an object spans both columns.
    const what =
      obj === '' ? how : how === '' ? bold(obj, o) : `${bold(obj.padEnd(object), o)}${' '.repeat(gap)}${how}`;
    const length = obj === '' ? how.length : how === '' ? obj.length : Math.max(obj.length, object) + gap + how.length;
    if (!beside || length > room) return wrapped(line);
    const pointer = dim(at === '' ? '-' : printable(at), o);
    return `  ${dim(n.padStart(number), o)}  ${v.padEnd(verb)}  ${what}${' '.repeat(Math.max(0, Math.min(both, room) - length))}  ${pointer}\n`;
  };
}

const bold = (text: string, o: ExplainFormat): string => (o.colour ? `\x1b[1m${text}\x1b[0m` : text);
const dim = (text: string, o: ExplainFormat): string => (o.colour ? `\x1b[2m${text}\x1b[0m` : text);
