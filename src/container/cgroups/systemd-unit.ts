/** The systemd unit of a container: its start, changes and stop; loaded on demand. */

import { v2DeviceList } from '../../cgroup/devices/device-list.js';
import { frozenAncestor, frozenError } from '../../cgroup/frozen-ancestor.js';
import type { LiveCgroups } from '../../cgroup/live-cgroups.js';
import { v2Settings } from '../../cgroup/settings/v2-settings.js';
import { type Address, ownsSystemManager, systemAddresses, userAddresses } from '../../cgroup/systemd/bus-address.js';
import { type Bus, BusError, isTransient, onBus } from '../../cgroup/systemd/systemd-bus.js';
import { readUnitFiles, settingsOf } from '../../cgroup/systemd/unit-files.js';
import {
  changesOnReload,
  deviceProperties,
  firstVersions,
  type Property,
  resourceProperties,
} from '../../cgroup/systemd/unit-properties.js';
import type { Value } from '../../cgroup/systemd/variant.js';
import type { UserManager } from '../../plan/cgroup/systemd-scope.js';
import type { Op } from '../../plan/plan-ops.js';
import { systemdProperty } from '../../spec/annotation-names.js';
import type { Resources } from '../../spec/config-types.js';
import { escapeSegment } from '../../spec/json/json-pointer.js';
import { RuntError } from '../../sys/error.js';
import { fdPair } from '../../sys/fds.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD, W_OK } from '../../sys/linux.js';
import { pollUntil, readableOrPolled } from '../../sys/waiting/loop.js';
import { killedProcessTime, lastBusAnswerTime } from '../../sys/waiting/time-limits.js';
import { checkOp } from '../failure/op-failed.js';
import { endOf } from '../launch/child-end.js';
import { startInit } from '../launch/start-init.js';
import { signalProcess, unifiedPath } from '../state/recorded-process.js';
import type { RecordedUnit } from '../state/state-store.js';

type ScopeOp = Extract<Op, { op: 'systemdScope' }>;

/**
 * A process that keeps a new scope alive. A scope starts with processes and ends with its last one, but the container's
 * must start after all limits are set. The placeholder waits for the end of its socket. If the runtime is killed, it
 * ends, and systemd forgets the unit.
 */
export class Placeholder {
  private constructor(
    readonly pid: number,
    private readonly pidfd: number,
    private readonly socket: number,
  ) {}

  /** @throws RuntError ERR_SYSTEMD */
  static async start(): Promise<Placeholder> {
    const pair = new Uint8Array(16);
    const startError = (errno: number, syscall: string) =>
      new RuntError({ code: 'ERR_SYSTEMD', message: 'start a process for the scope', errno, syscall });
    const r = native.socketPair(pair);
    if (r < 0) throw startError(-r, 'socketpair');
    const [ours, theirs] = fdPair(pair);
    const { pid, pidfd, syscall } = await startInit(0n, theirs);
    native.close(theirs);
    if (pid < 0) {
      native.close(ours);
      throw startError(-pid, syscall);
    }
    return new Placeholder(pid, pidfd, ours);
  }

  /** @throws OpFailed */
  moveTo(op: Extract<Op, { op: 'cgroupCreate' }>): void {
    const procs = `${op.path}/cgroup.procs`;
    checkOp(op, native.writeFile(AT_FDCWD, procs, 0, 0, host.encode(String(this.pid))), 'write', procs);
  }

  /** Whether it ended too early, because a limit is too low for it. */
  hasEnded(): boolean {
    return native.isReadable(this.pidfd) === 1;
  }

  async end(): Promise<void> {
    native.close(this.socket);
    signalProcess(this.pidfd, this.pid, 9);
    await readableOrPolled(this.pidfd, killedProcessTime);
    endOf(this.pidfd);
    native.close(this.pidfd);
  }
}

/** In D-Bus's form: `a(sv)`. */
const dbusProperties = (properties: readonly Property[]): Value[] => properties.map((p) => [p.name, p]);

/** The manager of the user's session; undefined if the caller owns the system's, the failure if there is none. */
export async function userManager(): Promise<UserManager | RuntError | undefined> {
  if (ownsSystemManager()) return undefined;
  try {
    return await onBus(userAddresses(), async (bus) => {
      const cgroup = await bus.property('ControlGroup');
      return { cgroup: String(cgroup).replace(/\/$/, ''), bus: bus.address };
    });
  } catch (error) {
    if (error instanceof RuntError && error.code === 'ERR_SYSTEMD') return error;
    throw error;
  }
}

/** Runs f with a connection, closed afterwards: to the manager of the named user's session, else the system's. */
function onUnitBus<T>(
  user: Address | undefined,
  f: (bus: Bus, tries: number) => Promise<T>,
  timeout?: number,
): Promise<T> {
  return onBus(user ? [user, ...userAddresses()] : systemAddresses, f, timeout);
}

/**
 * Starts the scope with the process in it, and checks that its cgroup has the plan's path. Removes a scope whose start
 * fails.
 * @param annotations those of the config: an error of systemd about the property of one has its pointer
 * @param timeout ms for each answer, and for the end of the job; systemd's default when absent
 * @throws RuntError ERR_SYSTEMD, with the name of the D-Bus error if any; ERR_CGROUP_BUSY if the unit exists;
 * ERR_CGROUP if a slice is frozen
 */
export async function startScope(
  op: ScopeOp,
  user: Address | undefined,
  pid: number,
  timeout?: number,
  annotations: { readonly [key: string]: string } = {},
): Promise<void> {
  // systemd would wait for the scope, and the process in it for the thaw.
  if (frozenAncestor(op.path) !== undefined)
    throw frozenError(
      "container's cgroup unexpectedly frozen",
      op.path,
      'name another slice in linux.cgroupsPath',
      op.at,
    );
  // From here on the unit is ours: never stop, reset or take over another's.
  let isQueued = false;
  const start = async (bus: Bus, tries: number): Promise<void> => {
    const known = await knownProperties(bus, op);
    const properties = [...dbusProperties(known), ['PIDs', { signature: 'au', value: [BigInt(pid)] }] as Value];
    const job = () =>
      bus.job('StartTransientUnit', 'ssa(sv)a(sa(sv))', [op.unit, 'fail', properties, []], () => {
        isQueued = true;
      });
    // systemd went away after the request: it may have started the unit, or be about to.
    if (tries > 0 && (await entersCgroup(op, pid, isQueued ? bus.timeout : 0))) return;
    try {
      const result = await job().catch(async (error) => {
        if (!isUnitExistsError(error)) throw error;
        if (tries > 0 && (await entersCgroup(op, pid, Math.min(bus.timeout, lastBusAnswerTime)))) return 'done';
        // systemd keeps a failed unit, without processes, until it is reset.
        if (tries > 0) throw error;
        await resetUnit(bus, op.unit);
        return job();
      });
      if (result !== 'done' && result !== 'gone')
        throw scopeError(op, `start ${op.unit}: its job ended as "${result}"`);
      checkCgroupPath(op, pid);
    } catch (error) {
      if (isTransient(error)) throw error;
      if (isQueued) await cancelStart(bus, op.unit);
      throw error;
    }
  };
  return onUnitBus(user, start, timeout).catch(async (error) => {
    // systemd did not come back in time.
    if (isQueued && isTransient(error))
      await onUnitBus(user, (bus) => cancelStart(bus, op.unit), lastBusAnswerTime).catch(() => {});
    if (!(error instanceof RuntError) || error.op === op.op) throw error;
    if (isUnitExistsError(error)) throw unitBusyError(op, error);
    const failure = scopeError(op, error.message, error);
    const key = Object.keys(annotations).find((name) => isAboutProperty(error.message, name));
    if (key !== undefined)
      Object.assign(failure, { pointer: `/annotations/${escapeSegment(key)}`, value: annotations[key] });
    throw failure;
  });
}

/** Whether systemd's error is about the annotation's property. */
function isAboutProperty(message: string, annotation: string): boolean {
  if (!annotation.startsWith(systemdProperty)) return false;
  const name = annotation.slice(systemdProperty.length);
  return new RegExp(`\\b(?:${name}|${name.replace(/Sec$/, 'USec')})\\b`).test(message);
}

/** Whether systemd moves the process into the cgroup within `timeout` ms. */
const entersCgroup = (op: ScopeOp, pid: number, timeout: number): Promise<boolean> =>
  pollUntil(() => op.path === `/sys/fs/cgroup${unifiedPath(pid)}`, timeout);

/** The properties that this version of systemd has. */
async function knownProperties(
  bus: Bus,
  { properties, optional }: Pick<ScopeOp, 'properties' | 'optional'>,
): Promise<readonly Property[]> {
  const version = optional.length === 0 ? 0 : await versionOf(bus);
  return properties.filter(({ name }) => !optional.includes(name) || version >= (firstVersions[name] ?? 0));
}

/** Version of the manager of the named user's session, or of the system's. @throws RuntError ERR_SYSTEMD */
export const systemdVersion = (user: Address | undefined): Promise<number> => onUnitBus(user, versionOf);

/** "257.9-1~deb13u1" → 257. @throws RuntError ERR_SYSTEMD */
async function versionOf(bus: Bus): Promise<number> {
  return Number(/^v?(\d+)/.exec(String(await bus.property('Version')))?.[1] ?? 0);
}

const isUnitExistsError = (error: unknown): boolean =>
  error instanceof BusError && error.busError === 'org.freedesktop.systemd1.UnitExists';

const unitBusyError = (op: ScopeOp, cause: Error): RuntError =>
  new RuntError({
    code: 'ERR_CGROUP_BUSY',
    message: `start ${op.unit}: the unit exists already`,
    op: op.op,
    pointer: op.at,
    hint: 'stop the unit, or name another in linux.cgroupsPath: another container uses it, or left it behind',
    cause,
  });

const scopeError = (op: ScopeOp, message: string, cause?: RuntError): RuntError =>
  new RuntError({
    code: 'ERR_SYSTEMD',
    message,
    op: op.op,
    pointer: op.at,
    ...(cause?.hint !== undefined && { hint: cause.hint }),
    ...(cause && { cause }),
  });

/** Cancels a unit start that may still be queued. Does not wait for the stop job: systemd may be what hangs. */
async function cancelStart(bus: Bus, unit: string): Promise<void> {
  bus.timeout = Math.min(bus.timeout, lastBusAnswerTime);
  try {
    await bus.call('StopUnit', 'ss', [unit, 'replace']);
    await resetUnit(bus, unit);
  } catch {
    // When the placeholder ends, systemd ends the unit.
  }
}

/** A systemd in a container, for example, has its tree elsewhere. */
function checkCgroupPath(op: ScopeOp, pid: number): void {
  const path = unifiedPath(pid);
  if (path !== '' && op.path === `/sys/fs/cgroup${path}`) return;
  const found = path || 'a path that cannot be found';
  throw scopeError(op, `start ${op.unit}: systemd made its cgroup at ${found}, not at ${op.path}`);
}

/** Stops the unit if systemd has it, and resets a failed one. @throws RuntError ERR_SYSTEMD */
function stopUnit({ name, bus: user }: RecordedUnit): Promise<void> {
  return onUnitBus(user, async (bus) => {
    try {
      await bus.job('StopUnit', 'ss', [name, 'replace']);
    } catch (error) {
      if (!isUnknownUnit(error)) throw error;
    }
    await resetUnit(bus, name);
  });
}

/** Stops a removed container's unit; only warns on failure. Its cgroup is removed anyway: then systemd forgets it. */
export async function endUnit(unit: RecordedUnit, warn?: (sentence: string) => void): Promise<void> {
  try {
    await stopUnit(unit);
  } catch (error) {
    if (!(error instanceof RuntError)) throw error;
    warn?.(`stop the unit ${unit.name} of the removed container: ${error.message}`);
  }
}

/**
 * Asks systemd to move a process into the unit's cgroup, or one below it. The kernel lets a user do so only if he owns
 * the common ancestor of both cgroups. From a session's, for example, the system manager must do it, at the request of
 * the user's manager.
 * @throws RuntError ERR_SYSTEMD
 */
export function attachProcess({ name, bus: user }: RecordedUnit, cgroup: string, pid: number): Promise<unknown> {
  const below = cgroup.slice(cgroup.indexOf(`/${name}`) + name.length + 1);
  return onUnitBus(user, (bus) => bus.call('AttachProcessesToUnit', 'ssau', [name, below || '/', [BigInt(pid)]]));
}

/** Whether this process may move others from its own cgroup to `path` (cgroups(7), "Cgroups delegation"). */
export function mayMoveInto(path: string): boolean {
  const [from, to] = [(unifiedPath('self') || '/').split('/'), path.slice('/sys/fs/cgroup'.length).split('/')];
  let common = 0;
  while (common < from.length && from[common] === to[common]) common++;
  return native.access(`/sys/fs/cgroup${from.slice(0, common).join('/')}/cgroup.procs`, W_OK) === 0;
}

async function resetUnit(bus: Bus, unit: string): Promise<void> {
  try {
    await bus.call('ResetFailedUnit', 's', [unit]);
  } catch (error) {
    if (!isUnknownUnit(error)) throw error;
  }
}

const isUnknownUnit = (error: unknown): boolean =>
  error instanceof BusError && error.busError === 'org.freedesktop.systemd1.NoSuchUnit';

/**
 * Sends systemd a running container's new values, so that it does not write the old ones again.
 * @throws RuntError ERR_SYSTEMD
 */
export async function setUnitProperties(
  { name, bus: user, unsettled }: RecordedUnit,
  resources: Resources,
  live: LiveCgroups,
): Promise<void> {
  // After an update that ended before systemd answered, send all its values again, as they are in the files.
  const unsettledSettings = unsettled ? settingsOf(readUnitFiles(live.unified() ?? '')) : [];
  const settings = [...unsettledSettings, ...v2Settings(resources, '', live)];
  const propertiesFor = (version?: number): Property[] =>
    [
      ...resourceProperties(settings, version),
      ...(resources.devices?.length && !user ? deviceProperties(v2DeviceList(resources.devices, '/devices', [])) : []),
    ].filter((p) => p.name !== 'OOMPolicy');
  let properties = propertiesFor();
  if (properties.length === 0) return;
  const optional = properties.map((p) => p.name).filter((p) => firstVersions[p] !== undefined);
  await onUnitBus(user, async (bus) => {
    if (changesOnReload(settings)) properties = propertiesFor(await versionOf(bus));
    const known = await knownProperties(bus, { properties, optional });
    await bus.call('SetUnitProperties', 'sba(sv)', [name, true, dbusProperties(known)]);
    // systemd writes the files before it reads the next message.
    await versionOf(bus);
  });
}

/** Whether systemd has refused. After any other error it may still apply the values. */
export const isRefusedBySystemd = (error: RuntError): boolean => error instanceof BusError && !isTransient(error);
