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
  const what =
    refused.kept.length === 0
      ? 'nothing was changed'
      : `these files have their new values, and do not take the old ones back: ${refused.kept.join(', ')}`;
  error.hint = `${error.hint ?? 'correct the value'}; ${what}`;
  throw error;
}
