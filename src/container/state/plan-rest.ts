/** The rest of a plan in the state directory, so that `start` can name the operation that fails. */

import { entriesOf, indexOfOp, type Plan } from '../../plan/op-list.js';
import type { FieldType } from '../../plan/op-shape.js';
import { type Op, type OpName, ops } from '../../plan/plan-ops.js';
import { host } from '../../sys/host.js';
import { entryText, withState } from './state-directory.js';
import { planRestFile } from './state-store.js';
import { storeFile } from './stored-files.js';

/** Operations with their index in the whole plan. */
type PlanRest = readonly (readonly [index: number, op: Op])[];

/** The operations that runt-init performs after `wait`, and a late seccomp filter, which it loads before the execve. */
const restOf = ({ ops: all }: Plan): PlanRest => {
  const wait = indexOfOp(all, 'wait');
  const rest: [number, Op][] = [];
  entriesOf(all).forEach((entry, i) => {
    const isMade = typeof entry === 'number';
    // None that is made when it is read is a filter.
    if (isMade && i < wait) return;
    const op = isMade ? (all.at(i) as Op) : entry;
    if ((i > wait && ops[op.op].by === 'init') || (op.op === 'seccomp' && op.late)) rest.push([i, op]);
  });
  return rest;
};

/** Fields that no message shows. Each hook has its own copy: with them the file could reach megabytes. */
const unshown: Readonly<Record<string, unknown>> = { env: [], beforePid: '', afterPid: '' };

/** An operation of the rest. */
interface KeptOp {
  readonly op: Op;
  /** No seccomp filter is left to load: runt-init has loaded the container's, if it has one. */
  readonly filtered: boolean;
}

/** Writes the operations that follow the report `created`. @throws RuntError ERR_STATE */
export function storePlanRest(root: string, id: string, plan: Plan): void {
  const text = JSON.stringify(restOf(plan), (key, value) =>
    typeof value === 'bigint' ? `${value}` : Object.hasOwn(unshown, key) ? unshown[key] : value,
  );
  storeFile(root, id, planRestFile, host.encode(text), 'write the rest of the plan');
}

/**
 * An operation of the rest, by its index in the whole plan. Undefined if the file is missing, damaged, or written by a
 * runt with other operations: then the failure that the caller reports has no operation.
 * @throws RuntError ERR_STATE
 */
export function storedOp(root: string, id: string, index: number): KeptOp | undefined {
  const entries = storedEntries(root, id);
  const op = entries.find(([i]) => i === index)?.[1];
  if (!isOp(op)) return undefined;
  const filters = entries.some(([i, each]) => isOp(each) && each.op === 'seccomp' && (Number(i) > index || each.late));
  return { op, filtered: !filters };
}

/** The operations of the rest; those that this runt knows. @throws RuntError ERR_STATE */
export const storedOps = (root: string, id: string): Op[] =>
  storedEntries(root, id)
    .map(([, op]) => op)
    .filter(isOp);

function storedEntries(root: string, id: string): unknown[][] {
  const text = withState(root, id, (dir) => entryText(dir, planRestFile));
  try {
    const rest: unknown = JSON.parse(text ?? '');
    return Array.isArray(rest) ? rest.filter(Array.isArray) : [];
  } catch {
    return [];
  }
}

/** Whether a value is an operation of this runt, with fields of the right types. */
function isOp(value: unknown): value is Op {
  if (typeof value !== 'object' || value === null) return false;
  const { op, at, ...fields } = value as Record<string, unknown>;
  if (typeof op !== 'string' || !Object.hasOwn(ops, op) || typeof at !== 'string') return false;
  const shape: Readonly<Record<string, FieldType>> = ops[op as OpName].fields;
  return Object.entries(shape).every(([name, type]) => isOf(type, fields[name]));
}

function isOf(type: FieldType, value: unknown): boolean {
  if (type.endsWith('?') && value === undefined) return true;
  if (type === 'list') return Array.isArray(value) && value.every((item) => typeof item === 'string');
  if (type.endsWith('[]')) return Array.isArray(value);
  if (type === 'bool') return typeof value === 'boolean';
  // A bigint was written as text.
  if (/^(?:int|flags|fd)/.test(type)) return typeof value === 'number' || typeof value === 'string';
  return type === 'data' || typeof value === 'string';
}
