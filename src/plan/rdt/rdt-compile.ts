/** `linux.intelRdt`: the container's group in the resctrl file system (config-linux.md#intelrdt). */
import type { IntelRdt, Spec } from '../../spec/config-types.js';
import { RuntError } from '../../sys/error.js';
import type { HostFacts } from '../host-facts.js';
import type { Op } from '../plan-ops.js';

const at = '/linux/intelRdt';

interface RdtOps {
  /** Before the clone: the groups. */
  readonly groups: Op[];
  /** After the clone: the process enters them, with all its descendants. */
  readonly assign: Op[];
  /** Directories that delete removes, in this order. */
  readonly directories: readonly string[];
}

/** Names that the kernel itself uses there. */
const reserved = ['info', 'mon_groups', 'mon_data'];

/**
 * A class that the config names belongs to another owner: it is used, and not removed. Without a name the class is the
 * container's own. Undefined without intelRdt.
 * @throws RuntError ERR_UNSUPPORTED without a resctrl file system, ERR_SPEC_VALUE for a name that the kernel itself
 * uses
 */
export function rdtOps(spec: Spec, facts: HostFacts, id: string): RdtOps | undefined {
  const rdt = spec.linux?.intelRdt;
  if (!rdt) return undefined;
  const root = facts.resctrl();
  if (root === '') throw noResctrlError('', { pointer: at, value: rdt });
  const { closID } = rdt;
  const name = closID ?? id;
  if (reserved.includes(name)) {
    throw new RuntError({
      code: 'ERR_SPEC_VALUE',
      message: `Intel RDT: the name "${name}" is reserved in the resctrl file system: set another closID`,
      pointer: `${at}/closID`,
      value: name,
    });
  }
  const path = closID === '/' ? root : `${root}/${name}`;
  const schemata = schemataLines(rdt);
  const make = closID === undefined ? 'new' : schemata.length > 0 ? 'either' : 'there';
  const monitor = rdt.enableMonitoring ? [`${path}/mon_groups/${id}`] : [];
  return {
    groups: [
      { op: 'rdtGroup', at, path, make, schemata },
      ...monitor.map((m): Op => ({ op: 'rdtMonitor', at: `${at}/enableMonitoring`, path: m })),
    ],
    assign: [{ op: 'rdtAssign', at, paths: [path, ...monitor] }],
    directories: [...monitor, ...(closID === undefined ? [path] : [])],
  };
}

/** The error for a host without a resctrl file system; `what` is a prefix of the message. */
export function noResctrlError(
  what: string,
  origin: { readonly pointer?: string; readonly value?: unknown } = {},
): RuntError {
  return new RuntError({
    code: 'ERR_UNSUPPORTED',
    message: `${what}Intel RDT: the host has no resctrl file system`,
    ...origin,
    hint: 'run "mount -t resctrl resctrl /sys/fs/resctrl", or remove linux.intelRdt: it is not mounted, the kernel was built without it (CONFIG_X86_CPU_RESCTRL), or the CPU cannot control caches and memory bandwidth',
    see: 'runtime-spec config-linux.md#intelrdt',
  });
}

/** The lines for `schemata`. With a memBwSchema, memory bandwidth lines of the L3 schema are ignored. */
export function schemataLines({ l3CacheSchema, memBwSchema, schemata = [] }: IntelRdt): string[] {
  const l3 = (l3CacheSchema ?? '').split('\n').filter((line) => !memBwSchema || !line.trim().startsWith('MB:'));
  return [...l3, memBwSchema ?? '', ...schemata].filter((line) => line.trim() !== '');
}
