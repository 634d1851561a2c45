/** `linux.readonlyPaths`, `linux.maskedPaths` (config-linux.md#readonly-paths, #masked-paths). */
import { encoders, type OpEncoder } from '../../../build/gen/op-encoders.js';
import type { Spec } from '../../spec/config-types.js';
import { cleanPath, isClean } from '../container-path.js';
import type { OpEntry, OpMaker, OpMakers } from '../op-list.js';
import type { Op } from '../plan-ops.js';

/** Runs after all mounts and devices: the paths to cover exist by then. */
export function maskOps({ linux }: Spec, makers: OpMakers): OpEntry[] {
  const { readonlyPaths = [], maskedPaths = [], mountLabel } = linux ?? {};
  const label = mountLabel || undefined;
  return [
    ...once(readonlyPaths, makers, encoders.readonlyPath as OpEncoder, (path, i) => ({
      op: 'readonlyPath',
      at: `/linux/readonlyPaths/${i}`,
      path,
    })),
    ...once(maskedPaths, makers, encoders.mask as OpEncoder, (path, i) => ({
      op: 'mask',
      at: `/linux/maskedPaths/${i}`,
      path,
      label,
    })),
  ];
}

/** The operations of paths, cleaned, each once, with its index in the list. A relative one starts at the root. */
function once(
  paths: readonly string[],
  makers: OpMakers,
  encoder: OpEncoder,
  opOf: (path: string, index: number) => Op,
): OpEntry[] {
  if (paths.length === 0) return [];
  const maker: OpMaker = {
    by: 'init',
    op: (i) => opOf(cleanPath(paths[i] as string), i),
    encode: (index, count, at, w) => {
      const op = { ...opOf('', 0), path: '' };
      const texts: string[] = [];
      for (let n = 0; n < count; n++) {
        const path = paths[index + n] as string;
        op.path = isClean(path) ? path : cleanPath(path);
        texts[n] = encoder(op, at + n, w);
      }
      return texts.join('');
    },
  };
  const first = makers.add(maker, paths.length);
  // An object, whose memory returns to the system at once: a Set has a block for each path.
  const seen: { [path: string]: true } = Object.create(null);
  const entries: OpEntry[] = [];
  for (let i = 0; i < paths.length; i++) {
    const given = paths[i] as string;
    const path = isClean(given) ? given : cleanPath(given);
    if (seen[path]) continue;
    seen[path] = true;
    entries[entries.length] = first === undefined ? opOf(path, i) : first + i;
  }
  return entries;
}
