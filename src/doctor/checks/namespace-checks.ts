/** Checks of namespaces, and of the settings that keep ordinary users from making user namespaces. */
import { hasOnlyV2 } from '../../cgroup/cgroup-facts.js';
import { withoutRoot } from '../../container/launch/read-host-facts.js';
import { defaultSpec } from '../../spec/default-config.js';
import { callerIds } from '../../sys/caller-ids.js';
import { tryReadText } from '../../sys/fs.js';
import type { Finding } from '../check.js';
import { rootTo, type TrialBed } from '../trial.js';

/** Switches that forbid user namespaces: the value that does, and what sets it back. */
const switches = [
  { name: 'user.max_user_namespaces', forbids: '0', allow: 'user.max_user_namespaces=15000' },
  { name: 'kernel.unprivileged_userns_clone', forbids: '0', allow: 'kernel.unprivileged_userns_clone=1' },
  {
    name: 'kernel.apparmor_restrict_unprivileged_userns',
    forbids: '1',
    allow: 'kernel.apparmor_restrict_unprivileged_userns=0',
  },
] as const;

/** The first switch that forbids user namespaces: max_user_namespaces to everybody, the others to ordinary users. */
export function forbidding(): { readonly name: string; readonly remedy: string } | undefined {
  for (const entry of switches) {
    const value = tryReadText(`/proc/sys/${entry.name.replaceAll('.', '/')}`)?.trim();
    if (value !== entry.forbids) continue;
    return {
      name: `${entry.name} = ${value}`,
      remedy: `run "sysctl -w ${entry.allow}", and write the line into /etc/sysctl.d/runt.conf`,
    };
  }
  return undefined;
}

export async function namespaceChecks(bed: TrialBed): Promise<[name: string, finding: Finding][]> {
  const rootless = withoutRoot();
  const { uid, gid } = callerIds();
  const { namespaces = [] } = defaultSpec({ rootless, uid, gid, cgroupV2: hasOnlyV2() }).linux!;
  const found: [string, Finding][] = [];
  const forbidden = forbidding();
  for (const type of ['user', 'time', 'cgroup', 'network'] as const) {
    const others = namespaces.filter((namespace) => namespace.type !== type);
    const maps = type === 'user' ? { uidMappings: rootTo(uid), gidMappings: rootTo(gid) } : {};
    // In its user namespace, an ordinary user may make all others.
    const status = type === 'user' ? 'failed' : 'warning';
    const remedy = type === 'user' ? forbidden?.remedy : undefined;
    found.push([
      type,
      await bed.finding({ linux: { namespaces: [...others, { type }], ...maps } }, 'works', status, remedy),
    ]);
  }
  if (rootless) return found;
  const finding: Finding = forbidden
    ? {
        status: 'warning',
        found: `${forbidden.name}: only root has rootless containers`,
        remedy: forbidden.remedy,
        see: 'docs/rootless.md',
      }
    : { status: 'ok', found: 'no sysctl forbids user namespaces to ordinary users' };
  return [...found, ['ordinary-users', finding]];
}
