/** Bundles of images, made by the program. */
import { join } from 'node:path';
import type { Bed, Result } from '../bed/bed.js';
import { Layout } from './image-writer.js';
import type { Entry } from './tar-writer.js';

export interface Made extends Result {
  /** The new bundle. */
  readonly dir: string;
  readonly rootfs: string;
}

let count = 0;

/** Makes an image of layers, and a bundle of it. */
export function bundled(
  bed: Bed,
  layers: readonly (readonly Entry[] | Buffer)[],
  config: object = {},
  ...args: readonly string[]
): Made {
  const image = join(bed.dir, `image-${++count}`);
  new Layout(image).image(layers, config);
  return bundleOf(bed, image, ...args);
}

/** Makes a bundle of an image. */
export function bundleOf(bed: Bed, image: string, ...args: readonly string[]): Made {
  const dir = join(bed.dir, `made-${++count}`);
  const at = args.indexOf('--');
  const [flags, command] = at < 0 ? [args, []] : [args.slice(0, at), args.slice(at)];
  const result = bed.runt(['bundle', ...flags, image, dir, ...command]);
  return { ...result, dir, rootfs: join(dir, 'rootfs') };
}
