/** Checks of seccomp, and of the security modules of the kernel. */
import { readHostFacts } from '../../container/launch/read-host-facts.js';
import { tryReadText } from '../../sys/fs.js';
import { SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV } from '../../sys/linux.js';
import { knowsFilterFlags, libseccompVersion } from '../../sys/seccomp/seccomp-support.js';
import type { Finding } from '../check.js';
import type { TrialBed } from '../trial.js';

export async function securityChecks(bed: TrialBed): Promise<[name: string, finding: Finding][]> {
  const seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['kexec_load'], action: 'SCMP_ACT_ERRNO' }],
  };
  const works = `a filter of libseccomp ${libseccompVersion()} is loaded`;
  const remedy = 'use a kernel with CONFIG_SECCOMP_FILTER, and allow seccomp(2) in the profile around runt';
  const found: [string, Finding][] = [['seccomp', await bed.finding({ linux: { seccomp } }, works, 'failed', remedy)]];
  found.push(['seccomp-notify', notifyFinding()]);
  const facts = readHostFacts();
  found.push(['apparmor', await appArmorFinding(bed, facts.apparmor())]);
  found.push(['selinux', await selinuxFinding(bed, facts.selinux())]);
  found.push(['landlock', landlockFinding()]);
  return found;
}

function notifyFinding(): Finding {
  if (!knowsFilterFlags(SECCOMP_FILTER_FLAG_NEW_LISTENER))
    return {
      status: 'warning',
      found: 'no seccomp agents: the kernel has no SCMP_ACT_NOTIFY',
      remedy: 'use Linux 5.0 or newer',
    };
  const killable = knowsFilterFlags(SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
  return {
    status: 'ok',
    found: killable ? 'seccomp agents work' : 'seccomp agents work, without WAIT_KILLABLE_RECV (Linux 5.19)',
  };
}

async function appArmorFinding(bed: TrialBed, enabled: boolean): Promise<Finding> {
  if (!enabled) return { status: 'skipped', found: 'not enabled: apparmorProfile has no effect here' };
  const remedy = 'mount securityfs, and load the profile of the engine with apparmor_parser';
  return bed.finding({ process: { apparmorProfile: 'unconfined' } }, 'a profile applies', 'failed', remedy);
}

async function selinuxFinding(bed: TrialBed, enabled: boolean): Promise<Finding> {
  if (!enabled)
    return { status: 'skipped', found: 'not enabled, or without a policy: selinuxLabel has no effect here' };
  const own = (tryReadText('/proc/self/attr/current') ?? '').replace(/[\0\n]+$/, '');
  const mode = (tryReadText('/sys/fs/selinux/enforce') ?? '').trim() === '1' ? 'enforcing' : 'permissive';
  const remedy = 'install container-selinux, which has the policy for containers';
  return bed.finding({ process: { selinuxLabel: own } }, `${mode}: a label applies`, 'warning', remedy);
}

/** runt makes no rules of Landlock; a process of a container may. */
function landlockFinding(): Finding {
  const modules = tryReadText('/sys/kernel/security/lsm');
  if (modules === undefined) return { status: 'skipped', found: 'not known: securityfs is not mounted' };
  const has = modules.trim().split(',').includes('landlock');
  return {
    status: has ? 'ok' : 'skipped',
    found: `${has ? 'there for programs in containers' : 'not enabled'} (modules: ${modules.trim()})`,
  };
}
