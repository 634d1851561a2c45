/** The text of a document as JSON, or the error that names the place where it stops being that. */
import { RuntError } from '../../sys/error.js';
import { syntaxError } from './syntax-error.js';
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
