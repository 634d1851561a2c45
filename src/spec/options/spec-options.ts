/** The config that `runt spec` and the library's `bundle()` make of options. Pure. */

import type { Spec } from '../config-types.js';
import { defaultSpec } from '../default-config.js';
import { cdiDevice, cdiDirectories, isCdiName } from './cdi-device.js';
import { deviceOptions } from './device-option.js';
import { overlayMount, unusablePath, writtenLayer } from './layer-options.js';
import { limitOptions } from './limit-options.js';
import type { HostLookups } from './lookups.js';
import { metadataOptions } from './metadata-options.js';
import { namespaceChoices, networkHooks } from './namespace-choices.js';
import { fitNamespaces, mapOptions } from './namespace-options.js';
import { checkOptionTypes } from './option-checks.js';
import type { SpecCaller, SpecOptions } from './option-types.js';
import { privilegeOptions } from './privilege-options.js';
import { processOptions } from './process-options.js';
import { applyProfile, profileNames } from './profiles.js';
import { refusal, resolvePath, usageError } from './refusal.js';
import { shmSizeOption, tmpfsMount } from './tmpfs-option.js';
import { ulimitOptions } from './ulimit-option.js';
import { volumeMount } from './volume-option.js';

/** The types of the options, for `checkOptionTypes`. */
export const specOptionTypes: { readonly [N in keyof Required<SpecOptions>]: string } = {
  rootless: 'boolean',
  rootfs: 'string',
  overlay: 'string',
  ephemeral: 'boolean string',
  layerDir: 'string',
  volume: 'list',
  env: 'list',
  cwd: 'string',
  user: 'string',
  hostname: 'string',
  tty: 'boolean',
  readOnly: 'boolean',
  hostNetwork: 'boolean',
  memory: 'string number',
  cpus: 'string number',
  pids: 'string number',
  uidMap: 'list',
  gidMap: 'list',
  profile: 'string',
  capAdd: 'list',
  capDrop: 'list',
  noNewPrivs: 'boolean',
  seccomp: 'string',
  ulimit: 'list',
  envFile: 'list',
  tmpfs: 'list',
  shmSize: 'string number',
  device: 'list',
  cdiSpecDir: 'list',
  sysctl: 'list',
  annotation: 'list',
  label: 'list',
  hook: 'list',
  pid: 'string',
  net: 'string',
  ipc: 'string',
  uts: 'string',
  userns: 'string',
  cgroupns: 'string',
  args: 'list',
};

/**
 * The config made from the options.
 * @throws RuntError ERR_USAGE, which names the option and its value
 */
export function specOf(options: SpecOptions, caller: SpecCaller, lookups: HostLookups): Spec {
  checkOptionTypes(options, specOptionTypes, usageError);
  const refuse = refusal(caller);
  const spec = defaultSpec({ ...caller, rootless: options.rootless === true });
  caller.template?.(spec);
  const { process, root, linux } = spec as Required<Spec>;
  processOptions(process, options, caller, lookups, refuse);
  namespaceChoices(spec, options, caller, lookups, refuse);
  if (options.hostname !== undefined) {
    if (options.hostname === '') throw refuse('hostname', '', 'is empty');
    spec.hostname = options.hostname;
  }
  mapOptions(linux, options, refuse);
  const mapped = linux.namespaces!.some(({ type }) => type === 'user');
  fitNamespaces(spec, lookups);
  shmSizeOption(spec, options.shmSize, refuse);

  if (options.profile !== undefined) {
    if (!profileNames.includes(options.profile)) {
      throw refuse('profile', options.profile, `is not one of ${profileNames.join(', ')}`);
    }
    applyProfile(options.profile, spec, { mapped, rootless: options.rootless === true }, lookups);
  }
  privilegeOptions(spec, options, caller, lookups, refuse);
  ulimitOptions(process, options.ulimit ?? [], refuse);

  const image = options.rootfs === undefined ? undefined : resolvePath(caller, 'rootfs', options.rootfs);
  if (image !== undefined) root.path = image;
  const layer = writtenLayer(options, caller, refuse);
  root.readonly = options.readOnly ?? layer === undefined;
  if (layer) {
    root.path = image ?? `${caller.bundle}/${root.path}`;
    // These characters separate layers and options in the kernel's format.
    if (/[:,\\]/.test(root.path)) throw refuse(layer.option, root.path, unusablePath);
    spec.mounts!.unshift(overlayMount(root.path, layer.options, mapped));
  }
  const volumes = options.volume ?? [];
  for (const text of volumes) {
    const mount = volumeMount(text, caller.absolute, { mapped, rootless: options.rootless === true });
    if (typeof mount === 'string') throw refuse('volume', text, mount);
    if (/^[/.]*$/.test(mount.destination)) {
      if (layer) throw refuse('volume', text, `excludes ${caller.name(layer.option)}: each gives the root`);
      // It covers what is mounted before it.
      spec.mounts!.unshift(mount);
    } else spec.mounts!.push(mount);
    // A mount below it in the container only reaches the host while our copy of the host's tree is its peer. Not
    // `rshared`, which would override the options of other volumes.
    if (mount.options!.some((o) => o === 'shared' || o === 'rshared')) linux.rootfsPropagation = 'shared';
  }
  for (const text of options.tmpfs ?? []) {
    const mount = tmpfsMount(text);
    if (typeof mount === 'string') throw refuse('tmpfs', text, mount);
    spec.mounts!.push(mount);
  }
  const owner = { mapped, rootless: options.rootless === true };
  const directories = (options.cdiSpecDir ?? cdiDirectories).map((path) => caller.absolute(path));
  const [named, paths] = [true, false].map((cdi) => (options.device ?? []).filter((text) => isCdiName(text) === cdi));
  for (const text of named!) cdiDevice(spec, text, directories, owner, lookups, refuse);
  deviceOptions(spec, paths!, caller, owner, lookups, refuse);
  metadataOptions(spec, options, caller, refuse);
  networkHooks(spec, options, caller, lookups, refuse);
  const resources = limitOptions(options, refuse);
  if (Object.keys(resources).length > 0) linux.resources = { ...linux.resources, ...resources };
  return spec;
}
