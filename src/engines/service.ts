/** Restart of an engine by systemd, whose sockets are in the host's tree. */
import { systemAddresses } from '../cgroup/systemd/bus-address.js';
import { BusError, onBus } from '../cgroup/systemd/systemd-bus.js';
import { RuntError } from '../sys/error.js';
import { engineRunTime } from '../sys/waiting/time-limits.js';
import type { Engine } from './engine.js';
import type { HostTree } from './host-tree.js';

/**
 * Makes a running engine read its config.
 * @returns the unit, or undefined if none of the engine's units is active
 * @throws RuntError ERR_SYSTEMD; ERR_INSTALL without systemd, or if the unit did not start again
 */
export async function restart(tree: HostTree, engine: Engine): Promise<string | undefined> {
  if (engine.units.length === 0) return undefined;
  if (!tree.exists('/run/systemd/system'))
    throw new RuntError({
      code: 'ERR_INSTALL',
      message: `restart ${engine.title}: systemd does not run on this host`,
      hint: `restart ${engine.binary} as it was started; its config is written`,
    });
  const addresses = systemAddresses.map((address) => ({ ...address, path: tree.outer(address.path) }));
  return onBus(
    addresses,
    async (bus) => {
      for (const unit of engine.units) {
        try {
          await bus.call('GetUnit', 's', [unit]);
        } catch (error) {
          if (error instanceof BusError && error.busError === 'org.freedesktop.systemd1.NoSuchUnit') continue;
          throw error;
        }
        const result = await bus.job(engine.reloads ? 'ReloadOrRestartUnit' : 'TryRestartUnit', 'ss', [
          unit,
          'replace',
        ]);
        if (result === 'done' || result === 'gone') return unit;
        const hint = `run "journalctl -u ${unit}"; "runt install --undo" puts the config back`;
        throw new RuntError({ code: 'ERR_INSTALL', message: `restart ${unit}: the job ended as ${result}`, hint });
      }
      return undefined;
    },
    engineRunTime,
  );
}
