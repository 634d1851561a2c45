/** A config that breaks its schema, mended for the rules, so that they can judge the rest of it. */
import validate, { type SchemaError } from '../../../build/gen/validate-config.js';
import { nearest } from '../../sys/nearest-word.js';
import type { Spec } from '../config-types.js';
import { at, segment, segments } from '../json/json-pointer.js';
import { conforms } from '../json/null-members.js';
import { placeWideIntegers, type WideIntegers } from '../json/wide-integers.js';
import { Findings } from './findings.js';

/** Times that a value is put in for another: first of the right type, then within its limits, then what it must hold. */
const ROUNDS = 16;

/** Notes in `findings` what `rules` find in a config, but for what they say of values that the schema refuses. */
export function mended(
  spec: Spec,
  integers: WideIntegers,
  rules: (spec: Spec, findings: Findings) => void,
  findings: Findings,
): void {
  const put: string[] = [];
  for (let round = 0; !conforms(spec); round++) {
    // More of them than the validator lists: what is left would take as many rounds.
    if (validate.more || round === ROUNDS) return;
    for (const error of validate.errors ?? []) put.push(mend(spec, error));
  }
  placeWideIntegers(integers, spec, new Findings());
  rulesBut(put, spec, rules, findings);
}

/** Notes in `findings` what `rules` find in a config, but for what they say because of the values at the pointers `refused`. */
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
  // A rule may look at two values, and names the other one by its place in a list.
  const places = refused.map(placeOf);
  // Which namespaces there are is not known when the type of one is not, nor when what holds their list is refused.
  const namespaces = refused.some(
    (pointer) => pointer.startsWith('/linux/namespaces') || '/linux/namespaces'.startsWith(`${pointer}/`),
  );
  const isOwn = (pointer: string, expected: string) =>
    isBelow(pointer, wrong) ||
    places.some((place) => place && `${expected} `.includes(`${place} `)) ||
    (namespaces && expected.includes('linux.namespaces'));
  for (const violation of rest.violations) if (!isOwn(violation.pointer, violation.expected)) findings.add(violation);
  if (rest.more) findings.more = true;
  for (const { pointer, value, expected, see } of rest.warnings)
    if (!isOwn(pointer, expected)) findings.warn(pointer, value, expected, see ?? '');
}

/** Fields on which it depends what others must be, each with the names of these in its object; none: all of it. */
const DECIDING: readonly (readonly [RegExp, ...names: string[]])[] = [
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

/** The pointers below which nothing can be said when the value at one is refused. */
function dependants(pointer: string): string[] {
  const pointers = [pointer];
  for (const [field, ...names] of DECIDING) {
    const object = field.exec(pointer)?.[1];
    if (object === undefined) continue;
    if (names.length === 0) pointers.push(object);
    for (const name of names) pointers.push(`${object}/${name}`);
  }
  return pointers;
}

/** The list entry that a pointer leads to or into; empty when there is none. */
const placeOf = (pointer: string): string => /^.*\/\d+(?=\/|$)/.exec(pointer)?.[0] ?? '';

/** Whether a pointer is one of a set, or leads below one. */
function isBelow(pointer: string, set: ReadonlySet<string>): boolean {
  for (let end = pointer.length; end > 0; end = pointer.lastIndexOf('/', end - 1)) {
    if (set.has(pointer.slice(0, end))) return true;
  }
  return false;
}

/** Puts a value that is nearer to what the schema wants in the place of the one that an error is about; its pointer. */
function mend(spec: unknown, { keyword, instancePath, params, propertyName }: SchemaError): string {
  if (keyword === 'required') {
    const name = String(params.missingProperty);
    // Of any type but null, which is dropped; the next round tells which it must be.
    set(at(spec, instancePath), name, () => [null]);
    return `${instancePath}/${segment(name)}`;
  }
  if (propertyName !== undefined) {
    set(at(spec, instancePath), propertyName, () => undefined);
    return `${instancePath}/${segment(propertyName)}`;
  }
  const keys = segments(instancePath);
  const last = keys.pop() ?? '';
  const parent = at(spec, keys.map((part) => `/${segment(part)}`).join(''));
  set(parent, last, (value) => nearer(keyword, params, value));
  return instancePath;
}

/** Sets a member, or removes it; nothing where another error of the round has taken the parent away. */
function set(parent: unknown, key: string, value: (now: unknown) => unknown): void {
  if (typeof parent !== 'object' || parent === null) return;
  const object = parent as Record<string, unknown>;
  const next = value(object[key]);
  if (next === undefined) delete object[key];
  else object[key] = next;
}

function nearer(keyword: string, params: Record<string, unknown>, value: unknown): unknown {
  switch (keyword) {
    case 'type':
      return { string: '/', array: [], object: {}, boolean: false }[String(params.type)] ?? 0;
    case 'enum': {
      const allowed = params.allowedValues as string[];
      return (typeof value === 'string' ? nearest(value, allowed) : undefined) ?? allowed[0];
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
