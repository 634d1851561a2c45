/** Privileges of the process: capabilities, no_new_privs, the seccomp filter. */
import { capabilityNames } from '../../sys/kernel-names.js';
import { nearestWord } from '../../sys/nearest-word.js';
import type { Process, Spec } from '../config-types.js';
import { defaultSeccomp } from './default-seccomp.js';
import { engineSeccomp } from './engine-seccomp.js';
import type { HostLookups } from './lookups.js';
import type { SpecCaller, SpecOptions } from './option-types.js';
import { profileOf } from './profiles.js';
import { type Refuse, resolvePath } from './refusal.js';

/** Needs the final user and namespaces. */
export function privilegeOptions(
  spec: Spec,
  o: SpecOptions,
  caller: SpecCaller,
  lookups: HostLookups,
  refuse: Refuse,
): void {
  const process = spec.process!;
  capabilityOptions(process, o, () => lookups.capabilities(isMapped(spec)), refuse);
  if (o.noNewPrivs !== undefined) process.noNewPrivileges = o.noNewPrivs;
  const seccomp = o.seccomp ?? (o.profile === undefined ? 'unconfined' : 'default');
  if (seccomp === 'unconfined') return;
  const capabilities = process.capabilities!.bounding!;
  if (seccomp === 'default') {
    spec.linux!.seccomp = defaultSeccomp(capabilities, lookups.machine());
    return;
  }
  const path = resolvePath(caller, 'seccomp', seccomp);
  const text = lookups.text(path);
  if (text === undefined) throw refuse('seccomp', seccomp, 'does not exist: it is a file, "default" or "unconfined"');
  const profile = engineSeccomp(text, { capabilities, machine: lookups.machine(), release: lookups.release() });
  if (typeof profile === 'string') throw refuse('seccomp', seccomp, profile);
  spec.linux!.seccomp = profile;
}

const isMapped = (spec: Spec): boolean => spec.linux!.namespaces!.some(({ type }) => type === 'user');

function capabilityOptions(process: Process, o: SpecOptions, all: () => readonly string[], refuse: Refuse): void {
  const add = names('capAdd', o.capAdd, refuse);
  const drop = names('capDrop', o.capDrop, refuse);
  const both = add.find((name) => drop.includes(name));
  if (both !== undefined) throw refuse('capAdd', both, 'is dropped too: choose one');
  const profile = o.profile === undefined ? undefined : profileOf(o.profile);
  if (!profile && add.length === 0 && drop.length === 0) return;
  const base = profile
    ? profile.capabilities
        .split(' ')
        .filter(Boolean)
        .map((name) => `CAP_${name}`)
    : process.capabilities!.bounding!;
  const some = add.includes('ALL') ? all() : drop.includes('ALL') ? [] : base;
  const named = add.filter((name) => name !== 'ALL');
  const list = [...new Set([...some.filter((name) => !drop.includes(name)), ...named])].sort();
  process.capabilities = { bounding: list, effective: [...list], permitted: [...list] };
  // execve(2) by another user than root keeps only ambient capabilities.
  if (process.user.uid === 0 || profile?.ambient === false || add.length === 0) return;
  const kept = add.includes('ALL') ? list : named.sort();
  Object.assign(process.capabilities, { inheritable: kept, ambient: [...kept] });
}

function names(option: 'capAdd' | 'capDrop', values: readonly string[] = [], refuse: Refuse): string[] {
  const known = capabilityNames();
  return values.flatMap((text) =>
    text.split(',').map((word) => {
      const upper = word.toUpperCase();
      if (upper === 'ALL') return upper;
      const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
      if (known.includes(name)) return name;
      const near = nearestWord(name, known);
      throw refuse(option, text, `is not a capability${near === undefined ? '' : `; did you mean ${near}?`}`);
    }),
  );
}
