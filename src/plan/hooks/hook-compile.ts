/** `hooks`: those that runt-init runs, and where it waits for those of the runtime (config.md#posix-platform-hooks). */
import type { Hook, Hooks, Spec } from '../../spec/config-types.js';
import { RuntError } from '../../sys/error.js';
import { host } from '../../sys/host.js';
import type { CompileOptions } from '../host-facts.js';
import { hasMountNamespace } from '../namespaces/namespace-compile.js';
import type { Op } from '../plan-ops.js';
import { rootfsPath } from '../root/root-compile.js';

/** The hooks that are needed after the create; kept with the state, as the bundle may change. */
export type KeptHooks = Pick<Hooks, 'startContainer' | 'poststart' | 'poststop'>;

const timeoutVariable = 'RUNT_HOOK_TIMEOUT';

/** Seconds after which a hook without `timeout` is killed: those asked for, of the environment, or 600. 0 is no limit. @throws RuntError ERR_USAGE */
function hookTimeout(asked?: number): number {
  const text = host.env[timeoutVariable];
  if (asked !== undefined || !text) return asked ?? 600;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new RuntError({
    code: 'ERR_USAGE',
    message: `${timeoutVariable} must be a number of seconds, not ${JSON.stringify(text)}`,
  });
}

/**
 * The same spec where each hook has a timeout: a hook that hangs must not hold up the engine for ever.
 * @param asked seconds for hooks without one; those of RUNT_HOOK_TIMEOUT, else 600, when absent; 0 is no limit
 * @throws RuntError ERR_USAGE
 */
export function withHookTimeouts(spec: Spec, asked?: number): Spec {
  const seconds = hookTimeout(asked);
  if (!spec.hooks) return spec;
  const limited = Object.entries(spec.hooks).map(([point, hooks]: [string, Hook[] | undefined]) => [
    point,
    hooks?.map((hook) => ({ ...hook, timeout: hook.timeout ?? seconds })),
  ]);
  return { ...spec, hooks: Object.fromEntries(limited) };
}

/**
 * Before the switch of root, when all is mounted: the runtime's hooks, then those of createContainer. What they mount
 * on a mount is taken for it; without them the look after the last mount is enough.
 */
export function createHookOps(spec: Spec, options: CompileOptions): Op[] {
  const { hooks } = spec;
  if (!hooks) return [];
  const first = (['prestart', 'createRuntime', 'createContainer'] as const).find((name) => hooks[name]?.length);
  // With startContainer hooks alone only the pid is waited for.
  if (!first) return hooks.startContainer?.length ? [{ op: 'awaitHooks', at: '/hooks/startContainer' }] : [];
  // Without a mount namespace its path is the host's, who must not see what is mounted.
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

/** After the word to start, with the user, the capabilities and the seccomp filter of the process, as from runc. */
export function startHookOps(spec: Spec, options: CompileOptions): Op[] {
  return hookOps(spec, options, 'startContainer');
}

/** Hooks of the runtime's namespaces. */
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
  const inside = point === 'startContainer';
  const env = spec.process?.env ?? [];
  const home = inside && !env.some((e) => e.startsWith('HOME=')) ? (spec.process?.user?.uid ?? 0) : undefined;
  return (spec.hooks?.[point] ?? []).map((hook, i) => ({
    op: 'hook',
    at: `/hooks/${point}/${i}`,
    point,
    index: i,
    path: hook.path,
    args: hook.args?.length ? hook.args : [hook.path],
    // Without one of its own it has the environment of the process, as from runc: never the runtime's.
    env: hook.env ?? env,
    homeOf: hook.env ? undefined : home,
    timeout: hook.timeout || undefined,
    ...stateAround(spec, options, inside ? 'created' : 'creating'),
    inside,
  }));
}

/** The state document that a hook reads, before and after the pid; the fields as runc orders them. */
function stateAround(spec: Spec, { id, bundle }: CompileOptions, status: string) {
  const { ociVersion, annotations } = spec;
  const head = JSON.stringify({ ociVersion, id, status });
  const tail = JSON.stringify({ bundle, ...(annotations && { annotations }) });
  return { beforePid: `${head.slice(0, -1)},"pid":`, afterPid: `,${tail.slice(1)}` };
}

/** What the state keeps; undefined when nothing. */
export function keptHooks(hooks: Hooks | undefined): KeptHooks | undefined {
  const kept: KeptHooks = {};
  for (const point of ['startContainer', 'poststart', 'poststop'] as const) {
    const list = hooks?.[point];
    if (list?.length) kept[point] = list.map(plain);
  }
  return Object.keys(kept).length ? kept : undefined;
}

/** JSON.stringify refuses a BigInt, and so long a time is none. */
function plain(hook: Hook): Hook {
  const { timeout, ...rest } = hook;
  return timeout === undefined ? rest : { ...rest, timeout: Number(timeout) };
}
