/** `runt bundle`: makes a bundle of an image on disk. */
import { hasOnlyV2 } from '../../cgroup/cgroup-facts.js';
import { hostLookups } from '../../container/bundle/host-lookups.js';
import { interruptible, openSignals } from '../../container/stdio/foreground.js';
import { bundleImage, imageLimits } from '../../image/image-bundle.js';
import { parsePlatform, platformOfMachine } from '../../image/platform.js';
import { parseBytes } from '../../spec/byte-size.js';
import type { SpecOptions } from '../../spec/options/option-types.js';
import { callerIds } from '../../sys/caller-ids.js';
import { absolute } from '../absolute-path.js';
import { usageError } from '../arguments.js';
import { reportWarning } from '../command-log.js';
import type { Call } from '../command-syntax.js';
import { findRoot } from '../root-flag.js';
import { flagOfOption, optionsOfFlags } from '../spec-flags.js';

export async function command({ global, flags, args }: Call<'bundle'>): Promise<number> {
  const [image = '', directory = '', ...rest] = args;
  const words = commandWords(rest);
  const { platform, ref, entrypoint, user, 'max-size': maxSize, ...specFlags } = flags;
  for (const [name, value] of [
    ['IMAGE', image],
    ['DIR', directory],
  ] as const) {
    if (value === '') throw usageError('bundle', `${name} is empty`);
  }
  const bytes = maxSize === undefined ? BigInt(imageLimits.bytes) : parseBytes(maxSize);
  if (bytes === undefined || bytes <= 0n || bytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw usageError('bundle', `--max-size ${JSON.stringify(maxSize)} is not a size such as 500m or 10g`);
  }
  const caller = { ...callerIds(), cgroupV2: hasOnlyV2() };
  const root = findRoot(global);
  const wanted = platform === undefined ? platformOfMachine(hostLookups(root).machine()) : parsePlatform(platform);
  if (!wanted) throw usageError('bundle', `--platform ${JSON.stringify(platform)} is not OS/ARCHITECTURE[/VARIANT]`);
  const options = optionsOfFlags('bundle', specFlags);
  // An ordinary user has no other container.
  if (caller.uid !== 0) options.rootless ??= true;
  const path = absolute(directory);
  const work = (): Promise<void> =>
    bundleImage({
      image: absolute(image),
      directory: path,
      choice: { platform: wanted, ...(ref !== undefined && { ref }) },
      command: { args: words, ...(entrypoint !== undefined && { entrypoint }) },
      ...(user !== undefined && { user }),
      limits: { ...imageLimits, bytes: Number(bytes) },
      options: options as SpecOptions,
      caller: {
        ...caller,
        ...(root !== undefined && { root }),
        command: 'bundle',
        bundle: path,
        absolute,
        name: flagOfOption,
      },
      warn: (sentence) => reportWarning(global, `bundle: ${sentence}`),
    });
  await interruptible('bundle', openSignals('bundle'), work);
  return 0;
}

/** COMMAND, after `--` if it begins with a dash: a flag that stands too late must not become a word of it. */
function commandWords(rest: readonly string[]): readonly string[] {
  const [first = ''] = rest;
  if (first === '--') return rest.slice(1);
  if (first[0] !== '-') return rest;
  throw usageError(
    'bundle',
    `${first} is after IMAGE: flags precede it, and "--" precedes a command that begins with "-"`,
  );
}
