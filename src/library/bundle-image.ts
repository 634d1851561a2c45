/** `bundleImage`: a bundle of an image on disk. Node.js only. */
import { resolve } from 'node:path';
import { hasOnlyV2 } from '../cgroup/cgroup-facts.js';
import { hostLookups } from '../container/bundle/host-lookups.js';
import { parsePlatform, platformOfMachine } from '../image/platform.js';
import type { SpecOptions } from '../spec/options/option-types.js';
import { specOptionTypes } from '../spec/options/spec-options.js';
import { callerIds } from '../sys/caller-ids.js';
import { callError, checkObject, checkOptions, checkPath, checkWords, type OptionTypes } from './call-checks.js';
import { abortable } from './early-end.js';
import { warner } from './option-words.js';

/** The options of `bundle()`, and those of an image. */
export interface BundleImageOptions extends Omit<SpecOptions, 'rootfs'> {
  /** Name of the image, where there are several. */
  ref?: string;
  /** `OS/ARCHITECTURE[/VARIANT]`; this machine's when absent. */
  platform?: string;
  /** Bytes that the layers may unpack to; 64 GiB when absent. */
  maxSize?: number;
  /** Replaces the image's entrypoint, and removes its command; '' for none. */
  entrypoint?: string;
  /** `USER[:GROUP]`, names of the image or numbers, in place of the image's. */
  user?: string;
  /** Receives a sentence for each warning. */
  onWarning?: (sentence: string) => void;
  /** Ends the unpacking, and removes what was made; the call rejects with ERR_ABORTED. */
  signal?: AbortSignal;
}

const { rootfs: _, ...types } = specOptionTypes;
const allTypes: OptionTypes = {
  ...types,
  ref: 'string',
  platform: 'string',
  maxSize: 'size',
  entrypoint: 'string',
  user: 'string',
  onWarning: 'function',
  signal: 'abort',
};

const sizeType = {
  is: (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0,
  meaning: 'a number of bytes above 0',
};

/** See the library's index. */
export async function bundleImage(image: string, directory: string, given: BundleImageOptions): Promise<void> {
  checkPath('bundleImage', 'image', image);
  checkPath('bundleImage', 'directory', directory);
  checkObject('bundleImage', 'options', given);
  const o = checkOptions('bundleImage', given, allTypes, { size: sizeType });
  const { args = [], ref, platform: text, maxSize, entrypoint, user, onWarning, signal, ...options } = o;
  if (args.length > 0) checkWords('bundleImage', args);
  const ids = callerIds();
  const path = resolve(directory);
  const platform = text === undefined ? platformOfMachine(hostLookups(undefined).machine()) : parsePlatform(text);
  if (!platform) throw callError(`bundleImage: platform ${JSON.stringify(text)} is not OS/ARCHITECTURE[/VARIANT]`);
  const { bundleImage: make, imageLimits } = await import('../image/image-bundle.js');
  await abortable(`bundle ${path}`, signal, (early) =>
    make({
      image: resolve(image),
      directory: path,
      choice: { platform, ...(ref !== undefined && { ref }) },
      command: { args, ...(entrypoint !== undefined && { entrypoint }) },
      ...(user !== undefined && { user }),
      limits: { ...imageLimits, ...(maxSize !== undefined && { bytes: maxSize }) },
      options: { rootless: ids.uid !== 0, ...options },
      caller: {
        ...ids,
        cgroupV2: hasOnlyV2(),
        command: 'bundleImage',
        bundle: path,
        absolute: (p) => resolve(p),
        name: (option) => `option ${option}`,
      },
      warn: warner(onWarning),
      early,
    }),
  );
}
