/** Rules of `ociVersion`. */
import type { Findings } from '../findings.js';
import type { Spec } from '../types.js';
import { OCI_VERSION, parseVersion } from '../version.js';

export function versionRules(spec: Spec, findings: Findings): void {
  const see = 'config.md#specification-version';
  const version = parseVersion(spec.ociVersion);
  if (!version) {
    findings.refuse('/ociVersion', spec.ociVersion, 'be a version such as 1.0.2 (SemVer 2.0.0)', see);
    return;
  }
  const ours = parseVersion(OCI_VERSION)!;
  if (version.major > ours.major || (version.major === ours.major && version.minor > ours.minor)) {
    const upTo = `${ours.major}.${ours.minor}`;
    findings.refuse(
      '/ociVersion',
      spec.ociVersion,
      `be at most ${upTo}, the newest runtime-spec this runt speaks`,
      see,
    );
  }
}
