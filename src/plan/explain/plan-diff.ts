/** Differences between two plans (`explain --diff`). */

import { toJson } from '../../spec/json/exact-json.js';
import { append } from '../../sys/append.js';
import type { Plan } from '../op-list.js';
import type { Op } from '../plan-ops.js';
import { type ExplainFormat, type Line, layout, lineParts, opFields } from './explain-plan.js';

/** One difference. `moved` is the same operation at another index. */
type Change =
  | { readonly change: 'removed'; readonly before: Op; readonly a: number }
  | { readonly change: 'added'; readonly after: Op; readonly b: number }
  | {
      readonly change: 'changed' | 'moved';
      readonly before: Op;
      readonly after: Op;
      readonly a: number;
      readonly b: number;
    };

/**
 * The differences in the order of the plans. Ignores config pointers when it compares operations: one more mount
 * renumbers all the mounts after it.
 */
export function planDiff(before: Plan, after: Plan): Change[] {
  const [old, now] = [[...before.ops], [...after.ops]];
  const a = old.map(canonical);
  const b = now.map(canonical);
  const common = longestCommon(a, b);
  const commonA = new Set(common.map(([i]) => i));
  const commonB = new Set(common.map(([, j]) => j));
  const removed = [...a.keys()].filter((i) => !commonA.has(i));
  const added = [...b.keys()].filter((j) => !commonB.has(j));

  const partner = new Map<number, number>();
  pair(
    removed,
    added,
    (i) => a[i]!,
    (j) => b[j]!,
    partner,
  );
  pair(
    removed,
    added,
    (i) => identity(old[i]!),
    (j) => identity(now[j]!),
    partner,
  );
  const taken = new Set(partner.values());

  const changes: { position: number; change: Change }[] = [];
  const positionOf = positions(new Map([...common, ...[...partner].filter(([i, j]) => a[i] !== b[j])]));
  for (const i of removed) {
    const j = partner.get(i);
    const op = old[i]!;
    if (j === undefined) changes.push({ position: positionOf(i), change: { change: 'removed', before: op, a: i } });
    else {
      const change = a[i] === b[j] ? 'moved' : 'changed';
      changes.push({ position: j, change: { change, before: op, after: now[j]!, a: i, b: j } });
    }
  }
  for (const j of added) {
    if (!taken.has(j)) changes.push({ position: j, change: { change: 'added', after: now[j]!, b: j } });
  }
  return changes.sort((x, y) => x.position - y.position).map((c) => c.change);
}

/** The differences as lines with `-` for the first plan and `+` for the second. */
export function explainDiff(before: Plan, after: Plan, o: ExplainFormat): string {
  const changes = planDiff(before, after);
  if (changes.length === 0) return 'no difference\n';
  const lines: { sign: string; line: Line }[] = [];
  for (const c of changes) {
    if ('before' in c)
      append(
        lines,
        lineParts(c.before, c.a).map((line) => ({ sign: '-', line })),
      );
    if ('after' in c)
      append(
        lines,
        lineParts(c.after, c.b).map((line) => ({ sign: '+', line })),
      );
  }
  // Colours follow the sign; the columns stay plain.
  const format = layout(
    lines.map((l) => l.line),
    { colour: false, ...(o.width !== undefined && { width: o.width }) },
  );
  const count = (kind: Change['change']): number => changes.filter((c) => c.change === kind).length;
  const kinds = (['removed', 'added', 'changed', 'moved'] as const).filter((k) => count(k) > 0);
  const body = lines.map(({ sign, line }) => {
    const texts = format(line)
      .slice(0, -1)
      .split('\n')
      .map((text) => `${sign}${text.slice(1)}`);
    return texts.map((text) => (o.colour ? `\x1b[${sign === '-' ? 31 : 32}m${text}\x1b[0m\n` : `${text}\n`)).join('');
  });
  return `${kinds.map((k) => `${count(k)} ${k}`).join(', ')}\n\n${body.join('')}`;
}

/** The differences as JSON (docs/plan-json.md). */
export function explainDiffJson(before: Plan, after: Plan): string {
  const changes = planDiff(before, after).map((c) => ({
    change: c.change,
    ...('before' in c ? { before: { index: c.a, ...opFields(c.before) } } : {}),
    ...('after' in c ? { after: { index: c.b, ...opFields(c.after) } } : {}),
  }));
  return `${toJson({ version: 1, changes }, '  ')}\n`;
}

/** An operation without its pointer, as text: equal if the operations do the same. */
function canonical(op: Op): string {
  return toJson({ ...op, at: undefined });
}

/** Subject of an operation: two operations with the same identity in two plans are one that changed. */
function identity(op: Op): string {
  const o = op as Readonly<Record<string, unknown>>;
  return toJson([op.op, o.target ?? o.key ?? o.resource ?? o.kind ?? (op.op === 'rootfs' ? '' : o.path) ?? '']);
}

/** Pairs the unpaired operations of `removed` and `added` with equal keys, in order. */
function pair(
  removed: readonly number[],
  added: readonly number[],
  keyA: (i: number) => string,
  keyB: (j: number) => string,
  partner: Map<number, number>,
): void {
  const taken = new Set(partner.values());
  const waiting = new Map<string, number[]>();
  for (const j of added) {
    if (taken.has(j)) continue;
    const list = waiting.get(keyB(j));
    if (list) list.push(j);
    else waiting.set(keyB(j), [j]);
  }
  for (const i of removed) {
    if (partner.has(i)) continue;
    const j = waiting.get(keyA(i))?.shift();
    if (j !== undefined) partner.set(i, j);
  }
}

/** Position in the second plan for an operation of the first: right after its last predecessor that is in both. */
function positions(both: ReadonlyMap<number, number>): (i: number) => number {
  return (i) => {
    let before = i - 1;
    while (before >= 0 && !both.has(before)) before--;
    return (both.get(before) ?? -1) + 0.5;
  };
}

/**
 * A longest common subsequence as pairs of indices (Hunt and Szymanski 1977): fast if most lines are unique, as in a
 * plan.
 */
function longestCommon(a: readonly string[], b: readonly string[]): [number, number][] {
  const where = new Map<string, number[]>();
  for (let j = b.length - 1; j >= 0; j--) {
    const list = where.get(b[j]!);
    if (list) list.push(j);
    else where.set(b[j]!, [j]);
  }
  interface Node {
    readonly i: number;
    readonly j: number;
    readonly before: Node | undefined;
  }
  // tails[k] ends the chain of length k + 1 whose last j is smallest.
  const tails: Node[] = [];
  a.forEach((line, i) => {
    for (const j of where.get(line) ?? []) {
      let low = 0;
      let high = tails.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (tails[middle]!.j < j) low = middle + 1;
        else high = middle;
      }
      tails[low] = { i, j, before: tails[low - 1] };
    }
  });
  const result: [number, number][] = [];
  for (let node = tails.at(-1); node !== undefined; node = node.before) result.push([node.i, node.j]);
  return result.reverse();
}
