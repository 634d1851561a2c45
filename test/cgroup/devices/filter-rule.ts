/** Rules of a device filter in a short form for tests: as v1 writes exceptions. */
import type { FilterRule } from '../../../src/cgroup/devices/device-filter.js';

/** The rule of `c 1:3 rwm`; `*` is any number. */
export function filterRule(line: string): FilterRule {
  const [type, major, minor, access] = line.split(/[ :]/) as ['b' | 'c', string, string, string];
  return {
    type,
    ...(major !== '*' && { major: Number(major) }),
    ...(minor !== '*' && { minor: Number(minor) }),
    access,
  };
}

/** The rule of `deny c 4:64 w`. */
export function orderedRule(line: string): FilterRule & { readonly allow: boolean } {
  return { allow: line.startsWith('allow '), ...filterRule(line.replace(/^\w+ /, '')) };
}
