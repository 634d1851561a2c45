/** Hooks in the runtime's namespaces: prestart, createRuntime, poststart, poststop (config.md#posix-platform-hooks). */

import { entriesOf, type Plan } from '../../plan/op-list.js';
import { hooksStderr, hooksStdout } from '../../spec/annotation-names.js';
import type { Hook, HookName, Spec } from '../../spec/config-types.js';
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { fdPair } from '../../sys/fds.js';
import { callApart, host, native } from '../../sys/host.js';
import { SIGKILL } from '../../sys/linux.js';
import { nulList } from '../../sys/nul-list.js';
import type { Span } from '../../sys/protocol.js';
import { forget, now, readable, readableOrPolled } from '../../sys/waiting/loop.js';
import { slowHookTime } from '../../sys/waiting/time-limits.js';
import { environment } from '../environment.js';
import { endOf } from '../launch/child-end.js';
import { openHookFile } from '../launch/handlers/slot-handler.js';
import type { ContainerRecord, Status } from '../state/state-store.js';
import { type HookEnd, type HookPosition, hookAt, hookError, slowHookWarning } from './hook-failure.js';

/** The state on a hook's stdin (runtime.md#state), with runc's fields. */
interface HookState {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: Status;
  /** Pid in the runtime's pid namespace; absent when stopped. */
  readonly pid?: number;
  readonly bundle: string;
  readonly annotations?: { readonly [key: string]: string };
}

/** Number of stored bytes: the end of a hook's output. */
const tailSize = 4096;
/** Receives a warning. */
type Warn = (sentence: string) => void;

/** The state of a container for its hooks. */
export function hookState(record: ContainerRecord, status: Status): HookState {
  const { ociVersion, id, pid, bundle, annotations } = record;
  return { ociVersion, id, status, ...(status !== 'stopped' && { pid }), bundle, ...(annotations && { annotations }) };
}

/**
 * Runs hooks one after the other until one fails.
 * @param point its name in `hooks`, "createRuntime"
 * @throws RuntError ERR_HOOK, ERR_HOOK_TIMEOUT
 */
export async function runHooks(
  command: string,
  point: HookName,
  hooks: readonly Hook[] | undefined,
  state: HookState,
  warn: Warn,
): Promise<void> {
  for (const [i, hook] of (hooks ?? []).entries()) await runHook(command, { point, index: i }, hook, state, warn);
}

/** Runs the prestart and createRuntime hooks of a plan, in its order. @returns their spans, if traced */
export async function runPlanHooks(
  command: string,
  plan: Plan,
  spec: Spec,
  state: HookState,
  trace: boolean,
  warn: Warn,
): Promise<Span[]> {
  const spans: Span[] = [];
  for (const [index, op] of entriesOf(plan.ops).entries()) {
    if (typeof op === 'number' || op.op !== 'hostHook') continue;
    const position = { point: op.point, index: Number(op.index) };
    const hook = hookAt(spec.hooks, position);
    if (!hook || (op.point !== 'prestart' && op.point !== 'createRuntime')) continue;
    const start = trace ? native.monotonic() : 0n;
    await runHook(command, position, hook, state, warn);
    if (trace) spans.push({ index, start, end: native.monotonic() });
  }
  return spans;
}

/**
 * Runs one hook to its end: in the bundle's directory, in a new session, with the state on stdin. Without `env` it has
 * the runtime's environment, as with runc and crun. It may ignore its stdin, write any amount, and leave descendants
 * with its descriptors: none of these blocks the runtime.
 */
export async function runHook(
  command: string,
  position: HookPosition,
  hook: Hook,
  state: HookState,
  warn: Warn,
): Promise<void> {
  const what = `${command} ${state.id}`;
  const started = now();
  const failure = (facts: Pick<HookEnd, 'how' | 'number' | 'errno'>, printed?: HookOutput): RuntError =>
    hookError(what, position, hook, { ms: now() - started, ...(printed ?? { stream: '', output: '' }), ...facts });
  const failed = `${what}: error running ${position.point} hook #${position.index}`;
  const input = openStateFile(state, failed);
  const outputs: OutputStream[] = [];
  let pidfd = -1;
  try {
    for (const output of [hooksStdout, hooksStderr]) outputs.push(new OutputStream(output, state.annotations, failed));
    const [out, err] = outputs as [OutputStream, OutputStream];
    const args = hook.args?.length ? hook.args : [hook.path];
    const pidfdOut = new Uint8Array(8);
    const pid = await callApart(
      'spawnHook',
      hook.path,
      nulList(args),
      nulList(hook.env ?? environment()),
      state.bundle,
      input,
      out.theirs,
      err.theirs,
      pidfdOut,
    );
    if (pid < 0) throw failure({ how: 'exec', number: 0, errno: -pid });
    pidfd = new DataView(pidfdOut.buffer).getInt32(0, true);
    const listening = [out.listen(), err.listen()];
    const seconds = Number(hook.timeout ?? 0);
    const limit = seconds > 0 ? seconds * 1000 : Number.POSITIVE_INFINITY;
    let ended = false;
    let interruption: unknown;
    try {
      ended = await readableOrPolled(pidfd, Math.min(limit, slowHookTime));
      if (!ended && limit > slowHookTime) {
        warn(slowHookWarning(what, position, hook));
        ended = await readableOrPolled(pidfd, limit - slowHookTime);
      }
    } catch (error) {
      interruption = error;
    }
    // Before it is reaped: until then its pid and its process group's are not reused.
    if (!ended) native.signalGroup(pid, SIGKILL);
    if (!ended) await readableOrPolled(pidfd);
    if (!ended) native.signalGroup(pid, SIGKILL);
    const end = endOf(pidfd);
    out.stop();
    err.stop();
    await Promise.all(listening);
    if (interruption) throw interruption;
    const printed =
      err.text || !out.text ? { stream: 'stderr', output: err.text } : { stream: 'stdout', output: out.text };
    if (!ended) throw failure({ how: 'timeout', number: seconds }, printed);
    if (end.signal) throw failure({ how: 'signal', number: end.signal }, printed);
    if (end.status) throw failure({ how: 'exit', number: end.status }, printed);
  } finally {
    native.close(input);
    if (pidfd >= 0) native.close(pidfd);
    for (const output of outputs) output.close();
  }
}

type HookOutput = Pick<HookEnd, 'stream' | 'output'>;

/** One output stream of a hook. */
class OutputStream {
  readonly theirs: number;
  private readonly ours: number;
  private tail = new Uint8Array(0);
  private isStopped = false;

  /**
   * A pipe, or the file in an annotation; then the runtime does not read it.
   * @param failed begins the message of an error
   */
  constructor(name: string, annotations: HookState['annotations'], failed: string) {
    const path = annotations?.[name];
    if (path !== undefined) {
      this.ours = -1;
      const facts = {
        code: 'ERR_HOOK',
        message: `open ${path} for the output of hooks`,
        path,
        pointer: `/annotations/${name}`,
      };
      this.theirs = check(path.startsWith('/') ? openHookFile(path) : -E.EINVAL, { ...facts, syscall: 'open' });
      return;
    }
    const ends = new Uint8Array(16);
    const r = native.pipe(ends);
    if (r < 0) throw new RuntError({ code: 'ERR_IO', message: `${failed}: make a pipe`, errno: -r, syscall: 'pipe2' });
    [this.ours, this.theirs] = fdPair(ends);
  }

  /** Reads until every writer has closed it, or `stop` is called. */
  async listen(): Promise<void> {
    const chunk = new Uint8Array(tailSize);
    while (this.ours >= 0) {
      const n = native.read(this.ours, chunk);
      if (n > 0) {
        const all = new Uint8Array(this.tail.length + n);
        all.set(this.tail);
        all.set(chunk.subarray(0, n), this.tail.length);
        this.tail = all.subarray(Math.max(0, all.length - tailSize));
      } else if (n !== -E.EAGAIN || this.isStopped) return;
      // An interrupted wait means that the hook is killed too.
      else await readable(this.ours).catch(() => this.stop());
    }
  }

  /** The hook has ended: read what has arrived, and do not wait for more. */
  stop(): void {
    this.isStopped = true;
    if (this.ours >= 0) forget(this.ours);
  }

  get text(): string {
    return host.decodeRaw(this.tail, this.tail.length);
  }

  close(): void {
    if (this.ours >= 0) native.close(this.ours);
    native.close(this.theirs);
  }
}

/** A sealed file with the state. @param failed begins the message of an error */
function openStateFile(state: HookState, failed: string): number {
  const fd = native.sealedFile(host.encode(JSON.stringify(state)));
  if (fd < 0) throw new RuntError({ code: 'ERR_IO', message: `${failed}: write the state`, errno: -fd });
  return fd;
}
