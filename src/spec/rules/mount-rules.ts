/** Rules of `mounts`. */
import { nearestWord } from '../../sys/nearest-word.js';
import type { Mount, Spec } from '../config-types.js';
import { ephemeralLayer, layerOption } from '../ephemeral-layer.js';
import { idRanges } from '../id-ranges.js';
import { Findings } from '../judge/findings.js';
import { isRoot, mountOption, mountOptionNames } from '../mount-options.js';
import { idMappingRules } from './mapping-rules.js';

const SEE = 'config.md#mounts';

/** A path of the root. Made once: thousands of mounts would make as many expressions. */
const DOTS = /^[/.]*$/;

/**
 * Options of the kernel's own file systems, by type, to recognise misspelt ones. Other options still go to the kernel,
 * which may be newer than this table.
 */
const DATA: Readonly<Record<string, string>> = {
  tmpfs: 'size nr_blocks nr_inodes mode uid gid huge mpol inode32 inode64 noswap quota usrquota grpquota',
  devpts: 'uid gid mode ptmxmode newinstance max',
  proc: 'gid hidepid subset pidns',
  sysfs: '',
  mqueue: '',
  cgroup: '',
  cgroup2: 'nsdelegate favordynmods memory_localevents memory_recursiveprot memory_hugetlb_accounting pids_localevents',
};

/**
 * Limit on distinct options with a spelling check. Each is compared with all known ones: a large config has room for
 * options that would take over a minute. The kernel refuses later misspelt ones.
 */
const MAX_JUDGED = 200;

/** The result for an option, by file system type and option. */
type JudgedOptions = Map<string, string | undefined>;

export function mountRules(spec: Spec, findings: Findings): void {
  const judged: JudgedOptions = new Map();
  // Most mounts of a long list differ from another one by their paths alone.
  const clean = new Set<string>();
  /** The mount before, if it is clean. */
  let before: Mount | undefined;
  const { mounts = [] } = spec;
  // A loop with few calls and strings: a config may have thousands of mounts.
  for (let i = 0; i < mounts.length; i++) {
    const mount = mounts[i] as Mount;
    const { destination } = mount;
    if (!destination.startsWith('/')) {
      const expected = 'be an absolute path; a relative one is deprecated and counts from /';
      findings.warn(`/mounts/${i}/destination`, destination, expected, SEE);
    }
    // Before the expression: nearly every destination has a letter there.
    const second = destination.charAt(1);
    if (i > 0 && (second === '' || second === '/' || second === '.') && DOTS.test(destination)) {
      findings.warn(`/mounts/${i}/destination`, destination, 'come first: it covers what is mounted before it', SEE);
    }
    if (before && isAlike(mount, before)) continue;
    before = undefined;
    const key = mount.uidMappings || mount.gidMappings ? '' : kindOf(mount);
    if (clean.has(key)) {
      before = mount;
      continue;
    }
    const at = `/mounts/${i}`;
    const count = findings.count;
    const options = mount.options?.map(mountOption) ?? [];
    optionRules(mount, options, at, findings, judged);
    sysfsRule(mount, at, spec, findings);
    idmapRules(mount, options, at, spec, findings);
    if (key === '' || findings.count !== count) continue;
    clean.add(key);
    before = mount;
  }
  for (const key of ['maskedPaths', 'readonlyPaths'] as const) {
    const paths = spec.linux?.[key];
    const see = `config-linux.md#${key === 'maskedPaths' ? 'masked-paths' : 'readonly-paths'}`;
    paths?.forEach((path, i) => {
      if (path.startsWith('/')) return;
      const at = `/linux/${key}/${i}`;
      if (key === 'maskedPaths' || path.split('/').includes('..')) findings.absolute(at, path, see);
      else findings.warn(at, path, 'be an absolute path: it is taken from the root of the container', see);
    });
  }
}

/** Whether the rules look at the same in a mount as in a clean one. shared-options.ts made one list of equal ones. */
const isAlike = (mount: Mount, clean: Mount): boolean =>
  mount.options === clean.options &&
  mount.type === clean.type &&
  !mount.source === !clean.source &&
  !mount.uidMappings &&
  !mount.gidMappings;

/** What the rules of a mount without id mappings look at; not empty. No text of a valid config holds a NUL. */
const kindOf = ({ type, source, options }: Mount): string =>
  `${type ?? ''}\0${source ? 1 : 0}\0${options ? options.length : ''}\0${options ? options.join('\0') : ''}`;

/**
 * A new user namespace owns no network namespace but a new one, and the kernel only lets it mount the sysfs of that.
 */
function sysfsRule({ type }: Mount, at: string, { linux }: Spec, findings: Findings): void {
  if (type !== 'sysfs') return;
  const isNew = (wanted: string) => linux?.namespaces?.some((n) => n.type === wanted && !n.path) ?? false;
  if (!isNew('user') || isNew('network')) return;
  const expected =
    'be a recursive bind of /sys, or the container should have a new network namespace: a new user namespace cannot mount the sysfs of another one, and the /sys of the host is bound, read-only with all mounts below it';
  findings.warn(`${at}/type`, type, expected, 'user_namespaces(7)');
}

/** The options of a mount, parsed; undefined is data for the file system. */
type Parsed = readonly ReturnType<typeof mountOption>[];

function optionRules(mount: Mount, parsed: Parsed, at: string, findings: Findings, judged: JudgedOptions): void {
  const options = mount.options ?? [];
  const kinds = parsed.map((option) => option?.kind);
  const bind = kinds.includes('bind') || mount.type === 'bind';
  const remount = kinds.includes('remount');
  if (bind && !remount && !mount.source) {
    findings.refuse(`${at}/source`, mount.source, 'name what is bound', SEE);
  }
  if (!bind && !remount && !mount.type && !kinds.includes('propagation')) {
    findings.refuse(`${at}/type`, mount.type, 'name a file system type, unless an option is bind or rbind', SEE);
  }
  const tmpcopyup = kinds.indexOf('tmpcopyup');
  if (tmpcopyup >= 0 && mount.type !== 'tmpfs') {
    const expected = 'be used with type tmpfs only';
    findings.refuse(`${at}/options/${tmpcopyup}`, 'tmpcopyup', expected, 'config.md#linux-mount-options');
  }
  options.forEach((option, i) => {
    const kind = kinds[i];
    if (kind === 'attr' || kind === 'propagation') return;
    const where = `${at}/options/${i}`;
    const see = 'config.md#linux-mount-options';
    if (option.startsWith('X-runt.')) layerRule(mount, option, where, findings);
    if (kind === 'nofollow' && !bind) findings.refuse(where, option, 'be used with bind mounts only', see);
    const error = kind === undefined && spellingError(option, bind ? 'bind' : (mount.type ?? ''), judged);
    if (error) findings.refuse(where, option, error, see);
    // As runc: the source of a bind mount has its options already, and engines still write some. An empty option has no
    // effect; z and Z ask the engine to label the source: podman and buildah write some.
    else if (bind && !IGNORED_OPTIONS.has(option) && (kind === undefined || kind === 'superblock')) {
      findings.warn(
        where,
        option,
        'be absent: a bind mount has the options of the file system it shows, and this one is left out',
        see,
      );
    }
  });
}

/** `X-runt.ephemeral`: a fresh layer of an overlay. */
function layerRule(
  { type, destination, options = [] }: Mount,
  option: string,
  where: string,
  findings: Findings,
): void {
  const see = 'docs/mounts.md#fresh-layers';
  const layer = ephemeralLayer(option);
  if (!layer || type !== 'overlay') {
    const expected = `be ${layerOption}=DIRECTORY (an absolute path) or ${layerOption}=tmpfs:SIZE, on an overlay`;
    findings.refuse(where, option, expected, see);
  } else if (options.some((o) => /^(upperdir|workdir)=/.test(o)) || options.filter(ephemeralLayer).length > 1) {
    findings.refuse(where, option, 'be the only layer that is written: no upperdir, no workdir, no other one', see);
  } else if (layer.size !== undefined && !isRoot(destination)) {
    findings.refuse(where, option, 'be on disk: only the layer of / can be a tmpfs', see);
  }
}

/** Options of bind mounts that have no effect in a runtime. */
const IGNORED_OPTIONS = new Set(['', 'z', 'Z']);

function spellingError(option: string, type: string, judged: JudgedOptions): string | undefined {
  const key = `${type} ${option}`;
  if (judged.has(key)) return judged.get(key);
  if (judged.size === MAX_JUDGED) return undefined;
  const error = dataError(option, type);
  judged.set(key, error);
  return error;
}

/** Why an option that is not in the table is a mistake; undefined if the file system may have it. */
function dataError(option: string, type: string): string | undefined {
  const equals = option.indexOf('=');
  const name = equals < 0 ? option : option.slice(0, equals);
  if (equals < 0 || mountOption(name) !== undefined) {
    const own = Object.hasOwn(DATA, type) && DATA[type] !== '' ? DATA[type]!.split(' ') : [];
    if (own.includes(name)) return undefined;
    const known = type === 'bind' || Object.hasOwn(DATA, type) ? mountOptionNames() : [];
    const near = nearestWord(name, [...known, ...own]);
    if (near !== undefined) {
      return near === name ? `have no value: ${name} is a flag` : `be a mount option; did you mean "${near}"?`;
    }
  }
  return undefined;
}

function idmapRules(mount: Mount, all: Parsed, at: string, { linux }: Spec, findings: Findings): void {
  const { uidMappings, gidMappings, options = [] } = mount;
  if (!uidMappings && !gidMappings && !all.some((parsed) => parsed?.kind === 'idmap')) return;
  if (!uidMappings?.length !== !gidMappings?.length) {
    const [present, missing] = uidMappings?.length ? ['uidMappings', 'gidMappings'] : ['gidMappings', 'uidMappings'];
    findings.refuse(`${at}/${missing}`, undefined, `be given along with ${present}`, 'config.md#posix-platform-mounts');
  }
  idMappingRules(uidMappings, `${at}/uidMappings`, findings);
  idMappingRules(gidMappings, `${at}/gidMappings`, findings);
  const own = (uidMappings?.length ?? 0) > 0 || (gidMappings?.length ?? 0) > 0;
  const user = linux?.namespaces?.find(({ type }) => type === 'user');
  let mapped = own;
  options.forEach((option, i) => {
    const parsed = all[i];
    if (parsed?.kind !== 'idmap') return;
    mapped = true;
    const where = `${at}/options/${i}`;
    if (parsed.ranges !== undefined) rangeRules(option, parsed.ranges, linux, where, findings);
    else if (!own && !user) {
      const expected = 'come with uidMappings and gidMappings: the container has no user namespace to take them from';
      findings.refuse(where, option, expected, 'config.md#linux-mount-options');
    }
  });
  if (mapped) mappedRules(mount, at, linux, findings);
}

/** Mappings in an option, in crun's form. */
function rangeRules(option: string, ranges: string, linux: Spec['linux'], where: string, findings: Findings): void {
  const found = idRanges(ranges, linux);
  const refuse = (why: string) => {
    const expected = `have mappings of the form uids=FROM-TO-LENGTH;gids=FROM-TO-LENGTH: ${why}`;
    findings.refuse(where, option, expected, 'crun(1)');
  };
  if (typeof found === 'string') {
    refuse(found);
    return;
  }
  const wrong = new Findings();
  idMappingRules(found.uids, 'uids', wrong);
  idMappingRules(found.gids, 'gids', wrong);
  for (const { pointer, expected } of wrong.violations) refuse(`${pointer} must ${expected}`);
}

/** Mounts whose ids the kernel never lets a process map (mount_setattr(2)). */
function mappedRules(
  { type, destination, options = [] }: Mount,
  at: string,
  linux: Spec['linux'],
  findings: Findings,
): void {
  const kinds = options.map((name) => mountOption(name)?.kind);
  if (kinds.includes('remount')) return;
  const bind = kinds.includes('bind') || type === 'bind';
  const has = (wanted: string, joined: boolean) =>
    linux?.namespaces?.some((n) => n.type === wanted && (!joined || n.path)) ?? false;
  // The runtime maps the lower layers of an overlay, as it does a bind.
  const ofHost = bind || type === 'overlay';
  if (!ofHost && has('user', false)) {
    const expected = `not be an id-mapped ${type ?? 'mount'} in a user namespace of the container: the kernel lets only a process that controls both map its ids`;
    findings.refuse(at, undefined, expected, 'mount_setattr(2)');
  }
  if (!bind && type === 'overlay') {
    const lower = options.filter((o) => /^(lowerdir|datadir)\+?=/.test(o));
    if (lower.length !== 1 || !/^lowerdir=(?!.*[^\\]::)/s.test(lower[0]!)) {
      const expected = 'have one lowerdir= without data-only layers: those are the layers whose ids are mapped';
      findings.refuse(`${at}/options`, options, expected, 'docs/mounts.md#overlays');
    }
    if (!isRoot(destination)) {
      const expected = 'be / for an id-mapped overlay: its layers are mounted on the root first';
      findings.refuse(`${at}/destination`, destination, expected, 'docs/mounts.md#overlays');
    }
  }
  if (ofHost && has('mount', true)) {
    const expected = `not be an id-mapped ${bind ? 'bind' : 'overlay'} in a mount namespace that is joined`;
    findings.refuse(at, undefined, expected, 'mount_setattr(2)');
  }
}
