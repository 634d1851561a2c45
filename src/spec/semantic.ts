/**
 * Semantic rules: what the runtime-spec and the kernel demand of a config and a schema cannot say. One file a noun, in
 * `rules/`. They need nothing of the host: a config that passes here may still ask for what this host lacks.
 */
import type { Violation } from '../sys/error.js';
import { Findings } from './findings.js';
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

/** All findings in a config that its schema accepts. */
export function semanticFindings(spec: Spec): Findings {
  const findings = new Findings();
  platformRules(spec, findings);
  // A config for another platform only: what Linux makes of its other fields is of no use to anyone.
  if (findings.violations.length > 0 && !spec.linux) return findings;
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
  return findings;
}

/** The violations among them. */
export function semanticViolations(spec: Spec): Violation[] {
  return semanticFindings(spec).violations;
}
