/** Restart of an engine by systemd, whose sockets are in the host's tree. */
import { systemAddresses } from '../cgroup/systemd/bus-address.js';
import { type Bus, onBus } from '../cgroup/systemd/systemd-bus.js';
import type { Value } from '../cgroup/systemd/variant.js';
import { RuntError } from '../sys/error.js';
import { engineRunTime } from '../sys/waiting/time-limits.js';
import type { Engine } from './engine.js';
import type { HostTree } from './host-tree.js';

/** States in which an engine has read its config, or a part of it. */
const runs: readonly Value[] = ['active', 'reloading', 'activating', 'refreshing'];

/**
 * The unit of a running engine; undefined if none of its units is active.
 * @throws RuntError ERR_SYSTEMD; ERR_INSTALL without systemd
 */
export async function activeUnit(tree: HostTree, engine: Engine): Promise<string | undefined> {
  const units = engine.units(tree);
  if (units.length === 0) return undefined;
  if (!tree.exists('/run/systemd/system'))
    throw new RuntError({
      code: 'ERR_INSTALL',
      message: `restart ${engine.title}: systemd does not run on this host`,
      hint: `restart ${engine.binary} as it was started, then run the command again without --restart`,
    });
  return inTree(tree, async (bus) => {
    // A unit may be loaded, since another one names it, and not run: each has a name, a load state and an active state.
    const [found] = await bus.call('ListUnitsByNames', 'as', [[...units]]);
    const active = (found as readonly (readonly Value[])[]).filter((unit) => runs.includes(unit[3]!));
    return units.find((name) => active.some(([of]) => of === name));
  });
}

/**
 * Makes an engine read its config; one that has failed is started.
 * @throws RuntError ERR_SYSTEMD; ERR_INSTALL if the unit did not start again
 */
export async function restart(tree: HostTree, { reloads }: Engine, unit: string): Promise<void> {
  const member = reloads ? 'ReloadOrRestartUnit' : 'RestartUnit';
  const result = await inTree(tree, (bus) => bus.job(member, 'ss', [unit, 'replace']));
  if (result === 'done' || result === 'gone') return;
  const hint = `run "journalctl -u ${unit}"`;
  throw new RuntError({ code: 'ERR_INSTALL', message: `restart ${unit}: the job ended as ${result}`, hint });
}

function inTree<T>(tree: HostTree, work: (bus: Bus) => Promise<T>): Promise<T> {
  const addresses = systemAddresses.map((address) => ({ ...address, path: tree.outer(address.path) }));
  return onBus(addresses, work, engineRunTime);
}
