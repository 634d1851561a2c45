/** `runt doctor`: what of this machine does not work for containers of runt, each with its remedy. */
import { withoutRoot } from '../container/launch/read-host-facts.js';
import { now } from '../sys/waiting/loop.js';
import { type Check, type CheckClass, type Finding, findingOf } from './check.js';
import { cgroupChecks } from './checks/cgroup-checks.js';
import { engineChecks } from './checks/engine-checks.js';
import { idChecks } from './checks/id-checks.js';
import { kernelChecks } from './checks/kernel-checks.js';
import { mountChecks } from './checks/mount-checks.js';
import { forbidding, namespaceChecks } from './checks/namespace-checks.js';
import { securityChecks } from './checks/security-checks.js';
import { stateChecks } from './checks/state-checks.js';
import { TrialBed } from './trial.js';

/**
 * All checks, in the order of their classes. They create containers in a directory of their own, and delete them.
 * @param root the state root of this call, if it has one
 * @throws RuntError ERR_INTERRUPTED
 */
export async function examine(root: string | undefined): Promise<Check[]> {
  const checks: Check[] = [];
  const add = async (of: CheckClass, work: () => Promise<[string, Finding][]> | [string, Finding][]): Promise<void> => {
    try {
      for (const [name, finding] of await work()) checks.push({ class: of, name, ...finding });
    } catch (error) {
      checks.push({ class: of, name: 'all', ...findingOf(error, 'failed') });
    }
  };
  await add('kernel', kernelChecks);
  let bed: TrialBed | undefined;
  await add('container', () => {
    bed = TrialBed.open();
    return [];
  });
  if (bed) {
    const trials = bed;
    try {
      await add('container', async () => [['plain', await plainFinding(trials)]]);
      const starts = checks.every(({ class: of, status }) => of !== 'container' || status !== 'failed');
      const inContainers = [
        ['cgroups', cgroupChecks],
        ['namespaces', namespaceChecks],
        ['ids', idChecks],
        ['security', securityChecks],
        ['mounts', mountChecks],
      ] as const;
      for (const [of, work] of inContainers) {
        // Each would fail for the same reason.
        if (starts) await add(of, () => work(trials));
        else await add(of, () => [['all', { status: 'skipped', found: 'not tried, because no container starts' }]]);
      }
    } finally {
      await add('container', () => {
        trials.close();
        return [];
      });
    }
  }
  await add('state', () => stateChecks(root));
  await add('engines', engineChecks);
  return checks;
}

/** A container without cgroup and seccomp filter. */
async function plainFinding(bed: TrialBed): Promise<Finding> {
  const from = now();
  const remedy = withoutRoot() ? forbidding()?.remedy : undefined;
  const finding = await bed.finding({}, 'created, started and deleted', 'failed', remedy);
  return finding.status === 'ok' ? { ...finding, found: `${finding.found} in ${now() - from} ms` } : finding;
}

/** The classes with a failed check, in the order of the report. */
export const failedClasses = (checks: readonly Check[]): CheckClass[] => [
  ...new Set(checks.filter(({ status }) => status === 'failed').map((check) => check.class)),
];
