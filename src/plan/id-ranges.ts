/** crun's form of id mappings in a mount option: `idmap=uids=0-1-10#10-20-5;gids=@0-100-10`. */
import type { IdMapping, Linux } from '../spec/types.js';
import { RuntError } from '../sys/error.js';

/** Mappings as lines of uid_map and gid_map (user_namespaces(7)). */
export const mapLines = (mappings: readonly IdMapping[]): string[] =>
  mappings.map((m) => `${m.containerID} ${m.hostID} ${m.size}`);

/**
 * The mappings that an option names. A range is first id in the file system, first id of the host, length; with `@` in front
 * of a list its second ids are those of the container's user namespace.
 * @throws RuntError ERR_SPEC_VALUE when it is not of that form, or an id is not mapped in the container
 */
export function relativeRanges(
  text: string,
  linux: Pick<Linux, 'uidMappings' | 'gidMappings'> | undefined,
  at: string,
): { uids: IdMapping[]; gids: IdMapping[] } {
  const fail = (why: string): RuntError =>
    new RuntError({ code: 'ERR_SPEC_VALUE', message: `idmap=${text}: ${why}`, pointer: `${at}/options`, value: text });
  const found: Partial<Record<'uids' | 'gids', IdMapping[]>> = {};
  for (const part of text.split(';')) {
    const [, key, relative, list = ''] = /^(uids|gids)=(@?)(.*)$/s.exec(part) ?? [];
    if (key !== 'uids' && key !== 'gids') throw fail('only uids=… and gids=…, separated by ";", are known');
    if (found[key]) throw fail(`${key} is given twice`);
    const container = key === 'uids' ? linux?.uidMappings : linux?.gidMappings;
    found[key] = list.split('#').map((range) => {
      const [, containerID = 0, hostID = 0, size = 0] = (/^(\d{1,10})-(\d{1,10})-(\d{1,10})$/.exec(range) ?? []).map(
        Number,
      );
      if (size === 0 || hostID + size > 0xffffffff || containerID + size > 0xffffffff)
        throw fail(`"${range}" is no range FROM-TO-LENGTH of ids`);
      if (!relative) return { containerID, hostID, size };
      const home = container?.find((m) => hostID >= m.containerID && hostID + size <= m.containerID + m.size);
      if (!home) throw fail(`"@${range}" is not within one mapping of the container's user namespace`);
      return { containerID, hostID: hostID - home.containerID + home.hostID, size };
    });
  }
  const { uids, gids } = found;
  if (!uids || !gids) throw fail('both uids=… and gids=… must be given');
  return { uids, gids };
}
