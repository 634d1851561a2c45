/** Semantic rules: requirements of the runtime-spec and the kernel that a schema cannot express. */

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
import { propertyRules } from './property-rules.js';
import { seccompRules } from './seccomp-rules.js';
import { sysctlRules } from './sysctl-rules.js';
import { versionRules } from './version-rules.js';

/**
 * Records the findings of the rules in a config that passes the schema. They do not depend on the host: a valid config
 * can still require features that this host lacks.
 */
export function semanticRules(spec: Spec, findings: Findings): void {
  // A config for another platform only: findings about its Linux fields would not help.
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
    propertyRules,
  ];
  for (const rule of rules) rule(spec, findings);
}
