/** Seccomp profiles from files: those of the runtime-spec, and those of engines, whose rules have conditions. */
import { isObject } from '../json/is-object.js';
import type { Seccomp } from '../linux-types.js';
import { architecturesOf } from './default-seccomp.js';

/** Properties of the container and its host that conditions name. */
interface Conditions {
  readonly capabilities: readonly string[];
  /** Machine and release of uname(2). */
  readonly machine: string;
  readonly release: string;
}

/** Architectures in Go's words, which conditions use. */
const goNames: Readonly<Record<string, readonly string[]>> = {
  x86_64: ['amd64', 'x32', 'x86'],
  aarch64: ['arm64', 'arm'],
};

type Members = { readonly [key: string]: unknown };

/**
 * The profile in a text, or what is wrong with it, as a clause. Rules with `includes` and `excludes` are resolved as
 * dockerd does: all capabilities, one of the architectures, and the kernel's minimum version.
 */
export function engineSeccomp(text: string, conditions: Conditions): Seccomp | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'is not JSON';
  }
  if (!isObject(value) || value.defaultAction === undefined) return 'is not a seccomp profile: it has no defaultAction';
  const { archMap, syscalls, defaultErrno: _, ...rest } = value;
  const profile: Record<string, unknown> = { ...rest };
  if (Array.isArray(archMap)) {
    const [native] = architecturesOf(conditions.machine) ?? [];
    const entry = archMap.filter(isObject).find(({ architecture }) => architecture === native);
    if (native !== undefined) {
      const more = Array.isArray(entry?.subArchitectures) ? entry.subArchitectures : [];
      profile.architectures = [native, ...more];
    }
  }
  if (syscalls !== undefined) {
    if (!Array.isArray(syscalls)) return 'has syscalls that are not a list';
    profile.syscalls = syscalls.filter((rule) => !isObject(rule) || applies(rule, conditions)).map(plainRule);
  }
  // The schema of config.json checks the rest.
  return profile as unknown as Seccomp;
}

function plainRule(rule: unknown): unknown {
  if (!isObject(rule)) return rule;
  const { includes: _i, excludes: _e, comment: _c, errno: _n, name, args, ...rest } = rule;
  return {
    ...(name === undefined ? {} : { names: [name] }),
    ...rest,
    ...(Array.isArray(args) && args.length > 0 && { args }),
  };
}

function applies({ includes, excludes }: Members, { capabilities, machine, release }: Conditions): boolean {
  const words = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
  const has = (name: unknown) => capabilities.includes(name as string);
  const isHere = (name: unknown) => (goNames[machine] ?? []).includes(name as string);
  if (isObject(includes)) {
    const { caps, arches, minKernel } = includes;
    if (!words(caps).every(has)) return false;
    if (words(arches).length > 0 && !words(arches).some(isHere)) return false;
    if (typeof minKernel === 'string' && !isAtLeast(release, minKernel)) return false;
  }
  if (isObject(excludes)) {
    const { caps, arches, minKernel } = excludes;
    if (words(caps).some(has) || words(arches).some(isHere)) return false;
    if (typeof minKernel === 'string' && isAtLeast(release, minKernel)) return false;
  }
  return true;
}

function isAtLeast(release: string, minimum: string): boolean {
  const version = (text: string) => text.split('.', 2).map((part) => Number.parseInt(part, 10) || 0);
  const [[a = 0, b = 0], [c = 0, d = 0]] = [version(release), version(minimum)];
  return a > c || (a === c && b >= d);
}
