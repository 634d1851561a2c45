/**
 * Semantic rules: what the runtime-spec and the kernel demand of a config and a schema cannot say. One file a noun, in
 * `rules/`. They need nothing of the host: a config that passes here may still ask for what this host lacks.
 */
import type { Findings } from './findings.js';
import { annotationRules } from './rules/annotations.js';
import { blockIoRules } from './rules/block-io.js';
import { cgroupRules } from './rules/cgroup.js';
import { deviceRules } from './rules/devices.js';
import { hookRules } from './rules/hooks.js';
import { mappingRules } from './rules/mappings.js';
import { mountRules } from './rules/mounts.js';
import { namespaceRules } from './rules/namespaces.js';
import { platformRules } from './rules/platform.js';
import { processRules } from './rules/process.js';
import { seccompRules } from './rules/seccomp.js';
import { sysctlRules } from './rules/sysctl.js';
import { versionRules } from './rules/version.js';
import type { Spec } from './types.js';

/** Notes what the rules find in a config that its schema accepts. */
export function semanticRules(spec: Spec, findings: Findings): void {
  // A config for another platform only: what Linux makes of its other fields is of no use to anyone.
  if (platformRules(spec, findings) && !spec.linux) return;
  const rules = [
    versionRules,
    processRules,
    mountRules,
    hookRules,
    namespaceRules,
    mappingRules,
    deviceRules,
    cgroupRules,
    blockIoRules,
    sysctlRules,
    seccompRules,
    annotationRules,
  ];
  for (const rule of rules) rule(spec, findings);
}
