/** Checks of an ordinary user's subordinate ids, by a container that has two of them (subuid(5)). */
import { readHostFacts, withoutRoot } from '../../container/launch/read-host-facts.js';
import { callerIds } from '../../sys/caller-ids.js';
import { tryReadText } from '../../sys/fs.js';
import type { Finding } from '../check.js';
import type { TrialBed } from '../trial.js';

/** The first range of a user in the text of /etc/subuid or /etc/subgid. @param owners its name and its uid */
export function firstRange(
  text: string,
  owners: readonly string[],
): { readonly start: number; readonly size: number } | undefined {
  for (const line of text.split('\n')) {
    const [owner = '', start = '', size = ''] = line.split(':');
    if (owners.includes(owner) && /^\d+$/.test(start) && /^\d+$/.test(size) && size !== '0')
      return { start: Number(start), size: Number(size) };
  }
  return undefined;
}

export async function idChecks(bed: TrialBed): Promise<[name: string, finding: Finding][]> {
  if (!withoutRoot()) return [['subordinate', { status: 'skipped', found: 'root maps any ids, without /etc/subuid' }]];
  const { uid, gid } = callerIds();
  const facts = readHostFacts();
  const see = 'docs/rootless.md';
  const missing = [facts.newuidmap || 'newuidmap', facts.newgidmap || 'newgidmap'].filter(
    (path) => !path.startsWith('/'),
  );
  if (missing.length > 0) {
    const found = `${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} missing: a container has one id only`;
    return [
      ['helpers', { status: 'warning', found, remedy: 'run "apt-get install uidmap", or install shadow-utils', see }],
    ];
  }
  const checks: [string, Finding][] = [['helpers', { status: 'ok', found: `${facts.newuidmap}, ${facts.newgidmap}` }]];
  const name = new RegExp(`^([^:\\n]*):[^:\\n]*:${uid}:`, 'm').exec(tryReadText('/etc/passwd') ?? '')?.[1];
  const owners = [String(uid), ...(name ? [name] : [])];
  const users = firstRange(tryReadText('/etc/subuid') ?? '', owners);
  const groups = firstRange(tryReadText('/etc/subgid') ?? '', owners);
  if (!users || !groups) {
    const remedy = `run "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${name ?? uid}" as root`;
    const found = `${users ? '' : '/etc/subuid '}${users || groups ? '' : 'and '}${groups ? '' : '/etc/subgid '}`;
    return [
      ...checks,
      ['ranges', { status: 'warning', found: `${found}without a range for ${name ?? uid}`, remedy, see }],
    ];
  }
  checks.push([
    'ranges',
    { status: 'ok', found: `${users.size} uids from ${users.start}, ${groups.size} gids from ${groups.start}` },
  ]);
  const map = (own: number, first: number) => [
    { containerID: 0, hostID: own, size: 1 },
    { containerID: 1, hostID: first, size: 1 },
  ];
  const linux = { uidMappings: map(uid, users.start), gidMappings: map(gid, groups.start) };
  const setuid = `run "chmod u+s ${facts.newuidmap} ${facts.newgidmap}" as root, and remount their file system without nosuid`;
  return [
    ...checks,
    ['subordinate', { ...(await bed.finding({ linux }, 'a container has two ids', 'warning', setuid)), see }],
  ];
}
