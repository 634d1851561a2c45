/** Parser of JSON text, with an error that names the line and column of a mistake. */

import { E } from '../../sys/errno.js';
import { check, isOutOfMemory, RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { JSON_PROBLEM, type JsonProblem } from '../../sys/protocol.js';
import { tooDeepError } from './wide-integers.js';

/** @param name name of the document in the error. @throws RuntError ERR_SPEC_JSON */
export function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (isOutOfMemory(cause)) throw cause;
    const error = syntaxError(text);
    // It is valid JSON that exhausts the parser's stack.
    if (!error) throw tooDeepError(name);
    const where = `:${error.line}:${error.column}`;
    throw new RuntError({
      code: 'ERR_SPEC_JSON',
      message: `${name}${where} is not JSON: ${error.problem}`,
      path: name,
      cause,
    });
  }
}

interface SyntaxProblem {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  /** The mistake. */
  readonly problem: string;
}

/** Whole sentences. */
const MISTAKES = {
  openString: 'a string has no closing quote',
  control: 'a string has a control character; write it as an escape such as \\n',
  escape: 'a string has an unknown escape',
};

/** Expected tokens. */
const EXPECTED: { readonly [K in Exclude<JsonProblem, keyof typeof MISTAKES | 'lastComma'>]: string } = {
  value: 'a value',
  key: 'a key in double quotes',
  keyOrEnd: 'a key in double quotes or "}"',
  colon: '":"',
  commaOrEnd: '"," or "}"',
  commaOrListEnd: '"," or "]"',
  endOfText: 'the end of the text',
};

/** Position of the first syntax error (RFC 8259); undefined if the text is JSON or is nested too deeply. */
export function syntaxError(text: string): SyntaxProblem | undefined {
  const json = host.encode(text);
  const position = new Uint8Array(8);
  const kind = native.jsonError(json, position);
  if (kind === 0 || kind === -E.ELOOP) return undefined;
  check(kind, { code: 'ERR_SPEC_JSON', message: 'find the syntax error of a document', syscall: 'jsonError' });
  const offset = Number(new DataView(position.buffer).getBigInt64(0, true));
  const before = host.decode(json, offset);
  const found = text.codePointAt(before.length);
  return {
    line: before.split('\n').length,
    column: before.length - before.lastIndexOf('\n'),
    problem: problem(JSON_PROBLEM[kind] as JsonProblem, found === undefined ? undefined : String.fromCodePoint(found)),
  };
}

/** A character in quotes; by its name where the quotes would not show it. */
function quoted(found: string | undefined): string {
  if (found === undefined) return 'the end of the text';
  if (found === '\n') return 'the end of the line';
  return found === '"' ? "'\"'" : `"${found}"`;
}

function problem(kind: JsonProblem, found: string | undefined): string {
  if (kind === 'lastComma') return `a comma before ${quoted(found)}`;
  if (kind in MISTAKES) return MISTAKES[kind as keyof typeof MISTAKES];
  return `expected ${EXPECTED[kind as keyof typeof EXPECTED]}, found ${quoted(found)}`;
}
