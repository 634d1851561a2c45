/** Id mappings in a mount option, in crun's form: `idmap=uids=0-1-10#10-20-5;gids=@0-100-10`. */
import type { IdMapping, Linux } from './config-types.js';

export interface IdRanges {
  readonly uids: IdMapping[];
  readonly gids: IdMapping[];
}

/**
 * The mappings of an option, or the reason why it is refused. A range is the first id in the file system, the first id
 * of the host, and the length. With `@` before a list, the second ids are those of the container's user namespace.
 */
export function idRanges(
  text: string,
  linux: Pick<Linux, 'uidMappings' | 'gidMappings'> | undefined,
): IdRanges | string {
  const found: Partial<Record<'uids' | 'gids', IdMapping[]>> = {};
  for (const part of text.split(';')) {
    const [, key, relative, list = ''] = /^(uids|gids)=(@?)(.*)$/s.exec(part) ?? [];
    if (key !== 'uids' && key !== 'gids') return 'only uids=… and gids=…, separated by ";", are known';
    if (found[key]) return `${key} is given twice`;
    const container = key === 'uids' ? linux?.uidMappings : linux?.gidMappings;
    const mappings: IdMapping[] = [];
    for (const range of list.split('#')) {
      const numbers = /^(\d{1,10})-(\d{1,10})-(\d{1,10})$/.exec(range)?.slice(1).map(Number) ?? [];
      const [containerID = 0, hostID = 0, size = 0] = numbers;
      if (size === 0 || hostID + size > 0xffffffff || containerID + size > 0xffffffff)
        return `"${range}" is not a range FROM-TO-LENGTH of ids`;
      const mapping = container?.find((m) => hostID >= m.containerID && hostID + size <= m.containerID + m.size);
      if (relative && !mapping) return `"@${range}" is not within one mapping of the container's user namespace`;
      const first = relative && mapping ? hostID - mapping.containerID + mapping.hostID : hostID;
      mappings.push({ containerID, hostID: first, size });
    }
    found[key] = mappings;
  }
  const { uids, gids } = found;
  return uids && gids ? { uids, gids } : 'both uids=… and gids=… must be given';
}

/** The host's ids of root in a user namespace with these mappings; 0 if root is not mapped. */
export function rootIds(linux: Pick<Linux, 'uidMappings' | 'gidMappings'> | undefined): { uid: number; gid: number } {
  const first = (mappings: IdMapping[] | undefined): number =>
    mappings?.find(({ containerID }) => containerID === 0)?.hostID ?? 0;
  return { uid: first(linux?.uidMappings), gid: first(linux?.gidMappings) };
}
