/** `SRC:DST[:OPTIONS]` of `runt spec --volume` → a bind mount. */

import type { Mount } from '../config-types.js';
import { suggestion } from '../judge/findings.js';
import { mountOption, mountOptionNames } from '../mount-options.js';

/** Properties of the container: it has a user namespace; an ordinary user makes it. */
interface Owner {
  readonly mapped: boolean;
  readonly rootless: boolean;
}

/**
 * The mount, or what is wrong with the text, as a clause.
 * Without options it binds the whole tree, and later mounts on one side do not reach the other.
 */
export function volumeMount(text: string, absolute: (path: string) => string, owner: Owner): Mount | string {
  const [source, destination, flags, more] = text.split(':');
  if (!source || !destination || more !== undefined) return 'is not SRC:DST[:OPTIONS]';
  if (!destination.startsWith('/')) return `has a destination that is not an absolute path: "${destination}"`;
  if (/^[/.]*$/.test(destination) && !flags?.split(',').includes('idmap')) {
    return 'replaces the root file system, which rootfs gives: only idmap makes a difference there';
  }
  const options = flags === undefined ? [] : flags.split(',');
  let propagation = false;
  let bind = 'rbind';
  for (const option of options) {
    const problem = optionProblem(option, owner);
    if (problem !== undefined) return problem;
    const kind = mountOption(option)?.kind;
    if (kind === 'bind') bind = option;
    propagation ||= kind === 'propagation';
  }
  return {
    destination,
    type: 'bind',
    source: absolute(source),
    options: [bind, ...options.filter((o) => mountOption(o)?.kind !== 'bind'), ...(propagation ? [] : ['rprivate'])],
  };
}

function optionProblem(option: string, { mapped, rootless }: Owner): string | undefined {
  const kind = mountOption(option)?.kind;
  switch (kind) {
    case undefined:
    case 'superblock':
    case 'tmpcopyup':
    case 'remount':
      return `has "${option}", which is not an option of a bind mount${suggestion(option, mountOptionNames())}`;
    case 'idmap':
      if (rootless) return `has "${option}": the kernel lets only root of the host map the ids of a mount`;
      return mapped || option.includes('=')
        ? undefined
        : `has "${option}", which takes the ids of the user namespace, and there is none: map ids too`;
    default:
      return undefined;
  }
}
