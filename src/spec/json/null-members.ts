/** null in a document: a member that is not there, as for every runtime that reads it in Go or C. */
import validate from '../../../build/gen/validate-config.js';

/** Whether a config keeps its schema; nulls are taken out of it only where it does not: hardly anybody writes one. `validate` has the errors. */
export const conforms = (spec: unknown): boolean => validate(spec) || (dropNulls(spec) && validate(spec));

/** Takes the members that are null out of all objects of a value. Whether there was one. */
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
