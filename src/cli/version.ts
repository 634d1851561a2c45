/** The version of runt, put in by the build. */
import { OCI_VERSION } from '../spec/version.js';

declare const __RUNT_VERSION__: string;
declare const __RUNT_COMMIT__: string;

/** The three lines that engines look for: name and version, commit, version of the runtime-spec. */
export function versionText(): string {
  const version = typeof __RUNT_VERSION__ === 'string' ? __RUNT_VERSION__ : 'unreleased';
  const commit = typeof __RUNT_COMMIT__ === 'string' ? __RUNT_COMMIT__ : 'unknown';
  return `runt version ${version}\ncommit: ${commit}\nspec: ${OCI_VERSION}\n`;
}
