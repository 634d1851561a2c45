/** Fresh layer of an overlay: `X-runt.ephemeral=DIR` or `X-runt.ephemeral=tmpfs:SIZE`. */
import { parseBytes } from './byte-size.js';

export const layerOption = 'X-runt.ephemeral';
/** Where `spec --ephemeral` puts layers: on disk, because /run is a small tmpfs of the whole host. */
export const defaultLayers = '/var/lib/runt/layers';

/** A layer on disk in a directory below `directory`, or on a tmpfs of `size` bytes. */
interface EphemeralLayer {
  readonly directory?: string;
  readonly size?: bigint;
}

/** The layer that an option of an overlay asks for; undefined if it is another option, or invalid. */
export function ephemeralLayer(option: string): EphemeralLayer | undefined {
  if (!option.startsWith(`${layerOption}=`)) return undefined;
  const value = option.slice(layerOption.length + 1);
  // These characters separate layers and options in the kernel's format.
  if (/^\/[^:,\\]*$/.test(value)) return { directory: value };
  const size = value.startsWith('tmpfs:') ? parseBytes(value.slice(6)) : undefined;
  return size !== undefined && size > 0n ? { size } : undefined;
}
