/** Repair of a config that violates the schema, so that the rules can check the rest of it. */
import validate, { type SchemaError } from '../../../build/gen/validate-config.js';
import { nearestWord } from '../../sys/nearest-word.js';
import type { Spec } from '../config-types.js';
import { escapeSegment, parsePointer, valueAt } from '../json/json-pointer.js';
import { conforms } from '../json/null-members.js';
import { setWideIntegers, type WideIntegers } from '../json/wide-integers.js';
import { Findings } from './findings.js';

/** Limit on rounds of repairs: a value first gets the right type, then its limits, then the required content. */
const ROUNDS = 16;

/** Records in `findings` what `rules` find in a config, except findings about values that the schema refuses. */
export function mendConfig(
  spec: Spec,
  integers: WideIntegers,
  rules: (spec: Spec, findings: Findings) => void,
  findings: Findings,
): void {
  const put: string[] = [];
  for (let round = 0; !conforms(spec); round++) {
    // There are more errors than the validator lists: the rest would take as many rounds.
    if (validate.more || round === ROUNDS) return;
    for (const error of validate.errors ?? []) put.push(mendValue(spec, error));
  }
  setWideIntegers(integers, spec, new Findings());
  rulesBut(put, spec, rules, findings);
}

/**
 * Records in `findings` what `rules` find in a config, except findings caused by the values at the pointers `refused`.
 */
export function rulesBut(
  refused: readonly string[],
  spec: Spec,
  rules: (spec: Spec, findings: Findings) => void,
  findings: Findings,
): void {
  const rest = new Findings();
  rules(spec, rest);
  const known = findings.violations.map(({ pointer }) => pointer);
  const wrong = new Set([...refused, ...known].flatMap(dependants));
  // What a rule finds in a list with a replaced entry may be about the replacement.
  const lists = new Set(refused.filter((pointer) => /\/\d+$/.test(pointer)).map((p) => p.slice(0, p.lastIndexOf('/'))));
  // A rule may compare two values, and names the other by its list index.
  const entries = refused.map(listEntryOf);
  // The set of namespaces is unknown if the type of one is invalid, or if their list or a parent of it is refused.
  const namespaces = refused.some(
    (pointer) => pointer.startsWith('/linux/namespaces') || '/linux/namespaces'.startsWith(`${pointer}/`),
  );
  const isOwn = (pointer: string, expected: string) =>
    isBelow(pointer, wrong) ||
    lists.has(pointer) ||
    entries.some((entry) => entry && `${expected} `.includes(`${entry} `)) ||
    (namespaces && expected.includes('linux.namespaces'));
  for (const violation of rest.violations) if (!isOwn(violation.pointer, violation.expected)) findings.add(violation);
  if (rest.more) findings.more = true;
  for (const { pointer, value, expected, see } of rest.warnings)
    if (!isOwn(pointer, expected)) findings.warn(pointer, value, expected, see ?? '');
}

/**
 * Fields that decide which other fields of their object are valid, with the names of these; without names, all fields.
 */
const DECIDING_FIELDS: readonly (readonly [RegExp, ...names: string[]])[] = [
  [/^(\/mounts\/\d+)\/(?:type|options(?:\/\d+)?|[ug]idMappings)$/],
  [/^(\/linux\/(?:devices|namespaces)\/\d+)\/type$/],
  [/^(.*\/[ug]idMappings\/\d+)\/\w+$/],
  [/^(\/process\/scheduler)\/\w+$/],
  [/^(\/linux\/memoryPolicy)\/mode$/],
  [/^(\/process\/rlimits\/\d+)\/hard$/, 'soft'],
  [/^(\/process\/capabilities)\/permitted/, 'effective'],
  [/^(\/linux\/seccomp\/syscalls\/\d+)\/action$/, 'errnoRet'],
  [/^(\/linux\/seccomp)\/defaultAction$/, 'defaultErrnoRet'],
  [/^(\/linux\/resources\/memory)\/limit$/, 'swap'],
  [/^(\/linux\/resources\/cpu)\/quota$/, 'burst'],
];

/** The pointers below which no rule can be checked if the value at `pointer` is refused. */
function dependants(pointer: string): string[] {
  const pointers = [pointer];
  for (const [field, ...names] of DECIDING_FIELDS) {
    const object = field.exec(pointer)?.[1];
    if (object === undefined) continue;
    if (names.length === 0) pointers.push(object);
    for (const name of names) pointers.push(`${object}/${name}`);
  }
  return pointers;
}

/** The list entry at or above a pointer; empty if there is none. */
const listEntryOf = (pointer: string): string => /^.*\/\d+(?=\/|$)/.exec(pointer)?.[0] ?? '';

/** Whether a pointer is in a set, or is below one in it. */
function isBelow(pointer: string, set: ReadonlySet<string>): boolean {
  for (let end = pointer.length; end > 0; end = pointer.lastIndexOf('/', end - 1)) {
    if (set.has(pointer.slice(0, end))) return true;
  }
  return false;
}

/** Replaces the value that an error names by one closer to the schema. Returns its pointer. */
function mendValue(spec: unknown, { keyword, instancePath, params, propertyName }: SchemaError): string {
  if (keyword === 'required') {
    const name = String(params.missingProperty);
    // Any type but null, which is dropped; the next round reports the required type.
    setMember(valueAt(spec, instancePath), name, () => [null]);
    return `${instancePath}/${escapeSegment(name)}`;
  }
  if (propertyName !== undefined) {
    setMember(valueAt(spec, instancePath), propertyName, () => undefined);
    return `${instancePath}/${escapeSegment(propertyName)}`;
  }
  const keys = parsePointer(instancePath);
  const last = keys.pop() ?? '';
  const parent = valueAt(spec, keys.map((part) => `/${escapeSegment(part)}`).join(''));
  setMember(parent, last, (value) => closerValue(keyword, params, value));
  return instancePath;
}

/** Sets or removes a member; does nothing if another error of the round has removed the parent. */
function setMember(parent: unknown, key: string, value: (now: unknown) => unknown): void {
  if (typeof parent !== 'object' || parent === null) return;
  const object = parent as Record<string, unknown>;
  const next = value(object[key]);
  if (next === undefined) delete object[key];
  else object[key] = next;
}

function closerValue(keyword: string, params: Record<string, unknown>, value: unknown): unknown {
  switch (keyword) {
    case 'type':
      return { string: '/', array: [], object: {}, boolean: false }[String(params.type)] ?? 0;
    case 'enum': {
      const allowed = params.allowedValues as string[];
      return (typeof value === 'string' ? nearestWord(value, allowed) : undefined) ?? allowed[0];
    }
    case 'minLength':
      return '/';
    case 'minItems':
      return [null];
    case 'minProperties':
      return { x: 0 };
    case 'pattern':
      return '64KB';
    default:
      return params.limit;
  }
}
