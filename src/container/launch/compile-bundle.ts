/** Compilation of a bundle to spec and plan, without root and without side effects, as `explain` needs it. */
import { type CgroupPaths, cgroupDirectories } from '../../cgroup/cgroup-paths.js';
import {
  annotationPolicy,
  findUnsafe,
  refuseDenied,
  type UnsafeAnnotation,
  unsafeSentence,
} from '../../plan/annotation-policy.js';
import { compile } from '../../plan/compile.js';
import type { OwnSpan } from '../../plan/explain/plan-trace.js';
import { withHookTimeouts } from '../../plan/hooks/hook-compile.js';
import type { CompileOptions, HostFacts } from '../../plan/host-facts.js';
import { newNamespaces } from '../../plan/namespaces/namespace-compile.js';
import type { Plan } from '../../plan/op-list.js';
import type { Spec } from '../../spec/config-types.js';
import { warningSentence } from '../../spec/judge/findings.js';
import { loadSpec } from '../../spec/load-config.js';
import { RuntError } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { CLONE_NEWPID } from '../../sys/linux.js';
import { configPath } from '../state/config-path.js';
import type { CreateOptions } from './container-options.js';
import { readHostFacts, withoutRoot } from './read-host-facts.js';

export interface CompiledBundle {
  readonly spec: Spec;
  /** The config file's content. */
  readonly text: Uint8Array;
  readonly facts: HostFacts;
  readonly options: CompileOptions;
  readonly plan: Plan;
  readonly cgroups: CgroupPaths;
  readonly rdt?: readonly string[];
  /** Trace spans of the compilation. */
  readonly spans: readonly OwnSpan[];
}

/** A config that was loaded and validated. */
interface LoadedBundle {
  readonly spec: Spec;
  readonly text: Uint8Array;
  readonly times: readonly bigint[];
}

/**
 * Loads, validates and compiles. `systemd` is the result of `systemdScope`.
 * @throws RuntError ERR_SPEC_* for a bad config, ERR_UNSUPPORTED, ERR_CGROUP_*
 */
export const compileBundle = (
  o: CreateOptions,
  startSocket = true,
  systemd?: CompileOptions['systemd'],
  foreground = false,
): CompiledBundle => compileLoaded(loadBundle(o), o, startSocket, systemd, foreground);

/** Loads and validates: the first half of `compileBundle`. @throws RuntError ERR_SPEC_* */
export function loadBundle(o: CreateOptions): LoadedBundle {
  const start = native.monotonic();
  const { spec: loaded, warnings, text } = loadSpec(configPath(o));
  const spec = withHookTimeouts(loaded, o.hookTimeout);
  for (const warning of warnings) {
    // Engines that link the next runtime-spec write its version into each config: only warn with --debug.
    if (warning.pointer === '/ociVersion' && !o.debug) continue;
    o.warn(warningSentence(warning));
  }
  return { spec, text, times: [start, native.monotonic()] };
}

/** Compiles: the second half of `compileBundle`. @throws RuntError ERR_UNSUPPORTED, ERR_CGROUP_* */
export function compileLoaded(
  loaded: LoadedBundle,
  o: CreateOptions,
  startSocket: boolean,
  systemd: CompileOptions['systemd'],
  foreground: boolean,
): CompiledBundle {
  const { spec, text } = loaded;
  const times = [...loaded.times];
  const facts = readHostFacts(o.rootless);
  times.push(native.monotonic());
  const options: CompileOptions = {
    id: o.id,
    bundle: o.bundle,
    stateDir: `${o.root}/${o.id}`,
    layerName: `${o.id.slice(0, 64)}-${native.realtime().toString(36)}`,
    startSocket,
    supervise: o.supervise === true,
    ...(o.cgroupManager === 'disabled' && { noCgroup: true }),
    ...(systemd && { systemd }),
    ...(o.cgroupWritable && { cgroupWritable: true }),
    ...(o.init && { init: true }),
    noPivot: o.noPivot ?? false,
    noNewKeyring: o.noNewKeyring ?? false,
    preserveFds: (o.preserveFds ?? 0) + (o.listen?.count ?? 0),
    ...(o.listen && { listen: o.listen }),
    ...(o.notifySocket !== undefined && { notify: true }),
    ...(o.pidfdSocket !== undefined && { pidfdSocket: o.pidfdSocket }),
    ...(o.consoleSocket !== undefined && { consoleSocket: o.consoleSocket }),
    ...(foreground && { foreground }),
  };
  const unsafe = judgeAnnotations(o, spec, systemd !== undefined);
  const compiled = compile(spec, facts, options);
  times.push(native.monotonic());
  const isHosted = (newNamespaces(spec) & CLONE_NEWPID) === 0;
  if (isHosted && facts.rootless && !options.noCgroup && cgroupDirectories(compiled.cgroups).length === 0) {
    o.warn(
      '/linux/namespaces: the container has neither a cgroup nor a pid namespace of its own, so its processes may outlive it: kill and delete find only the first',
    );
  }
  // Only warn with --debug: the user disabled cgroups, and engines always list devices. Stderr is the container's.
  if (options.noCgroup && o.debug && spec.linux?.resources?.devices?.length) {
    o.warn('/linux/resources/devices is not applied: with --cgroup-manager disabled there is no cgroup');
  }
  const spans = ['load and validate config.json', 'read what the host offers', 'compile the plan'].map((name, i) => ({
    name,
    start: times[i] as bigint,
    end: times[i + 1] as bigint,
  }));
  const plan = unsafe.length === 0 ? compiled.plan : { ...compiled.plan, unsafeAnnotations: unsafe };
  return { spec, text, facts, options, spans, ...compiled, plan };
}

/** Compiles again for a runtime that may not call open_tree(2). */
export function withoutTrees(bundle: CompiledBundle): CompiledBundle {
  return recompile({ ...bundle, facts: { ...bundle.facts, oldMounts: true } });
}

/** Compiles again for a mount namespace that is a copy of the host's. */
export function withoutTemplate(bundle: CompiledBundle): CompiledBundle {
  return recompile({ ...bundle, facts: { ...bundle.facts, hasMountTemplate: () => false } });
}

function recompile(bundle: CompiledBundle): CompiledBundle {
  const compiled = compile(bundle.spec, bundle.facts, bundle.options);
  return { ...bundle, ...compiled, plan: { ...bundle.plan, ...compiled.plan } };
}

/** Compiles again for systemd's version, which it only asks for if needed. @throws RuntError ERR_SYSTEMD */
export async function forSystemd(bundle: CompiledBundle): Promise<CompiledBundle> {
  const { systemd } = bundle.options;
  if (!systemd?.dependsOnVersion(bundle.spec)) return bundle;
  const { systemdVersion } = await import('../cgroups/systemd-unit.js');
  const version = await systemdVersion(systemd.bus);
  return recompile({ ...bundle, options: { ...bundle.options, systemd: systemd.ofVersion(version) } });
}

/** The plan alone. If systemd does not answer, assume a version that keeps all limits. */
export async function compilePlan(o: CreateOptions): Promise<Plan> {
  const bundle = compileBundle(o, true, await systemdScope(o));
  try {
    return (await forSystemd(bundle)).plan;
  } catch (error) {
    if (!(error instanceof RuntError) || error.code !== 'ERR_SYSTEMD') throw error;
    o.warn(
      `this plan may differ from "create", which uses a cgroup below the unit's with some versions of systemd: ${error.message}`,
    );
    return bundle.plan;
  }
}

/** @throws RuntError ERR_ANNOTATION_DENIED */
function judgeAnnotations(o: CreateOptions, { annotations }: Spec, systemd: boolean): readonly UnsafeAnnotation[] {
  // First: refuse a wrong policy now, not when an image first has an unsafe annotation.
  const policy = annotationPolicy(o.unsafeAnnotations);
  if (!annotations) return [];
  const found = findUnsafe(annotations, systemd ? ['create', 'systemd'] : ['create']);
  refuseDenied(found, policy);
  if (policy === 'warn') for (const one of found) o.warn(unsafeSentence(one));
  return found;
}

/** The compiler's input if systemd manages cgroups: scopes of the system or, without root, of the user's session. */
export async function systemdScope(
  o: Pick<CreateOptions, 'cgroupManager' | 'rootless' | 'warn'>,
): Promise<CompileOptions['systemd']> {
  if (o.cgroupManager !== 'systemd') return undefined;
  const { scopes } = await import('../../plan/cgroup/systemd-scope.js');
  if (!withoutRoot(o.rootless)) return scopes();
  const { userManager } = await import('../cgroups/systemd-unit.js');
  return scopes(await userManager(), o.warn);
}
