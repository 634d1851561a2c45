/** Errors about an image. */
import { RuntError } from '../sys/error.js';

/** A JSON document of an image, for the pointers of errors. */
export interface Document {
  /** Path of its file, below IMAGE. */
  readonly path: string;
  readonly value: unknown;
}

/**
 * An image that runt does not take.
 * @param problem what holds of the image, as a sentence
 */
export function imageError(
  problem: string,
  facts: { document?: Document; pointer?: string; hint?: string } = {},
): RuntError {
  const { document, pointer, hint } = facts;
  return new RuntError({
    code: 'ERR_IMAGE',
    message: `bundle: ${problem}`,
    ...(document && { document: document.path, path: document.path }),
    ...(pointer !== undefined && { pointer }),
    ...(hint !== undefined && { hint }),
  });
}
