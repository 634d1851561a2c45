/** The text of a document as JSON, or the error that names the place where it stops being that. */

import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { tooDeep } from './wide-integers.js';

/** @param name what the error calls the document. @throws RuntError ERR_SPEC_JSON */
export function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const error = syntaxError(text);
    // It is JSON, and the parser has no stack for it.
    if (!error) throw tooDeep(name);
    const where = `:${error.line}:${error.column}`;
    throw new RuntError({
      code: 'ERR_SPEC_JSON',
      message: `${name}${where} is not JSON: ${error.problem}`,
      path: name,
      cause,
    });
  }
}

export interface SyntaxProblem {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  /** What is wrong there. */
  readonly problem: string;
}

/** By the kinds of `native.jsonError`: the whole sentence, or what is expected where something else stands. */
const MISTAKES = [
  'this string has no end',
  'a string has a control character; write it as an escape such as \\n',
  'a string has an unknown escape',
];
const LAST_COMMA = MISTAKES.length + 1;
const EXPECTED = [
  'a value',
  'a key in double quotes',
  'a key in double quotes or "}"',
  '":"',
  '"," or "}"',
  '"," or "]"',
  'the end of the text',
];

/** Where a text stops being JSON (RFC 8259); undefined when it is JSON, or nested too deeply. */
export function syntaxError(text: string): SyntaxProblem | undefined {
  const json = host.encode(text);
  const place = new Uint8Array(8);
  const kind = native.jsonError(json, place);
  if (kind === 0 || kind === -E.ELOOP) return undefined;
  check(kind, { code: 'ERR_SPEC_JSON', message: 'find the syntax error of a document', syscall: 'jsonError' });
  const offset = Number(new DataView(place.buffer).getBigInt64(0, true));
  const before = host.decode(json, offset);
  const found = text.codePointAt(before.length);
  return {
    line: before.split('\n').length,
    column: before.length - before.lastIndexOf('\n'),
    problem: problem(kind, found === undefined ? undefined : String.fromCodePoint(found)),
  };
}

function problem(kind: number, found: string | undefined): string {
  if (kind < LAST_COMMA) return MISTAKES[kind - 1]!;
  if (kind === LAST_COMMA) return `a comma stands before "${found}"`;
  const what = found === undefined ? 'the text ends' : `"${found}" stands`;
  return `${what} where ${EXPECTED[kind - LAST_COMMA - 1]} is expected`;
}
