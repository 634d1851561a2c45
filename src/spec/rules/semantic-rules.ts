/**
 * Semantic rules: what the runtime-spec and the kernel demand of a config and a schema cannot say. One file a noun, in
 * `rules/`. They need nothing of the host: a config that passes here may still ask for what this host lacks.
 */

import type { Spec } from '../config-types.js';
import type { Findings } from '../judge/findings.js';
import { annotationRules } from './annotation-rules.js';
import { blockIoRules } from './block-io-rules.js';
import { cgroupRules } from './cgroup-rules.js';
import { deviceRules } from './device-rules.js';
import { hookRules } from './hook-rules.js';
import { mappingRules } from './mapping-rules.js';
import { mountRules } from './mount-rules.js';
import { namespaceRules } from './namespace-rules.js';
import { platformRules } from './platform-rules.js';
import { processRules } from './process-rules.js';
import { seccompRules } from './seccomp-rules.js';
import { sysctlRules } from './sysctl-rules.js';
import { versionRules } from './version-rules.js';

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
