/** The rest of a plan in the state directory, so that `start` can name the operation that fails. */
import type { Op, Plan } from '../../plan/plan-ops.js';
import { RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { O_CREAT, O_EXCL } from '../../sys/linux.js';
import { entryText, withState } from './state-directory.js';
import { planRestFile } from './state-store.js';

/** Operations with their index in the whole plan. */
type PlanRest = readonly (readonly [index: number, op: Op])[];

/** Operations performed after `wait`: those behind it, and a late seccomp filter, loaded right before the execve. */
const restOf = ({ ops }: Plan): PlanRest => {
  const wait = ops.findIndex(({ op }) => op === 'wait');
  return [...ops.entries()].filter(([i, op]) => i > wait || (op.op === 'seccomp' && op.late));
};

/** Writes the operations that follow the report `created`. @throws RuntError ERR_STATE */
export function keepPlanRest(root: string, id: string, plan: Plan): void {
  const text = JSON.stringify(restOf(plan), (_key, value) => (typeof value === 'bigint' ? `${value}` : value));
  const r = withState(root, id, (dir) =>
    dir < 0 ? dir : native.writeFile(dir, planRestFile, O_CREAT | O_EXCL, 0o600, host.encode(text)),
  );
  if (r >= 0) return;
  const path = `${root}/${id}/${planRestFile}`;
  throw new RuntError({ code: 'ERR_STATE', message: `write the rest of the plan ${path}`, path, errno: -r });
}

/**
 * An operation of the rest, by its index in the whole plan; undefined if the file or the operation is missing.
 * @throws RuntError ERR_STATE, ERR_STATE_CORRUPT
 */
export function keptOp(root: string, id: string, index: number): Op | undefined {
  const text = withState(root, id, (dir) => entryText(dir, planRestFile));
  if (text === undefined) return undefined;
  let rest: PlanRest;
  try {
    rest = JSON.parse(text) as PlanRest;
  } catch (cause) {
    const path = `${root}/${id}/${planRestFile}`;
    const message = `the rest of the plan of container ${id} cannot be read`;
    throw new RuntError({ code: 'ERR_STATE_CORRUPT', message, path, cause });
  }
  return rest.find(([i]) => i === index)?.[1];
}
