/** Rules of `linux.seccomp` and `linux.personality`. */

import type { Spec } from '../config-types.js';
import type { Findings } from '../judge/findings.js';
import type { SeccompRule } from '../linux-types.js';

const SEE = 'config-linux.md#seccomp';

export function seccompRules(spec: Spec, findings: Findings): void {
  const flags = spec.linux?.personality?.flags;
  if (flags?.length) {
    findings.refuse(
      '/linux/personality/flags',
      flags,
      'be empty: the runtime-spec defines no flags',
      'config-linux.md#personality',
    );
  }
  const seccomp = spec.linux?.seccomp;
  if (!seccomp) return;
  const at = '/linux/seccomp';
  const { defaultAction, listenerPath } = seccomp;
  if (defaultAction === 'SCMP_ACT_NOTIFY') {
    // The agent could never answer: the call that sends it the descriptor would itself wait for the agent.
    findings.refuse(`${at}/defaultAction`, defaultAction, 'not be SCMP_ACT_NOTIFY', SEE);
  }
  const { defaultErrnoRet, syscalls = [] } = seccomp;
  if (defaultErrnoRet !== undefined) errnoRule(`${at}/defaultErrnoRet`, defaultErrnoRet, defaultAction, findings);
  // Loops, and pointers only by need: a profile may have thousands of rules.
  for (let i = 0; i < syscalls.length; i++) {
    const rule = syscalls[i] as SeccompRule;
    const { names, errnoRet } = rule;
    if (errnoRet !== undefined) errnoRule(`${at}/syscalls/${i}/errnoRet`, errnoRet, rule.action, findings);
    if (rule.action === 'SCMP_ACT_NOTIFY' && !listenerPath) {
      const expected = 'come with /linux/seccomp/listenerPath, the socket of the agent';
      findings.refuse(`${at}/syscalls/${i}/action`, rule.action, expected, SEE);
    }
    for (let j = names.indexOf(''); j >= 0; j = names.indexOf('', j + 1)) {
      findings.refuse(`${at}/syscalls/${i}/names/${j}`, '', 'name a system call', SEE);
    }
  }
  if (listenerPath) findings.absolute(`${at}/listenerPath`, listenerPath, SEE);
  if (seccomp.listenerMetadata && !listenerPath) {
    findings.refuse(`${at}/listenerMetadata`, seccomp.listenerMetadata, 'be absent without listenerPath', SEE);
  }
}

function errnoRule(at: string, errno: number, action: string, findings: Findings): void {
  if (action !== 'SCMP_ACT_ERRNO' && action !== 'SCMP_ACT_TRACE') {
    findings.refuse(at, errno, `be absent for ${action}, which returns no errno`, SEE);
    return;
  }
  // libseccomp refuses an errno from the kernel's MAX_ERRNO, 4095, on. A tracer receives all 16 bits of the data.
  const max = action === 'SCMP_ACT_ERRNO' ? 4094 : 0xffff;
  if (errno > max) findings.refuse(at, errno, `be at most ${max} for ${action}`, 'seccomp_rule_add(3), seccomp(2)');
}
