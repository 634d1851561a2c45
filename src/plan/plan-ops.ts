/** Table of all plan operations, merged from the rooms' tables. */

import type { NumberRange } from '../spec/number-list.js';
import { cgroupTable } from './cgroup/cgroup-ops.js';
import { deviceTable } from './devices/device-ops.js';
import { hookTable } from './hooks/hook-ops.js';
import { idTable } from './ids/id-ops.js';
import { labelTable } from './labels/label-ops.js';
import { maskTable } from './masks/mask-ops.js';
import { mountTable } from './mounts/mount-ops.js';
import { namespaceTable } from './namespaces/namespace-ops.js';
import { networkTable } from './network/network-ops.js';
import { processTable } from './process/process-ops.js';
import { rdtTable } from './rdt/rdt-ops.js';
import { rootTable } from './root/root-ops.js';
import { schedulingTable } from './scheduling/scheduling-ops.js';
import { seccompTable } from './seccomp/seccomp-ops.js';
import { terminalTable } from './terminal/terminal-ops.js';

/**
 * TypeScript builds and encodes plans from it; `hack/gen.mjs` writes the C header with which `runt-init` decodes them
 * (`native/init`). Either the runtime performs an operation (in TypeScript, before or after the clone), or runt-init
 * does inside the new namespaces, in the order of the plan.
 */
export const ops = {
  ...processTable,
  ...idTable,
  ...namespaceTable,
  ...networkTable,
  ...mountTable,
  ...rootTable,
  ...maskTable,
  ...deviceTable,
  ...cgroupTable,
  ...seccompTable,
  ...hookTable,
  ...terminalTable,
  ...schedulingTable,
  ...labelTable,
  ...rdtTable,
};

export type OpName = keyof typeof ops;
interface Values {
  readonly str: string;
  readonly int: number | bigint;
  readonly bool: boolean;
  readonly flags: number | bigint;
  readonly fd: number;
  readonly list: readonly string[];
  readonly 'int[]': readonly (number | bigint)[];
  readonly 'flags[]': readonly (number | bigint)[];
  readonly 'range[]': readonly NumberRange[];
  readonly note: string;
}
type FieldValue<T> = T extends `${infer Present}?`
  ? FieldValue<Present>
  : 'of' extends keyof T
    ? Exclude<T['of'], undefined>
    : T extends keyof Values
      ? Values[T]
      : never;
/** Names of the optional fields. */
type OptionalNames<F> = { [N in keyof F]: F[N] extends `${string}?` ? N : never }[keyof F];
type FieldValues<F> = { readonly [N in Exclude<keyof F, OptionalNames<F>>]: FieldValue<F[N]> } & {
  readonly [N in OptionalNames<F>]?: FieldValue<F[N]> | undefined;
};
type OpFields<N extends OpName> = FieldValues<(typeof ops)[N]['fields']>;

/** One operation of a plan: its fields, and the JSON pointer of its config value ('' for the runtime's own). */
export type Op = { [N in OpName]: { readonly op: N; readonly at: string } & OpFields<N> }[OpName];

/** The operation of that name. */
export type OpOf<N extends OpName> = Extract<Op, { readonly op: N }>;

/** A plan, with its operations in one kind of list. */
export interface PlanOf<O extends Iterable<Op>> {
  readonly version: 1;
  readonly ops: O;
  /** For readers of the plan; absent if there are none. */
  readonly unsafeAnnotations?: readonly { readonly at: string; readonly effect: string }[];
}
