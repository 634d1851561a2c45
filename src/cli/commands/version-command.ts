/** `runt version` and `--version`. */
import { OCI_VERSION } from '../../spec/oci-version.js';
import { commit, version } from '../../sys/runt-version.js';
import { print } from '../command-output.js';

/** The three lines that engines parse: name and version, commit, version of the runtime-spec. */
export function versionText(): string {
  return `runt version ${version()}\ncommit: ${commit()}\nspec: ${OCI_VERSION}\n`;
}

export function command(): number {
  print(versionText());
  return 0;
}
