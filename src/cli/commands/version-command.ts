/** `runt version` and `--version`. */
import { OCI_VERSION } from '../../spec/oci-version.js';
import { commit, version } from '../../sys/runt-version.js';
import { print } from '../command-output.js';
import type { Call } from '../command-syntax.js';

/** The date of the sources, `2026-11-29T12:00:00Z`, which the build inserts. */
declare const __RUNT_DATE__: string;

/** The three lines that engines parse: name and version, commit, version of the runtime-spec. */
export function versionText(): string {
  return `runt version ${version()}\ncommit: ${commit()}\nspec: ${OCI_VERSION}\n`;
}

/** The same for programs, with the version of libseccomp and the date of the sources. */
async function versionJson(): Promise<string> {
  const { libseccompVersion } = await import('../../sys/seccomp/seccomp-support.js');
  const date = typeof __RUNT_DATE__ === 'string' ? __RUNT_DATE__ : 'unknown';
  return `${JSON.stringify(
    { version: version(), commit: commit(), date, spec: OCI_VERSION, libseccomp: libseccompVersion() },
    null,
    2,
  )}\n`;
}

export async function command({ flags }: Call<'version'>): Promise<number> {
  print(flags.format === 'json' ? await versionJson() : versionText());
  return 0;
}
