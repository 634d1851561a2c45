/** The phases under which explain groups the operations of a plan. */
import type { Phase } from '../op-shape.js';
import { type Op, ops } from '../plan-ops.js';

/** Phases in the order in which explain prints them. */
export const phases: readonly Phase[] = [
  'prepare',
  'namespaces',
  'root and mounts',
  'devices',
  'hide and protect',
  'identity',
  'limits',
  'start',
];

/** The phase under which explain prints an operation. */
export function phase(op: Op): Phase {
  // Hooks that run before the switch of root.
  if (op.op === 'hook' && !op.inside) return 'root and mounts';
  if (op.op === 'verifyMounts' && op.last) return 'hide and protect';
  if (op.op === 'hostHook' && (op.point === 'prestart' || op.point === 'createRuntime')) return 'root and mounts';
  return ops[op.op].phase;
}
