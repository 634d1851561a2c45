/** Rules of `process`. */
import { capabilityNames, capabilityNumber, rlimitNames } from '../../sys/kernel-names.js';
import type { Capabilities, Process, Spec } from '../config-types.js';
import { type Findings, suggestion } from '../judge/findings.js';
import { listError } from '../number-list.js';

export function processRules(spec: Spec, findings: Findings): void {
  const process = spec.process;
  if (!process) return;
  const see = 'config.md#process';
  if (!process.args?.length) {
    findings.refuse('/process/args', process.args, 'have at least one entry, the program', see);
  } else if (process.args[0] === '') {
    findings.refuse('/process/args/0', '', 'name the program', see);
  }
  findings.absolute('/process/cwd', process.cwd, see);
  findings.environment('/process/env', process.env, see);
  userRules(process, findings);
  capabilityRules(process.capabilities, findings);
  rlimitRules(process, findings);
  schedulerRules(process, findings);
  for (const name of ['initial', 'final'] as const) {
    const list = process.execCPUAffinity?.[name];
    const error = list ? listError(list) : undefined;
    if (error) findings.refuse(`/process/execCPUAffinity/${name}`, list, error, see);
  }
}

function userRules(process: Process, findings: Findings): void {
  const see = 'config.md#posix-platform-user';
  const { user } = process;
  for (const name of ['uid', 'gid'] as const) {
    if (user?.[name] === undefined) findings.warn(`/process/user/${name}`, undefined, 'be given; 0 is assumed', see);
    else idRule(`/process/user/${name}`, user[name], findings, see);
  }
  user?.additionalGids?.forEach((gid, i) => {
    idRule(`/process/user/additionalGids/${i}`, gid, findings, see);
  });
  if (user?.umask !== undefined && user.umask > 0o777) {
    findings.refuse('/process/user/umask', user.umask, 'be at most 511 (0777)', see);
  }
}

/** 2^32-1 is -1 to setresuid(2) and setresgid(2), which then keep the runtime's id. */
function idRule(pointer: string, id: number, findings: Findings, see: string): void {
  if (id === 0xffffffff)
    findings.refuse(pointer, id, 'be below 4294967295, which the kernel reads as "no change"', see);
}

function capabilityRules(sets: Capabilities | undefined, findings: Findings): void {
  if (!sets) return;
  const see = 'config.md#linux-process';
  for (const name of ['bounding', 'effective', 'inheritable', 'permitted', 'ambient'] as const) {
    sets[name]?.forEach((capability, i) => {
      if (capabilityNumber(capability) !== undefined) return;
      // The spec requires a warning, not an error: an engine may use the capabilities of a newer kernel.
      const text = () => `be a capability: it is left out${suggestion(capability, capabilityNames())}`;
      findings.warn(`/process/capabilities/${name}/${i}`, capability, text, see);
    });
  }
  const permitted = new Set(sets.permitted);
  sets.effective?.forEach((capability, i) => {
    if (permitted.has(capability) || capabilityNumber(capability) === undefined) return;
    const expected = 'be in permitted too: an effective capability must be permitted';
    findings.refuse(`/process/capabilities/effective/${i}`, capability, expected, 'capabilities(7)');
  });
  // `runc spec` names ambient capabilities without any inheritable one.
  if (!sets.inheritable?.length) return;
  const inheritable = new Set(sets.inheritable);
  sets.ambient?.forEach((capability, i) => {
    if ((permitted.has(capability) && inheritable.has(capability)) || capabilityNumber(capability) === undefined)
      return;
    const expected = 'be in permitted and inheritable too: it is left out';
    findings.warn(`/process/capabilities/ambient/${i}`, capability, expected, 'capabilities(7)');
  });
}

function rlimitRules(process: Process, findings: Findings): void {
  const see = 'config.md#posix-process';
  const known = process.rlimits?.length ? rlimitNames() : [];
  const seen = new Map<string, number>();
  process.rlimits?.forEach(({ type, soft, hard }, i) => {
    const at = `/process/rlimits/${i}`;
    if (!known.includes(type)) {
      findings.refuse(`${at}/type`, type, () => `be a resource limit of Linux${suggestion(type, known)}`, see);
    }
    const first = seen.get(type);
    if (first !== undefined)
      findings.refuse(`${at}/type`, type, `occur once; /process/rlimits/${first} has it too`, see);
    else seen.set(type, i);
    if (soft > hard) findings.refuse(`${at}/soft`, soft, `be at most the hard limit, ${hard}`, 'getrlimit(2)');
  });
}

function schedulerRules(process: Process, findings: Findings): void {
  const scheduler = process.scheduler;
  if (!scheduler) return;
  const see = 'sched_setattr(2)';
  const { policy, priority = 0 } = scheduler;
  const realTime = policy === 'SCHED_FIFO' || policy === 'SCHED_RR';
  if (realTime ? priority < 1 || priority > 99 : priority !== 0) {
    const expected = realTime ? `be 1 to 99 for ${policy}` : `be 0 for ${policy}`;
    findings.refuse('/process/scheduler/priority', scheduler.priority, expected, see);
  }
  if (scheduler.nice && policy !== 'SCHED_OTHER' && policy !== 'SCHED_BATCH') {
    // As runc: the kernel ignores it for these policies.
    findings.warn('/process/scheduler/nice', scheduler.nice, `be absent for ${policy}: it is left out`, see);
  }
  const deadline = policy === 'SCHED_DEADLINE';
  for (const name of ['runtime', 'deadline', 'period'] as const) {
    if (scheduler[name] && !deadline) {
      findings.refuse(`/process/scheduler/${name}`, scheduler[name], `be absent for ${policy}`, see);
    }
  }
  if (!deadline) return;
  const { runtime = 0, deadline: due = 0, period = 0 } = scheduler;
  if (BigInt(runtime) === 0n) {
    findings.refuse('/process/scheduler/runtime', scheduler.runtime, 'be given for SCHED_DEADLINE', see);
  } else if (runtime > due || (BigInt(period) !== 0n && due > period)) {
    const expected = 'have runtime ≤ deadline ≤ period';
    findings.refuse('/process/scheduler', { runtime, deadline: due, period }, expected, see);
  }
}
