/** Writes of a running container's new values to its cgroup files, with an error for a refused one. */
import type { Op } from '../../plan/plan-ops.js';
import type { Resources, Spec } from '../../spec/config-types.js';
import { failure } from '../failure/op-failure.js';
import { writeAll } from './all-or-nothing.js';

/** @returns the undo @throws RuntError if a value is refused; then none has changed */
export function write(id: string, resources: Resources, ops: readonly Op[]): () => readonly string[] {
  const { refused, takeBack } = writeAll(ops);
  if (!refused) return takeBack;
  // The pointers are relative to the resources, and so is the value.
  const error = failure('update', id, refused.failed, resources as unknown as Spec);
  error.hint = [
    ...(error.hint ? [error.hint] : []),
    refused.kept.length === 0
      ? 'nothing was changed'
      : `these have their new values and would not take back the old ones: ${refused.kept.join(', ')}`,
  ].join('; ');
  throw error;
}
