/** What a client wants to run: a bundle, or a config made of options. */

import { bundleSpec } from '../../container/bundle/write-bundle.js';
import { toJson } from '../../spec/json/exact-json.js';
import { loadSpec } from '../../spec/load-config.js';
import type { SpecOptions } from '../../spec/options/option-types.js';
import { callerIds } from '../../sys/caller-ids.js';
import { check, RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import type { api } from './api-protos.js';

/** A config that can be read until `close`. */
interface Source {
  readonly bundle: string;
  /** Absolute path. */
  readonly config: string;
  readonly terminal: boolean;
  readonly close: () => void;
}

type Options = api.Config.$Properties;

/** @throws RuntError ERR_USAGE, ERR_SPEC_… */
export async function sourceOf({ bundle, config }: api.RunRequest.$Properties): Promise<Source> {
  if (config) return madeOf(config);
  if (!bundle) throw usageError('the request has neither a bundle nor a config');
  checkAbsolute('bundle', bundle);
  const path = `${bundle}/config.json`;
  const { spec } = loadSpec(path);
  return { bundle, config: path, terminal: spec.process?.terminal === true, close: () => {} };
}

async function madeOf(options: Options): Promise<Source> {
  const { rootfs = '', args, terminal, annotations, mounts } = options;
  if (!rootfs) throw usageError('config.rootfs is empty: it is the path of a root file system');
  if (!args?.length) throw usageError('config.args is empty: it is a program with its arguments');
  const ids = callerIds();
  const spec = await bundleSpec(
    { ...specOptions(options), rootless: ids.uid !== 0 },
    {
      ...ids,
      bundle: rootfs,
      absolute: (path) => checkAbsolute('a path of config', path),
      name: (option) => `config.${fields[option] ?? option}`,
    },
  );
  for (const { source, destination, options: list } of mounts ?? []) {
    if (source) continue;
    spec.mounts ??= [];
    spec.mounts.push({ destination: destination ?? '', type: 'tmpfs', source: 'tmpfs', options: list ?? [] });
  }
  if (annotations && Object.keys(annotations).length > 0) spec.annotations = annotations;
  const fd = check(native.sealedFile(host.encode(toJson(spec))), {
    code: 'ERR_IO',
    message: 'make a file for the config',
    syscall: 'memfd_create',
  });
  // There is no bundle. `create` keeps a copy of the config.
  const path = `/proc/self/fd/${fd}`;
  return { bundle: rootfs, config: path, terminal: terminal === true, close: () => native.close(fd) };
}

/** Names of options of `runt spec` as fields of Config, where they differ. */
const fields: { readonly [N in keyof SpecOptions]: string } = {
  volume: 'mounts',
  tty: 'terminal',
  readOnly: 'writable',
  hostNetwork: 'host_network',
  uidMap: 'uid_map',
  gidMap: 'gid_map',
};

function specOptions(o: Options): SpecOptions {
  const binds = (o.mounts ?? []).filter(({ source }) => source);
  return {
    rootfs: o.rootfs ?? '',
    args: o.args ?? [],
    env: o.env ?? [],
    tty: o.terminal === true,
    ...(o.cwd && { cwd: o.cwd }),
    ...(o.user && { user: o.user }),
    ...(o.hostname && { hostname: o.hostname }),
    ...(o.writable && { readOnly: false }),
    ...(o.overlay && { overlay: o.overlay }),
    ...(binds.length > 0 && { volume: binds.map(volumeOf) }),
    ...(o.memory && { memory: o.memory }),
    ...(o.cpus && { cpus: o.cpus }),
    ...(o.pids && { pids: o.pids }),
    ...(o.hostNetwork && { hostNetwork: true }),
    ...(o.uidMap?.length && { uidMap: o.uidMap.map(idMapOf) }),
    ...(o.gidMap?.length && { gidMap: o.gidMap.map(idMapOf) }),
  };
}

/** `SRC:DST[:OPTION,…]`. @throws RuntError ERR_USAGE for a path with a colon, which only a bundle can mount */
function volumeOf({ source, destination, options }: api.Mount.$Properties): string {
  return [source ?? '', destination ?? '', ...(options?.length ? [options.join(',')] : [])].join(':');
}

const idMapOf = ({ containerId, hostId, size }: api.IdMap.$Properties): string =>
  `${containerId ?? 0}:${hostId ?? 0}:${size ?? 0}`;

function checkAbsolute(what: string, path: string): string {
  if (!path.startsWith('/')) throw usageError(`${what} must be an absolute path, not "${path}"`);
  return path;
}

const usageError = (message: string): RuntError => new RuntError({ code: 'ERR_USAGE', message });
