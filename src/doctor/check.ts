/** A check of `runt doctor`: one thing that was tried, and what came of it. */
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';

/** The classes of checks, in the order of the report. */
export const checkClasses = [
  'kernel',
  'container',
  'cgroups',
  'namespaces',
  'ids',
  'security',
  'mounts',
  'state',
  'engines',
] as const;
export type CheckClass = (typeof checkClasses)[number];

/**
 * `ok`: it works. `warning`: something optional is missing, and containers run without it. `failed`: containers or an
 * engine need it. `skipped`: it does not apply here.
 */
type CheckStatus = 'ok' | 'warning' | 'failed' | 'skipped';

export interface Check {
  readonly class: CheckClass;
  /** Name within the class; stable, for scripts. */
  readonly name: string;
  readonly status: CheckStatus;
  /** What was found, or the error. */
  readonly found: string;
  /** What to do: a command, or a sentence that begins with a verb. */
  readonly remedy?: string;
  /** Page or manual page. */
  readonly see?: string;
}

/** What a check found, without its class and name. */
export type Finding = Omit<Check, 'class' | 'name'>;

/** The finding of a failure: its sentence, without the trial's own command and id, and its hint. */
export function findingOf(error: unknown, status: CheckStatus, remedy?: string): Finding {
  if (!(error instanceof RuntError)) return { status, found: String(error), ...(remedy && { remedy }) };
  if (error.code === 'ERR_INTERRUPTED') throw error;
  const found = error.message.replace(/^(?:create|start|pause|resume) \S+: /, '');
  const advice = remedy ?? error.hint;
  return { status, found, ...(advice && { remedy: advice }), ...(error.see && { see: error.see }) };
}

/** The finding of a native call. ENOSYS alone means that the kernel lacks it. @param result ≥ 0 or -errno */
export function callFinding(result: number, name: string, allowed: readonly number[] = []): Finding {
  if (result >= 0 || allowed.includes(-result)) return { status: 'ok', found: 'works' };
  const missing = -result === E.ENOSYS;
  return {
    status: 'warning',
    found: missing
      ? 'missing: an old kernel, a sandbox or a seccomp filter'
      : new RuntError({ ...call(name), errno: -result }).message,
    remedy: 'allow the call in the seccomp profile around runt, or use Linux 5.10 or newer; runt does without it',
    see: 'docs/security.md#missing-system-calls',
  };
}

const call = (name: string) => ({ code: 'ERR_IO', message: `call ${name}`, syscall: name });
