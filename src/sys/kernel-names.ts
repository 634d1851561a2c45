/** Names of the kernel's numbers: capabilities, resource limits, signals, scheduling policies. */

// Names in the order of their numbers: capabilities (capability.h), resource limits (resource.h), signals (signal.h).
// One string each, which takes less time at start than an object; split on first use.
const CAPABILITIES =
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE ' +
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN ' +
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE ' +
  'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE';
const RLIMITS = 'CPU FSIZE DATA STACK CORE RSS NPROC NOFILE MEMLOCK AS LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME';
const SIGNALS =
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU ' +
  'XFSZ VTALRM PROF WINCH IO PWR SYS';

const list = (prefix: string, names: string): string[] => names.split(' ').map((name) => prefix + name);

/** `process.scheduler.policy`: each at the index of its number (sched.h). No kernel implements SCHED_ISO. */
export const schedulerPolicies = (): string[] => list('SCHED_', 'OTHER FIFO RR BATCH ISO IDLE DEADLINE');
/** `process.scheduler.flags`: each at the index of its bit. */
export const schedulerFlags = (): string[] =>
  list('SCHED_FLAG_', 'RESET_ON_FORK RECLAIM DL_OVERRUN KEEP_POLICY KEEP_PARAMS UTIL_CLAMP_MIN UTIL_CLAMP_MAX');
/** `process.ioPriority.class`: each at the index of its number (ioprio.h). */
export const ioPriorityClasses = (): string[] => list('IOPRIO_CLASS_', 'NONE RT BE IDLE');
/** `linux.memoryPolicy.mode`: each at the index of its number (mempolicy.h). */
export const memoryPolicyModes = (): string[] =>
  list('MPOL_', 'DEFAULT PREFERRED BIND INTERLEAVE LOCAL PREFERRED_MANY WEIGHTED_INTERLEAVE');
/** `linux.memoryPolicy.flags`: bits from 13 on. */
export const memoryPolicyFlags = (): string[] => list('MPOL_F_', 'NUMA_BALANCING RELATIVE_NODES STATIC_NODES');

/** Names of the capabilities (`CAP_…`): each at the index of its number. */
export function capabilityNames(): string[] {
  return CAPABILITIES.split(' ').map((name) => `CAP_${name}`);
}

const capabilityNumbers: ReadonlyMap<string, number> = new Map(capabilityNames().map((name, i) => [name, i]));

/** Number of a capability by its name in upper case, `CAP_CHOWN` → 0; undefined for an unknown name. */
export function capabilityNumber(name: string): number | undefined {
  return capabilityNumbers.get(name);
}

/** Names of the resource limits (`RLIMIT_…`): each at the index of its number. */
export function rlimitNames(): string[] {
  return RLIMITS.split(' ').map((name) => `RLIMIT_${name}`);
}

/** Number of a resource limit by its name, `RLIMIT_NOFILE` → 7; undefined for an unknown name. */
export function rlimitNumber(name: string): number | undefined {
  const i = rlimitNames().indexOf(name);
  return i < 0 ? undefined : i;
}

/** Names of the signals without `SIG`; the index is the number minus one. */
export function signalNames(): string[] {
  return SIGNALS.split(' ');
}

/** The lowest and highest real-time signals for programs; glibc reserves 32 and 33, musl also 34. */
export const SIGRTMIN = 34;
const SIGRTMAX = 64;

/**
 * Number of a signal in the notation of kill(1) and engines: `9`, `KILL`, `SIGKILL`, `sigkill`, `RTMIN+3`,
 * `SIGRTMAX-2`; undefined for an unknown signal. 0 is not a signal.
 */
export function signalNumber(text: string): number | undefined {
  if (/^[0-9]{1,3}$/.test(text)) {
    const n = Number(text);
    return n >= 1 && n <= SIGRTMAX ? n : undefined;
  }
  let name = text.toUpperCase();
  if (name.startsWith('SIG')) name = name.slice(3);
  const aliases: Record<string, string> = { IOT: 'ABRT', POLL: 'IO', CLD: 'CHLD', UNUSED: 'SYS' };
  const i = signalNames().indexOf(Object.hasOwn(aliases, name) ? aliases[name]! : name);
  if (i >= 0) return i + 1;
  const rt = /^RT(MIN|MAX)(?:([+-])([0-9]{1,2}))?$/.exec(name);
  if (!rt) return undefined;
  if (rt[2] !== undefined && (rt[1] === 'MIN') !== (rt[2] === '+')) return undefined;
  const n = rt[1] === 'MIN' ? SIGRTMIN + Number(rt[3] ?? 0) : SIGRTMAX - Number(rt[3] ?? 0);
  return n >= SIGRTMIN && n <= SIGRTMAX ? n : undefined;
}

/** Name of a signal with `SIG`, for messages: 9 → `SIGKILL`, 37 → `SIGRTMIN+3`. */
export function signalName(number: number): string {
  if (number >= SIGRTMIN && number <= SIGRTMAX) {
    return number === SIGRTMIN ? 'SIGRTMIN' : `SIGRTMIN+${number - SIGRTMIN}`;
  }
  const name = signalNames()[number - 1];
  return name === undefined ? `signal ${number}` : `SIG${name}`;
}
