/** `hooks` → operations: hooks of runt-init, and its waits for the runtime's hooks (config.md#posix-platform-hooks). */
import type { Hook, Hooks, Spec } from '../../spec/config-types.js';
import { parseSeconds } from '../../sys/duration.js';
import { RuntError } from '../../sys/error.js';
import { host } from '../../sys/host.js';
import type { CompileOptions } from '../host-facts.js';
import { hasMountNamespace } from '../namespaces/namespace-compile.js';
import type { Op } from '../plan-ops.js';
import { rootfsPath } from '../root/root-compile.js';

/** The hooks that run after create; saved in the state, because the bundle may change. */
export type RecordedHooks = Pick<Hooks, 'startContainer' | 'poststart' | 'poststop'>;

const timeoutVariable = 'RUNT_HOOK_TIMEOUT';

/**
 * Seconds after which a hook without `timeout` is killed: `requested`, else RUNT_HOOK_TIMEOUT, else 600. 0 means no
 * limit.
 * @throws RuntError ERR_USAGE
 */
function hookTimeout(requested?: number): number {
  const text = host.env[timeoutVariable];
  if (requested !== undefined || !text) return requested ?? 600;
  const seconds = parseSeconds(text);
  if (seconds !== undefined) return seconds;
  throw new RuntError({
    code: 'ERR_USAGE',
    message: `${timeoutVariable} must be a duration in whole seconds, such as 90s or 10m, not ${JSON.stringify(text)}`,
  });
}

/** A hook, and whether its timeout is not of the config: errors show the config's value. */
interface LimitedHook extends Hook {
  defaultTimeout?: true;
}

/** The value at a pointer below `/hooks`, without timeouts that `withHookTimeouts` added. */
export function asConfigured(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asConfigured);
  if (typeof value !== 'object' || value === null || !('defaultTimeout' in value)) return value;
  const { timeout: _timeout, defaultTimeout: _default, ...hook } = value as LimitedHook;
  return hook;
}

/**
 * The spec with a timeout for each hook: a hook that hangs must not block the engine for ever.
 * @param requested seconds for hooks without one; if absent, RUNT_HOOK_TIMEOUT, else 600; 0 means no limit
 * @throws RuntError ERR_USAGE
 */
export function withHookTimeouts(spec: Spec, requested?: number): Spec {
  const seconds = hookTimeout(requested);
  if (!spec.hooks) return spec;
  const limited = Object.entries(spec.hooks).map(([point, hooks]: [string, Hook[] | undefined]) => [
    point,
    hooks?.map(
      (hook): LimitedHook => (hook.timeout === undefined ? { ...hook, timeout: seconds, defaultTimeout: true } : hook),
    ),
  ]);
  return { ...spec, hooks: Object.fromEntries(limited) };
}

/**
 * Before the switch of root, after all mounts: the runtime's hooks, then createContainer's. A mount that they make on a
 * mount is accepted as that mount; without hooks the check after the last mount is enough.
 */
export function createHookOps(spec: Spec, options: CompileOptions): Op[] {
  const { hooks } = spec;
  if (!hooks) return [];
  const first = (['prestart', 'createRuntime', 'createContainer'] as const).find((name) => hooks[name]?.length);
  // With only startContainer hooks, wait only for the pid.
  if (!first) return hooks.startContainer?.length ? [{ op: 'awaitHooks', at: '/hooks/startContainer' }] : [];
  // Without a mount namespace the path is the host's, and the host must not see the mounts.
  const show = hasMountNamespace(spec);
  return [
    ...(show ? [{ op: 'showRoot', at: `/hooks/${first}`, path: rootfsPath(spec, options.bundle) } as const] : []),
    ...hostHookOps(spec, 'prestart'),
    ...hostHookOps(spec, 'createRuntime'),
    { op: 'awaitHooks', at: `/hooks/${first}` },
    ...hookOps(spec, options, 'createContainer'),
    { op: 'verifyMounts', at: '', last: false },
  ];
}

/** After the start request, with the user, capabilities and seccomp filter of the process, as in runc. */
export function startHookOps(spec: Spec, options: CompileOptions): Op[] {
  return hookOps(spec, options, 'startContainer');
}

/** Hooks that run in the runtime's namespaces. */
export function hostHookOps(spec: Spec, point: 'prestart' | 'createRuntime' | 'poststart' | 'poststop'): Op[] {
  return (spec.hooks?.[point] ?? []).map(({ path, args, timeout }, i) => ({
    op: 'hostHook',
    at: `/hooks/${point}/${i}`,
    point,
    index: i,
    path,
    args: args?.length ? args : [path],
    timeout: timeout || undefined,
  }));
}

function hookOps(spec: Spec, options: CompileOptions, point: 'createContainer' | 'startContainer'): Op[] {
  const hooks = spec.hooks?.[point];
  if (!hooks?.length) return [];
  const inside = point === 'startContainer';
  const env = spec.process?.env ?? [];
  const homeUid = inside && !env.some((e) => e.startsWith('HOME=')) ? (spec.process?.user?.uid ?? 0) : undefined;
  const state = stateAround(spec, options, inside ? 'created' : 'creating');
  return hooks.map((hook, i) => ({
    op: 'hook',
    at: `/hooks/${point}/${i}`,
    point,
    index: i,
    path: hook.path,
    args: hook.args?.length ? hook.args : [hook.path],
    // Without an environment of its own a hook has that of the process, as in runc: never the runtime's.
    env: hook.env ?? env,
    homeOf: hook.env ? undefined : homeUid,
    timeout: hook.timeout || undefined,
    ...state,
    inside,
  }));
}

/** The state document for a hook, before and after the pid; fields in runc's order. */
function stateAround(spec: Spec, { id, bundle }: CompileOptions, status: string) {
  const { ociVersion, annotations } = spec;
  const head = JSON.stringify({ ociVersion, id, status });
  const tail = JSON.stringify({ bundle, ...(annotations && { annotations }) });
  return { beforePid: `${head.slice(0, -1)},"pid":`, afterPid: `,${tail.slice(1)}` };
}

/** The hooks to save in the state; undefined if there are none. */
export function recordedHooks(hooks: Hooks | undefined): RecordedHooks | undefined {
  const recorded: RecordedHooks = {};
  for (const point of ['startContainer', 'poststart', 'poststop'] as const) {
    const list = hooks?.[point];
    if (list?.length) recorded[point] = list.map(withoutBigInt);
  }
  return Object.keys(recorded).length ? recorded : undefined;
}

/** JSON.stringify throws on a BigInt, and no timeout needs one. */
function withoutBigInt(hook: Hook): Hook {
  const { timeout, ...rest } = hook;
  return timeout === undefined ? rest : { ...rest, timeout: Number(timeout) };
}
