/** null members of a document, which count as absent, as in every runtime that reads it in Go or C. */
import validate from '../../../build/gen/validate-config.js';

/**
 * Validates against the schema; if that fails, drops JSON nulls (rare) and tries once more. `validate` has the errors.
 */
export const conforms = (spec: unknown): boolean => validate(spec) || (dropNulls(spec) && validate(spec));

/** Removes null members from all objects of a value. Returns whether it found one. */
function dropNulls(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  let dropped = false;
  for (const [key, child] of Object.entries(value)) {
    if (child === null && !Array.isArray(value)) {
      delete (value as Record<string, unknown>)[key];
      dropped = true;
    } else if (dropNulls(child)) dropped = true;
  }
  return dropped;
}
