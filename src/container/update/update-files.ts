/** New values of a running container, written to the files of its cgroups; a refused one is an error. */
import type { Op } from '../../plan/plan-ops.js';
import type { Resources, Spec } from '../../spec/config-types.js';
import { failure } from '../failure/op-failure.js';
import { writeAll } from './all-or-nothing.js';

/** @returns what takes it back @throws RuntError when one value is refused: none has changed then */
export function write(id: string, resources: Resources, ops: readonly Op[]): () => readonly string[] {
  const { refused, takeBack } = writeAll(ops);
  if (!refused) return takeBack;
  // Pointers are into the resources, and so is the value that is looked up with them.
  const error = failure('update', id, refused.failed, resources as unknown as Spec);
  error.hint = [
    ...(error.hint ? [error.hint] : []),
    refused.kept.length === 0
      ? 'nothing was changed'
      : `these have their new values and would not take back the old ones: ${refused.kept.join(', ')}`,
  ].join('; ');
  throw error;
}
