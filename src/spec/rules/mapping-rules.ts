/** Rules of id mappings: of the user namespace, and of id-mapped mounts (user_namespaces(7)). */

import type { IdMapping, Spec } from '../config-types.js';
import type { Findings } from '../judge/findings.js';

const SEE = 'config-linux.md#user-namespace-mappings';

/** Maximum number of lines since Linux 4.15. */
const MAX_MAPPINGS = 340;

export function mappingRules(spec: Spec, findings: Findings): void {
  const linux = spec.linux;
  if (!linux) return;
  const index = linux.namespaces?.findIndex(({ type }) => type === 'user') ?? -1;
  const user = linux.namespaces?.[index];
  for (const key of ['uidMappings', 'gidMappings'] as const) {
    const mappings = linux[key];
    if (mappings?.length && !user) {
      const expected = 'be absent, or linux.namespaces must have an entry of type user';
      findings.refuse(`/linux/${key}`, mappings, expected, SEE);
    }
    if (user && !user.path && !mappings?.length) {
      const expected = `be given: /linux/namespaces/${index} makes a user namespace, and no id is mapped in it`;
      findings.refuse(`/linux/${key}`, mappings, expected, SEE);
    }
    idMappingRules(mappings, `/linux/${key}`, findings);
  }
}

/** Checks each mapping, then that no two of them share an id. */
export function idMappingRules(mappings: readonly IdMapping[] | undefined, at: string, findings: Findings): void {
  if (!mappings) return;
  if (mappings.length > MAX_MAPPINGS) {
    findings.refuse(
      at,
      undefined,
      `have at most ${MAX_MAPPINGS} entries, not ${mappings.length}`,
      'user_namespaces(7)',
    );
    return;
  }
  const overlapping = { containerID: overlaps(mappings, 'containerID'), hostID: overlaps(mappings, 'hostID') };
  mappings.forEach(({ containerID, hostID, size }, i) => {
    if (size === 0) findings.refuse(`${at}/${i}/size`, size, 'be above 0', SEE);
    for (const [name, first] of [
      ['containerID', containerID],
      ['hostID', hostID],
    ] as const) {
      // 2^32-1 is not an id.
      if (first + size > 0xffffffff) {
        const expected = `leave room for ${size} ids below 4294967295`;
        findings.refuse(`${at}/${i}/${name}`, first, expected, 'user_namespaces(7)');
      }
      // The search for the pair costs n²: only run it if there is a pair, and its violation is listed.
      if (!overlapping[name] || findings.more) continue;
      const other = mappings.slice(0, i).findIndex((m) => first < m[name] + m.size && m[name] < first + size);
      if (other >= 0) {
        findings.refuse(`${at}/${i}/${name}`, first, `not overlap with ${at}/${other}`, 'user_namespaces(7)');
      }
    }
  });
}

/** Whether two mappings share an id. */
function overlaps(mappings: readonly IdMapping[], name: 'containerID' | 'hostID'): boolean {
  const sorted = [...mappings].sort((a, b) => a[name] - b[name]);
  return sorted.some((m, i) => i > 0 && sorted[i - 1]![name] + sorted[i - 1]!.size > m[name]);
}
