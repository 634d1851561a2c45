/** Entries of config.json by name: annotations, labels, sysctls, hooks. */
import { nearestWord } from '../../sys/nearest-word.js';
import type { HookName, Spec } from '../config-types.js';
import type { SpecCaller, SpecOptions } from './option-types.js';
import type { Refuse } from './refusal.js';

const points = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const;

export function metadataOptions(spec: Spec, o: SpecOptions, caller: SpecCaller, refuse: Refuse): void {
  const pairs = (option: 'annotation' | 'label' | 'sysctl'): [string, string][] =>
    (o[option] ?? []).map((text) => {
      const at = text.indexOf('=');
      if (at < 0 && option === 'label' && text !== '') return [text, ''];
      if (at < 1) throw refuse(option, text, option === 'label' ? 'is not NAME[=VALUE]' : 'is not NAME=VALUE');
      return [text.slice(0, at), text.slice(at + 1)];
    });
  const annotations = [...pairs('label'), ...pairs('annotation')];
  if (annotations.length > 0) spec.annotations = { ...spec.annotations, ...Object.fromEntries(annotations) };
  // sysctl(8) takes slashes too.
  const sysctls = pairs('sysctl').map(([name, value]) => [
    name.includes('.') ? name : name.replaceAll('/', '.'),
    value,
  ]);
  if (sysctls.length > 0) spec.linux!.sysctl = { ...spec.linux!.sysctl, ...Object.fromEntries(sysctls) };
  for (const { point, path } of hooksOf(o.hook ?? [], caller, refuse)) {
    spec.hooks = { ...spec.hooks, [point]: [...(spec.hooks?.[point] ?? []), { path, args: [path] }] };
  }
}

/** The hooks of `POINT=PATH` each; those of startContainer have a path in the container. */
export function hooksOf(
  values: readonly string[],
  caller: SpecCaller,
  refuse: Refuse,
): { point: HookName; path: string; text: string }[] {
  return values.map((text) => {
    const at = text.indexOf('=');
    const [point, path] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
    if (at < 1 || path === '') throw refuse('hook', text, 'is not POINT=PATH');
    if (!points.includes(point as HookName)) {
      const near = nearestWord(point, points);
      const hint = near === undefined ? `, which is ${points.join(', ')}` : `; did you mean ${near}?`;
      throw refuse('hook', text, `has an unknown POINT${hint}`);
    }
    if (point === 'startContainer' && !path.startsWith('/')) {
      throw refuse('hook', text, 'has a path in the container that is not absolute');
    }
    return { point: point as HookName, path: point === 'startContainer' ? path : caller.absolute(path), text };
  });
}
