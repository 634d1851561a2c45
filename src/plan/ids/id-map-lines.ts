/** Id mappings as the kernel takes them, and those that a mount option names. */

import type { IdMapping, Linux } from '../../spec/config-types.js';
import { type IdRanges, idRanges } from '../../spec/id-ranges.js';
import { RuntError } from '../../sys/error.js';

/** Mappings as lines of uid_map and gid_map (user_namespaces(7)). */
export const mapLines = (mappings: readonly IdMapping[]): string[] =>
  mappings.map((m) => `${m.containerID} ${m.hostID} ${m.size}`);

/** As idRanges. @throws RuntError ERR_SPEC_VALUE, which the rules of the config have found before */
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
