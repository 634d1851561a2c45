/** Writes of a running container's new values to its cgroup files, with an error for a refused one. */
import type { Op } from '../../plan/plan-ops.js';
import type { Resources, Spec } from '../../spec/config-types.js';
import { opFailureError } from '../failure/op-failure.js';
import { writeAll } from './all-or-nothing.js';

/** @returns the undo @throws RuntError if a value is refused; then none has changed */
export function writeResources(id: string, resources: Resources, ops: readonly Op[]): () => readonly string[] {
  const { refused, restore } = writeAll(ops);
  if (!refused) return restore;
  // The pointers are relative to the resources, and so is the value.
  const error = opFailureError('update', id, refused.failed, resources as unknown as Spec);
  const what =
    refused.unrestored.length === 0
      ? 'nothing was changed'
      : `runt could not restore the old values of ${refused.unrestored.join(', ')}`;
  error.hint = `${error.hint ?? 'correct the value'}; ${what}`;
  throw error;
}
