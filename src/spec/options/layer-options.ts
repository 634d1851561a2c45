/** The layer above the image that a container writes: `--overlay`, `--ephemeral`. */
import type { Mount } from '../config-types.js';
import { defaultLayers, ephemeralLayer, layerOption } from '../ephemeral-layer.js';
import type { SpecCaller, SpecOptions } from './option-types.js';
import { type Refuse, resolvePath } from './refusal.js';

export const unusablePath = 'cannot have a colon, a comma or a backslash in its path';

/** Overlay options of the layer that the container writes; undefined if it writes none. */
export function writtenLayer(o: SpecOptions, caller: SpecCaller, refuse: Refuse) {
  const { overlay, ephemeral, layerDir } = o;
  if (ephemeral === undefined || ephemeral === false) {
    if (layerDir !== undefined) throw refuse('layerDir', layerDir, `needs ${caller.name('ephemeral')}`);
    if (overlay === undefined) return undefined;
    const directory = resolvePath(caller, 'overlay', overlay);
    if (/[:,\\]/.test(directory)) throw refuse('overlay', directory, unusablePath);
    // overlayfs needs `work` on the file system of `upper`.
    return { option: 'overlay', options: [`upperdir=${directory}/upper`, `workdir=${directory}/work`] } as const;
  }
  if (overlay !== undefined) throw refuse('overlay', overlay, `excludes ${caller.name('ephemeral')}: choose one layer`);
  if (ephemeral !== true) {
    if (layerDir !== undefined) throw refuse('layerDir', layerDir, 'is for layers on disk: this one has a size');
    const value = `tmpfs:${ephemeral}`;
    if (!ephemeralLayer(`${layerOption}=${value}`))
      throw refuse('ephemeral', ephemeral, 'is not a size such as 64m or 1g');
    return { option: 'ephemeral', options: [`${layerOption}=${value}`] } as const;
  }
  if (caller.uid !== 0) {
    const why = 'needs a size for a user without root (a tmpfs): files of other ids on disk could not be removed';
    throw refuse('ephemeral', true, why);
  }
  const directory = layerDir === undefined ? defaultLayers : resolvePath(caller, 'layerDir', layerDir);
  if (/[:,\\]/.test(directory)) throw refuse('layerDir', directory, unusablePath);
  return { option: 'ephemeral', options: [`${layerOption}=${directory}`] } as const;
}

/** The root mount: the image below, the layer that is written above it. */
export function overlayMount(image: string, layer: readonly string[], mapped: boolean): Mount {
  const options = [`lowerdir=${image}`, ...layer];
  // overlayfs marks removed files by "trusted" attributes, which only root of the host may write.
  return {
    destination: '/',
    type: 'overlay',
    source: 'overlay',
    options: mapped ? [...options, 'userxattr'] : options,
  };
}
