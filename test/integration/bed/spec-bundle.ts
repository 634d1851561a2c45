/** Bundles that `spec` writes, run once. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Bed } from './bed.js';

/** Writes a bundle by `spec` with these options, in the bed's directory, runs it and returns stdout. */
export function ranBySpec(bed: Bed, ...options: string[]): string {
  const bundle = join(bed.dir, `spec-${++count}`);
  mkdirSync(bundle);
  for (const args of [
    ['spec', '--bundle', bundle, '--rootfs', 'bundle/rootfs', ...options],
    ['run', '--bundle', bundle, bed.id],
  ]) {
    const r = bed.runt(args);
    if (r.code !== 0 || r.stderr !== '') throw new Error(`${args.join(' ')}: exit ${r.code}: ${r.stderr}${r.stdout}`);
    if (args[0] === 'run') return r.stdout;
  }
  return '';
}
let count = 0;
