/** File systems in memory: `--tmpfs` and `--shm-size`. */
import { parseBytes } from '../byte-size.js';
import type { Mount, Spec } from '../config-types.js';
import { suggestion } from '../judge/findings.js';
import { mountOption, mountOptionNames } from '../mount-options.js';
import type { SpecOptions } from './option-types.js';
import type { Refuse } from './refusal.js';

/** Options of tmpfs(5) that config.json passes to the file system. */
const ownOptions = 'size nr_blocks nr_inodes mode uid gid huge mpol noswap inode32 inode64'.split(' ');

/** The mount of `DST[:OPTIONS]`, or what is wrong with the text, as a clause. */
export function tmpfsMount(text: string): Mount | string {
  const [destination = '', flags, more] = text.split(':');
  if (more !== undefined) return 'is not DST[:OPTIONS]';
  if (!destination.startsWith('/')) return 'has a destination that is not an absolute path';
  if (/^[/.]*$/.test(destination)) return 'replaces the root file system, which rootfs gives';
  const options = flags === undefined ? [] : flags.split(',');
  for (const option of options) {
    const kind = mountOption(option)?.kind;
    const known = kind === undefined ? ownOptions.includes(option.split('=', 1)[0]!) : fits(kind);
    if (!known) {
      return `has "${option}", which is not an option of a tmpfs${suggestion(option, [...ownOptions, ...mountOptionNames()])}`;
    }
  }
  // The last one of each pair counts.
  return { destination, type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'noexec', ...options] };
}

const fits = (kind: string): boolean => ['attr', 'superblock', 'propagation', 'tmpcopyup', 'none'].includes(kind);

export function shmSizeOption(spec: Spec, size: SpecOptions['shmSize'], refuse: Refuse): void {
  if (size === undefined) return;
  const bytes = parseBytes(String(size));
  if (bytes === undefined || bytes <= 0n) throw refuse('shmSize', size, 'is not a size such as 64m or 1g');
  const mount = spec.mounts!.find(({ destination }) => destination === '/dev/shm')!;
  mount.options = [...mount.options!.filter((option) => !option.startsWith('size=')), `size=${bytes}`];
}
