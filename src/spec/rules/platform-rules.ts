/** Sections of other platforms: recognised, and refused by name. */

import type { Spec } from '../config-types.js';
import type { Findings } from '../judge/findings.js';

/** Sections of config.json that are not for Linux, and their platforms. */
export const PLATFORMS: Readonly<Record<string, string>> = {
  windows: 'Windows',
  solaris: 'Solaris',
  vm: 'virtual machines',
  zos: 'z/OS',
  freebsd: 'FreeBSD',
};

/** Whether the config has such a section. */
export function platformRules(spec: Spec, findings: Findings): boolean {
  let isPresent = false;
  for (const [section, platform] of Object.entries(PLATFORMS)) {
    if (Object.hasOwn(spec, section)) {
      isPresent = true;
      const expected = `be absent: it configures ${platform}, and runt runs Linux containers`;
      findings.refuse(`/${section}`, undefined, expected, 'config.md#platform-specific-configuration');
    }
  }
  return isPresent;
}
