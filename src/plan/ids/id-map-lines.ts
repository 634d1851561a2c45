/** Id mappings in the kernel's format, and those of a mount option. */

import type { IdMapping, Linux } from '../../spec/config-types.js';
import { type IdRanges, idRanges } from '../../spec/id-ranges.js';
import { RuntError } from '../../sys/error.js';

/** Mappings as lines of uid_map and gid_map (user_namespaces(7)). */
export const mapLines = (mappings: readonly IdMapping[]): string[] =>
  mappings.map((m) => `${m.containerID} ${m.hostID} ${m.size}`);

/** As idRanges. @throws RuntError ERR_SPEC_VALUE, which the config rules report first */
export function relativeRanges(
  text: string,
  linux: Pick<Linux, 'uidMappings' | 'gidMappings'> | undefined,
  at: string,
): IdRanges {
  const ranges = idRanges(text, linux);
  if (typeof ranges !== 'string') return ranges;
  const message = `idmap=${text}: ${ranges}`;
  throw new RuntError({ code: 'ERR_SPEC_VALUE', message, pointer: `${at}/options`, value: text });
}
