/** A systemd scope as the container's cgroup (`--systemd-cgroup`): its paths and operations. Loaded by need. */

import type { CgroupPaths } from '../../cgroup/cgroup-paths.js';
import { v2DeviceList } from '../../cgroup/devices/device-list.js';
import type { Setting } from '../../cgroup/settings/setting.js';
import { v2Settings } from '../../cgroup/settings/v2-settings.js';
import type { Address } from '../../cgroup/systemd/bus-address.js';
import { scopeName } from '../../cgroup/systemd/unit-name.js';
import {
  changesOnReload,
  deviceProperties,
  firstVersions,
  type Property,
  property,
  resourceProperties,
} from '../../cgroup/systemd/unit-properties.js';
import { parseVariant, type Value, type Variant } from '../../cgroup/systemd/variant.js';
import { annotationValue, systemdProperty, systemdSubgroup } from '../../spec/annotation-names.js';
import type { Spec } from '../../spec/config-types.js';
import { escapeSegment } from '../../spec/json/json-pointer.js';
import { RuntError } from '../../sys/error.js';
import type { CompileOptions, HostFacts, SystemdScope } from '../host-facts.js';
import type { Op } from '../plan-ops.js';
import { isCgroupName } from './delegated-cgroup.js';

/** The systemd manager of a user's session. */
export interface UserManager {
  /** Its own cgroup, below the hierarchy's root: `/user.slice/user-1000.slice/user@1000.service`. */
  readonly cgroup: string;
  /** Address of its bus. */
  readonly bus: Address;
}

/**
 * The compiler's part for the system manager, or for a user's manager. If `user` is the error that explains why there
 * is none, a container without limits gets no cgroup of its own, and `warn` reports that.
 * @param version systemd's, once it is known: see `dependsOnVersion`
 */
export function scopes(
  user?: UserManager | RuntError,
  warn: (sentence: string) => void = () => {},
  version?: number,
): SystemdScope {
  const manager = user instanceof RuntError ? undefined : user;
  return {
    ...(manager && { bus: manager.bus }),
    dependsOnVersion: (spec) =>
      version === undefined && !(user instanceof RuntError) && changesOnReload(limitsOf(spec)),
    ofVersion: (known) => scopes(user, warn, known),
    scopePaths: (spec, facts, id) => {
      const paths = scopePaths(spec, facts, id, manager?.cgroup, version);
      if (!(user instanceof RuntError)) return paths;
      refuseLimits(limitsOf(spec), user);
      warn(`the container has no cgroup of its own: the user has no systemd: ${user.message}`);
      return { v1: [], unified: { ...paths.unified!, writable: false } };
    },
    scopeOps: (before, spec, options) => scopeOps(before, spec, options, manager, version),
  };
}

const limitsOf = (spec: Spec): Setting[] => v2Settings(spec.linux?.resources ?? {}, '/linux/resources');

/**
 * Path of the cgroup, below that of a user's manager if there is one. @throws RuntError ERR_UNSUPPORTED on any layout
 * but v2, ERR_CGROUP_PATH
 */
function scopePaths(spec: Spec, facts: HostFacts, id: string, manager?: string, version?: number): CgroupPaths {
  const { cgroup } = facts;
  if (cgroup.layout !== 'v2')
    throw missingControllerError(cgroup.layout === 'none' ? 'on a host without cgroups' : 'on cgroup v1');
  const { mountPoint } = cgroup.unified!;
  const below = subgroup(spec, limitsOf(spec), version);
  const { path } = scopeName(spec.linux?.cgroupsPath, id, manager !== undefined);
  return {
    v1: [],
    unified: { mountPoint, path: `${mountPoint}${manager ?? ''}${path}${below}`, writable: true },
  };
}

/**
 * `/NAME` of crun's sub-cgroup, '' for none. Without the annotation it is crun's `container` if this version of systemd
 * does not keep the limits: systemd writes nothing below a unit with Delegate=yes. @throws RuntError ERR_SPEC_VALUE
 */
function subgroup(spec: Spec, limits: readonly Setting[], version?: number): string {
  const [value, pointer] = annotationValue(spec, systemdSubgroup);
  if (value === undefined) return version !== undefined && changesOnReload(limits, version) ? '/container' : '';
  if (value === '') return '';
  if (isCgroupName(value)) return `/${value}`;
  const message = `${systemdSubgroup} must be the name of one cgroup, and not of a kernel file`;
  throw new RuntError({ code: 'ERR_SPEC_VALUE', message, pointer, value });
}

/** @throws RuntError ERR_CGROUP_NOT_DELEGATED for a limit, which only a cgroup can hold */
function refuseLimits([first]: readonly Setting[], why: RuntError): void {
  if (!first) return;
  throw new RuntError({
    code: 'ERR_CGROUP_NOT_DELEGATED',
    message: `make the cgroup for "${first.file}": ${why.message}`,
    pointer: first.at,
    value: first.value,
    hint: 'log in through logind, keep a systemd of the user running (loginctl enable-linger), or remove the limit: without root, that systemd makes the cgroup, and runt cannot reach it',
    cause: why,
  });
}

function missingControllerError(where: string): RuntError {
  return new RuntError({
    code: 'ERR_UNSUPPORTED',
    message: `--systemd-cgroup is not supported ${where} by this version of runt`,
    hint: 'leave the flag out: runt then makes the cgroup itself',
  });
}

/** The operations that make the cgroup and write its values; a scope replaces the directory. */
function scopeOps(
  before: readonly Op[],
  spec: Spec,
  options: CompileOptions,
  user?: UserManager,
  version?: number,
): Op[] {
  const { unit, slice } = scopeName(spec.linux?.cgroupsPath, options.id, user !== undefined);
  const resources = spec.linux?.resources ?? {};
  const settings = limitsOf(spec);
  const limits = resourceProperties(settings, version);
  const annotations = annotationProperties(spec, limits);
  const properties = mergeProperties([
    property('Description', 's', `runt container ${options.id}`),
    property('Slice', 's', slice),
    property('Delegate', 'b', true),
    property('DefaultDependencies', 'b', false),
    property('CPUAccounting', 'b', true),
    property('IOAccounting', 'b', true),
    property('MemoryAccounting', 'b', true),
    property('TasksAccounting', 'b', true),
    ...limits,
    // A user's manager may not load BPF programs, and no process can make a device that the user could not open anyway.
    ...(user
      ? []
      : deviceProperties(v2DeviceList(resources.devices, '/linux/resources/devices', spec.linux?.devices ?? []))),
    ...annotations,
  ]);
  const named = new Set(annotations.map(({ name }) => name));
  // An older systemd lacks these properties: then only the files hold the limit.
  const optional = limits
    .map(({ name }) => name)
    .filter((name) => firstVersions[name] !== undefined && !named.has(name));
  const below = subgroup(spec, settings, version);
  return before.flatMap((op): Op[] => {
    if (op.op === 'cgroupCreate') {
      const path = op.path.slice(0, op.path.length - below.length);
      return [{ op: 'systemdScope', at: op.at, path, unit, properties, optional }, ...(below ? [op] : [])];
    }
    // The cgroups above the manager's do not belong to the user.
    return [op.op === 'cgroupControllers' && user ? { ...op, top: `${op.top}${user.cgroup}` } : op];
  });
}

/** The last property of a name counts; but a list is first cleared, then filled. */
function mergeProperties(properties: readonly Property[]): Property[] {
  const last = new Map(properties.map(({ name }, i) => [name, i]));
  const clears = ({ name, value }: Property) => name === 'DeviceAllow' && Array.isArray(value) && value.length === 0;
  return properties.filter((p, i) => last.get(p.name) === i || clears(p));
}

/** Properties that no annotation may set, and why: a clause that follows "it". */
const reserved: { readonly [name: string]: string } = {
  PIDs: 'moves processes of the host into the unit, which ends with the container',
  PIDFDs: 'moves processes of the host into the unit, which ends with the container',
  ControlGroup: 'puts the unit into a cgroup that the container does not have',
  Controller: 'leaves the end of the unit to another program',
  Slice: 'moves the unit: name the slice in linux.cgroupsPath, slice:prefix:name',
  Delegate: 'takes the unit away from runt, which manages the cgroups in it',
  DelegateSubgroup: 'moves processes of the unit: use the annotation run.oci.systemd.subgroup',
  DelegateControllers: 'takes controllers away that limits and statistics need',
  DisableControllers: 'takes controllers away that limits and statistics need',
  Conflicts: 'stops other units',
  PropagatesStopTo: 'stops other units',
  FailureAction: 'acts on the whole machine',
  SuccessAction: 'acts on the whole machine',
  JobTimeoutAction: 'acts on the whole machine',
  StartLimitAction: 'acts on the whole machine',
};
/** Without accounting, statistics and limits have no files. */
const accounting = /^(?:CPU|IO|BlockIO|Memory|Tasks)Accounting$/;

/** @throws RuntError ERR_SPEC_VALUE for a value that must not be set, or a property that `limits` set too */
function checkProperty(name: string, variant: Variant, limits: readonly Property[]): void {
  if (accounting.test(name) && variant.value === false)
    throw valueError(`the property ${name} must be true: limits and statistics need it`);
  if (name !== 'OOMPolicy' && limits.some((limit) => limit.name === name))
    throw valueError(`the property ${name} is set by a limit in /linux/resources as well: keep one of them`);
  if (hasControl(variant.value)) throw valueError(`the property ${name} has a control character in its value`);
}

/** Whether a string in the value has a control character: a newline would begin another line of the unit's file. */
function hasControl(value: Value): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (typeof value === 'string') return /[\x00-\x1f\x7f]/.test(value);
  if (Array.isArray(value)) return value.some(hasControl);
  return typeof value === 'object' && hasControl((value as Variant).value);
}

/**
 * `org.systemd.property.NAME`; NAMESec in seconds is NAMEUSec in µs, as with runc.
 * @param limits the properties that the config's limits set
 * @throws RuntError ERR_SPEC_VALUE
 */
function annotationProperties(spec: Spec, limits: readonly Property[]): Property[] {
  const list: Property[] = [];
  for (const [key, value] of Object.entries(spec.annotations ?? {})) {
    if (!key.startsWith(systemdProperty)) continue;
    const name = key.slice(systemdProperty.length);
    try {
      if (!/^[A-Za-z]{3,64}$/.test(name)) throw valueError(`${JSON.stringify(name)} is not the name of a property`);
      const why = Object.hasOwn(reserved, name) ? reserved[name] : undefined;
      if (why !== undefined) throw valueError(`the property ${name} is reserved: it ${why}`);
      const variant = parseVariant(value);
      const seconds = /[a-z]Sec$/.test(name);
      checkProperty(seconds ? `${name.slice(0, -3)}USec` : name, variant, limits);
      if (!seconds) list.push({ name, ...variant });
      else if (typeof variant.value === 'bigint' || typeof variant.value === 'number') {
        if (variant.value < 0) throw valueError(`${value} is not a time`);
        const us =
          typeof variant.value === 'bigint' ? variant.value * 1_000_000n : BigInt(Math.round(variant.value * 1e6));
        list.push(property(`${name.slice(0, -3)}USec`, 't', us));
      } else throw valueError(`${value} is not a number of seconds`);
    } catch (error) {
      if (error instanceof RuntError) {
        error.pointer ??= `/annotations/${escapeSegment(key)}`;
        error.value ??= value;
      }
      throw error;
    }
  }
  return list;
}

const valueError = (message: string): RuntError => new RuntError({ code: 'ERR_SPEC_VALUE', message });
