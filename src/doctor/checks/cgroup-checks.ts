/** Checks of cgroups: the layout, each controller by a container with a limit, the freezer and systemd. */
import { type CgroupFacts, readCgroupFacts } from '../../cgroup/cgroup-facts.js';
import { ownsSystemManager, systemAddresses, userAddresses } from '../../cgroup/systemd/bus-address.js';
import { openBus } from '../../cgroup/systemd/systemd-bus.js';
import { withoutRoot } from '../../container/launch/read-host-facts.js';
import { pause, resume } from '../../container/pause.js';
import { loadRecord } from '../../container/state/state-store.js';
import type { Resources } from '../../spec/config-types.js';
import { RuntError } from '../../sys/error.js';
import { exists, tryReadText } from '../../sys/fs.js';
import { doctorBusTime } from '../../sys/waiting/time-limits.js';
import { type Finding, findingOf } from '../check.js';
import type { TrialBed } from '../trial.js';

/** A limit of each controller, which any machine can give. */
const limits: Readonly<Record<string, () => Resources>> = {
  memory: () => ({ memory: { limit: 64 << 20 } }),
  cpu: () => ({ cpu: { shares: 512, quota: 50_000, period: 100_000 } }),
  cpuset: () => ({ cpu: { cpus: firstOf('Cpus_allowed_list'), mems: firstOf('Mems_allowed_list') } }),
  pids: () => ({ pids: { limit: 64 } }),
  devices: () => ({ devices: [{ allow: false, access: 'rwm' }] }),
};

/** Controllers that engines use only if a user asks for it. */
const optional = ['cpuset'];

/** The first number of a list in /proc/self/status (proc_pid_status(5)). */
const firstOf = (field: string): string =>
  new RegExp(`^${field}:\\s*(\\d+)`, 'm').exec(tryReadText('/proc/self/status') ?? '')?.[1] ?? '0';

export async function cgroupChecks(bed: TrialBed): Promise<[name: string, finding: Finding][]> {
  const facts = readCgroupFacts();
  const found: [string, Finding][] = [['layout', layoutFinding(facts)]];
  if (facts.layout === 'none') return found;
  const rootless = withoutRoot();
  // Without a delegated cgroup an ordinary user's container runs, but has no limits.
  const status = rootless ? 'warning' : 'failed';
  const remedy = rootless ? delegation(facts) : undefined;
  const own = await bed.finding(
    { cgroupManager: 'cgroupfs', during: checkCgroup },
    'a container has its own',
    status,
    remedy,
  );
  found.push(['cgroup', own]);
  if (own.status !== 'ok') return found;
  for (const [name, resources] of Object.entries(limits)) {
    if (rootless && name === 'devices') {
      found.push([name, { status: 'skipped', found: 'only root limits devices; others cannot make device nodes' }]);
      continue;
    }
    const trial = { cgroupManager: 'cgroupfs', linux: { resources: resources() } } as const;
    found.push([name, await bed.finding(trial, 'limits apply', optional.includes(name) ? 'warning' : status, remedy)]);
  }
  const freezes = async (container: { root: string; id: string }): Promise<void> => {
    await pause(container);
    await resume(container);
  };
  found.push([
    'freezer',
    await bed.finding({ cgroupManager: 'cgroupfs', during: freezes }, 'a container pauses', status, remedy),
  ]);
  found.push(['systemd', await systemdFinding(bed, facts)]);
  return found;
}

/** @throws RuntError ERR_CGROUP if the container is in its creator's cgroup */
async function checkCgroup({ root, id }: { root: string; id: string }): Promise<void> {
  if (loadRecord(root, id).cgroups.length > 0) return;
  const message = 'containers run without limits: this user may not make a cgroup below its own';
  throw new RuntError({ code: 'ERR_CGROUP', message });
}

function layoutFinding({ layout, v1, unified }: CgroupFacts): Finding {
  const controllers = [...v1.flatMap((h) => h.controllers), ...(unified?.controllers ?? [])];
  const version = { v1: 'cgroup v1', hybrid: 'cgroup v1, and v2 beside it (hybrid)', v2: 'cgroup v2', none: '' }[
    layout
  ];
  if (layout !== 'none') return { status: 'ok', found: `${version}: ${controllers.join(' ') || 'no controllers'}` };
  const remedy = 'run "mount -t cgroup2 cgroup2 /sys/fs/cgroup"; without cgroups, runt needs --cgroup-manager disabled';
  return { status: 'failed', found: 'no cgroup hierarchy is mounted', remedy, see: 'cgroups(7)' };
}

function delegation({ layout }: CgroupFacts): string {
  if (layout !== 'v2')
    return 'boot with systemd.unified_cgroup_hierarchy=1: only cgroup v2 is delegated to ordinary users';
  return 'set Delegate=cpu cpuset io memory pids in user@.service, or run in "systemd-run --user --scope -p Delegate=yes"';
}

/** Containers as scopes, which engines request with --systemd-cgroup. */
async function systemdFinding(bed: TrialBed, { layout }: CgroupFacts): Promise<Finding> {
  if (!exists('/run/systemd/system')) return { status: 'skipped', found: 'systemd does not run here: use cgroupfs' };
  const see = 'docs/systemd.md';
  try {
    const bus = await openBus(ownsSystemManager() ? systemAddresses : userAddresses(), doctorBusTime);
    bus.close();
  } catch (error) {
    return { ...findingOf(error, 'warning', 'use cgroupfs as the cgroup driver of the engine, or start dbus'), see };
  }
  if (layout !== 'v2')
    return { status: 'skipped', found: 'runt takes --systemd-cgroup on cgroup v2 only: use cgroupfs', see };
  const trial = { cgroupManager: 'systemd', linux: { resources: { pids: { limit: 64 } } } } as const;
  return { ...(await bed.finding(trial, 'a container is a scope', withoutRoot() ? 'warning' : 'failed')), see };
}
