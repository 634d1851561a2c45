/** Options of `runt spec` and of the library's `bundle()`, and the config made from them. Pure. */
import { RuntError } from '../sys/error.js';
import { nearestWord } from '../sys/nearest-word.js';
import { parseBytes } from './byte-size.js';
import type { IdMapping, Mount, Process, Resources, Spec } from './config-types.js';
import { defaultSpec } from './default-config.js';
import { defaultLayers, ephemeralLayer, layerOption } from './ephemeral-layer.js';
import { withVariables } from './variables.js';
import { volumeMount } from './volume-option.js';

export interface SpecOptions {
  /** For an ordinary user: a user namespace that maps the caller's ids to root; needs no root. */
  readonly rootless?: boolean;
  /** Directory of the rootfs; `rootfs` in the bundle if absent. */
  readonly rootfs?: string;
  /** Keeps the rootfs unchanged: writes go into `upper` of this directory (overlayfs). */
  readonly overlay?: string;
  /** Keeps the rootfs unchanged: each container writes a fresh layer, on disk or, with a size, on a tmpfs. */
  readonly ephemeral?: boolean | string;
  /** Directory of the layers of `ephemeral` on disk; `/var/lib/runt/layers` if absent. */
  readonly layerDir?: string;
  /** `SRC:DST[:OPTION,…]` each: binds SRC of the host to DST. Options are those of bind mounts. */
  readonly volume?: readonly string[];
  /** `NAME=VALUE` each; replaces the template's value. */
  readonly env?: readonly string[];
  /** Working directory, absolute; `/` when absent. */
  readonly cwd?: string;
  /** `UID[:GID]`, numbers; `0:0` when absent. */
  readonly user?: string;
  /** Host name inside; `runt` when absent. */
  readonly hostname?: string;
  /** Whether there is a terminal. If absent: not for a command, but for the template's shell (`bundle()`: never). */
  readonly tty?: boolean;
  /** Whether the root is read-only; if absent, it is unless there is an overlay or a fresh layer. */
  readonly readOnly?: boolean;
  /** Uses the host's network namespace instead of a new one. */
  readonly hostNetwork?: boolean;
  /** Memory limit: bytes, or a number with k, m, g, t or p; -1 means none. */
  readonly memory?: string | number;
  /** CPU limit on average, such as 1.5. */
  readonly cpus?: string | number;
  /** Maximum number of processes; -1 means no limit. */
  readonly pids?: string | number;
  /** `CONTAINER:HOST:SIZE` each: a user namespace with these user ids. */
  readonly uidMap?: readonly string[];
  /** The same for groups; same as `uidMap` if absent. */
  readonly gidMap?: readonly string[];
  /** The command and its arguments; `sh` when absent. */
  readonly args?: readonly string[];
}

/** Properties of the caller. */
export interface SpecCaller {
  readonly uid: number;
  readonly gid: number;
  /** As `DefaultOptions.cgroupV2`. */
  readonly cgroupV2?: boolean;
  /** Absolute path of the bundle. */
  readonly bundle: string;
  /** Resolves a path of the caller's to an absolute one. */
  readonly absolute: (path: string) => string;
  /** Name of an option in errors: `--read-only`, or `readOnly`. */
  readonly name: (option: keyof SpecOptions) => string;
}

const types: { readonly [N in keyof Required<SpecOptions>]: string } = {
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
  args: 'list',
};

/** 2^32-1 is "no change" to setresuid(2). */
const maxId = 0xfffffffe;
const periodMicroseconds = 100_000;

/**
 * The config made from the options.
 * @throws RuntError ERR_USAGE, which names the option and its value
 */
export function specOf(options: SpecOptions, caller: SpecCaller): Spec {
  checkTypes(options);
  const refuse = (option: keyof SpecOptions, value: unknown, problem: string): RuntError =>
    usageError(`${caller.name(option)} ${JSON.stringify(String(value))} ${problem}`);
  const spec = defaultSpec({ ...caller, rootless: options.rootless === true });
  const { process, root, linux } = spec as Required<Spec>;
  processOptions(process, options, refuse);
  if (options.hostname !== undefined) {
    if (options.hostname === '') throw refuse('hostname', '', 'is empty');
    spec.hostname = options.hostname;
  }
  if (options.hostNetwork) linux.namespaces = linux.namespaces!.filter(({ type }) => type !== 'network');
  mapOptions(linux, options, refuse);
  const mapped = linux.namespaces!.some(({ type }) => type === 'user');
  if (mapped) fitUserNamespace(spec);

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
  const resources = limitOptions(options, refuse);
  if (Object.keys(resources).length > 0) linux.resources = { ...linux.resources, ...resources };
  return spec;
}

type Refuse = (option: keyof SpecOptions, value: unknown, problem: string) => RuntError;

function usageError(message: string): RuntError {
  return new RuntError({ code: 'ERR_USAGE', message: `spec: ${message}` });
}

/** For callers without a compiler: checks that every option is known and has its type. */
function checkTypes(options: SpecOptions): void {
  for (const [key, value] of Object.entries(options)) {
    if (!Object.hasOwn(types, key)) {
      const near = nearestWord(key, Object.keys(types));
      throw usageError(`unknown option ${key}${near === undefined ? '' : `; did you mean ${near}?`}`);
    }
    const wanted = types[key as keyof SpecOptions];
    const isList = Array.isArray(value) && value.every((v) => typeof v === 'string');
    if (value === undefined || (wanted === 'list' ? isList : wanted.split(' ').includes(typeof value))) continue;
    throw usageError(
      `option ${key} must be a ${wanted === 'list' ? 'list of strings' : wanted.replace(' ', ' or a ')}`,
    );
  }
}

function resolvePath(caller: SpecCaller, option: keyof SpecOptions, text: string): string {
  if (text === '') throw usageError(`${caller.name(option)} needs the path of a directory`);
  return caller.absolute(text);
}

function processOptions(process: Process, o: SpecOptions, refuse: Refuse): void {
  if (o.args !== undefined && o.args.length > 0) {
    process.args = [...o.args];
    process.terminal = false;
  }
  if (o.tty !== undefined) process.terminal = o.tty;
  if (o.cwd !== undefined) {
    if (!o.cwd.startsWith('/')) throw refuse('cwd', o.cwd, 'is not an absolute path');
    process.cwd = o.cwd;
  }
  if (o.user !== undefined) {
    const match = /^([0-9]{1,10})(?::([0-9]{1,10}))?$/.exec(o.user);
    const [uid, gid] = [Number(match?.[1]), Number(match?.[2] ?? 0)];
    if (!match || uid > maxId || gid > maxId) {
      throw refuse('user', o.user, `is not UID[:GID], numbers from 0 to ${maxId}; config.json holds no names`);
    }
    process.user = { uid, gid };
  }
  for (const entry of o.env ?? []) {
    if (entry.indexOf('=') < 1) throw refuse('env', entry, 'is not NAME=VALUE');
  }
  process.env = withVariables(process.env!, o.env ?? []);
}

function mapOptions(linux: NonNullable<Spec['linux']>, o: SpecOptions, refuse: Refuse): void {
  const { uidMap, gidMap = uidMap } = o;
  if (uidMap === undefined && o.gidMap !== undefined) {
    throw refuse('gidMap', o.gidMap.join(' '), 'needs user ids too: they are mapped together');
  }
  if (!uidMap?.length || !gidMap?.length) return;
  const read =
    (option: 'uidMap' | 'gidMap') =>
    (text: string): IdMapping => {
      const match = /^([0-9]{1,10}):([0-9]{1,10}):([0-9]{1,10})$/.exec(text);
      if (!match) throw refuse(option, text, 'is not CONTAINER:HOST:SIZE, three numbers such as 0:100000:65536');
      return { containerID: Number(match[1]), hostID: Number(match[2]), size: Number(match[3]) };
    };
  linux.uidMappings = uidMap.map(read('uidMap'));
  linux.gidMappings = gidMap.map(read('gidMap'));
  if (!linux.namespaces!.some(({ type }) => type === 'user')) linux.namespaces!.push({ type: 'user' });
}

/** Adapts mounts of the template that root of a user namespace may not make. */
function fitUserNamespace(spec: Spec): void {
  const { namespaces, gidMappings = [] } = spec.linux!;
  const ttyMapped = gidMappings.some(({ containerID, size }) => containerID <= 5 && 5 < containerID + size);
  for (const mount of spec.mounts!) {
    if (mount.type === 'devpts' && !ttyMapped) mount.options = mount.options!.filter((o) => o !== 'gid=5');
    // A new sysfs needs a network namespace of the same user namespace.
    if (mount.type === 'sysfs' && !namespaces!.some(({ type }) => type === 'network')) {
      Object.assign(mount, { type: 'none', source: '/sys', options: ['rbind', ...mount.options!] });
    }
  }
}

const unusablePath = 'cannot have a colon, a comma or a backslash in its path';

/** Overlay options of the layer that the container writes; undefined if it writes none. */
function writtenLayer(o: SpecOptions, caller: SpecCaller, refuse: Refuse) {
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
function overlayMount(image: string, layer: readonly string[], mapped: boolean): Mount {
  const options = [`lowerdir=${image}`, ...layer];
  // overlayfs marks removed files by "trusted" attributes, which only root of the host may write.
  return {
    destination: '/',
    type: 'overlay',
    source: 'overlay',
    options: mapped ? [...options, 'userxattr'] : options,
  };
}

function limitOptions(o: SpecOptions, refuse: Refuse): Resources {
  const resources: Resources = {};
  if (o.memory !== undefined) {
    const limit = parseBytes(String(o.memory));
    if (limit === undefined || limit === 0n || limit > Number.MAX_SAFE_INTEGER) {
      throw refuse('memory', o.memory, 'is not a size such as 64m, 1g or 1048576, or -1 for no limit');
    }
    resources.memory = { limit: Number(limit) };
  }
  if (o.cpus !== undefined) {
    const text = String(o.cpus);
    const quota = /^[0-9]{1,6}(\.[0-9]{1,9})?$/.test(text) ? Math.round(Number(text) * periodMicroseconds) : 0;
    // The kernel's minimum quota is 1 ms.
    if (quota < 1000) throw refuse('cpus', text, 'is not a number of CPUs such as 2 or 0.5, at least 0.01');
    resources.cpu = { quota, period: periodMicroseconds };
  }
  if (o.pids !== undefined) {
    const text = String(o.pids);
    if (!/^(-1|[1-9][0-9]{0,8})$/.test(text)) {
      throw refuse('pids', text, 'is not a number of processes, at least 1, or -1 for no limit');
    }
    resources.pids = { limit: Number(text) };
  }
  return resources;
}
