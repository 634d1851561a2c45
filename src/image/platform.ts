/** The platform of an image, and the choice of one in an index (image-spec image-index.md). */
import type { Platform } from './image-documents.js';
import { imageError } from './image-error.js';

/** Machines of uname(2), in the words of image-spec: those of Go (GOARCH, GOARM). */
const machines: Readonly<Record<string, Platform>> = {
  x86_64: { os: 'linux', architecture: 'amd64' },
  aarch64: { os: 'linux', architecture: 'arm64' },
  armv7l: { os: 'linux', architecture: 'arm', variant: 'v7' },
  armv6l: { os: 'linux', architecture: 'arm', variant: 'v6' },
  i686: { os: 'linux', architecture: '386' },
  ppc64le: { os: 'linux', architecture: 'ppc64le' },
  s390x: { os: 'linux', architecture: 's390x' },
  riscv64: { os: 'linux', architecture: 'riscv64' },
  loongarch64: { os: 'linux', architecture: 'loong64' },
};

/** Variants that are meant if none is named. */
const defaults: Readonly<Record<string, string>> = { amd64: 'v1', arm64: 'v8', arm: 'v7' };

/** @throws RuntError ERR_IMAGE */
export function platformOfMachine(machine: string): Platform {
  const found = machines[machine];
  if (found) return found;
  throw imageError(`images have no name for the machine ${machine || 'of this host'}`, { hint: 'add --platform' });
}

/** Parses `OS/ARCHITECTURE[/VARIANT]`; undefined if it is not that. */
export function parsePlatform(text: string): Platform | undefined {
  const [os, architecture, variant, more] = text.split('/');
  if (!os || !architecture || variant === '' || more !== undefined) return undefined;
  return { os, architecture, ...(variant !== undefined && { variant }) };
}

export const platformText = ({ os, architecture, variant }: Platform): string =>
  [os || '?', architecture || '?', ...(variant === undefined ? [] : [variant])].join('/');

const variantOf = ({ architecture, variant }: Platform): string | undefined => variant ?? defaults[architecture];

/** Whether an image for `found` is one for `wanted`. */
export const fits = (found: Platform, wanted: Platform): boolean =>
  found.os === wanted.os && found.architecture === wanted.architecture && variantOf(found) === variantOf(wanted);
