/** Rules of `ociVersion`. */

import type { Spec } from '../config-types.js';
import type { Findings } from '../judge/findings.js';
import { eachUnknownProperty } from '../judge/unknown-properties.js';
import { OCI_VERSION, parseVersion } from '../oci-version.js';

/** Maximum number of members that the warning names; a config of a much newer version may have any number. */
const MAX_NAMED = 8;

/**
 * A minor version only adds features (SemVer §7), and a runtime ignores unknown properties (config.md#extensibility):
 * so a config of a newer minor version runs. Another major version may mean anything.
 */
export function versionRules(spec: Spec, findings: Findings): void {
  const see = 'config.md#specification-version';
  const version = parseVersion(spec.ociVersion);
  if (!version) {
    findings.refuse('/ociVersion', spec.ociVersion, 'be a version such as 1.0.2 (SemVer 2.0.0)', see);
    return;
  }
  const ours = parseVersion(OCI_VERSION)!;
  const newest = `${ours.major}.${ours.minor}`;
  if (version.major > ours.major) {
    findings.refuse(
      '/ociVersion',
      spec.ociVersion,
      `have the major version ${ours.major}: this runt follows runtime-spec ${newest}`,
      see,
    );
  } else if (version.major === ours.major && version.minor > ours.minor) {
    const text = `be at most ${newest}, the newest runtime-spec that this runt follows`;
    findings.warn('/ociVersion', spec.ociVersion, `${text}; ${ignoredMembers(spec)}`, see);
  }
}

/** Names the properties of a newer config that have no effect. */
function ignoredMembers(spec: Spec): string {
  const unknown: string[] = [];
  eachUnknownProperty(spec, (pointer) => unknown.push(pointer));
  if (unknown.length === 0) return 'it has no property that this runt does not know';
  const more = unknown.length > MAX_NAMED ? ` and ${unknown.length - MAX_NAMED} more` : '';
  return `these properties are unknown and are ignored: ${unknown.slice(0, MAX_NAMED).join(', ')}${more}`;
}
