// NOTES.md of a release: what changed, from CHANGELOG.md; the files; how to check them.
import { commit } from '../build.mjs';
import { section } from './changelog.mjs';
import { version } from './files.mjs';

/** What each file is, by the end of its name. */
const kinds = [
  [/^runt_.*\.deb$/, 'Debian package of the command, the shims, man pages and completions'],
  [/\.rpm$/, 'the command as an RPM package'],
  [/\.tar\.gz$/, 'the command for any distribution: `tar -C /usr/local -xzf FILE`'],
  [/\.tgz$/, 'the npm package: `npm install FILE`'],
  [/\.oci\.tar$/, 'image that copies the command to the host'],
  [/\.spdx\.json$/, 'SBOM (SPDX 2.3)'],
];

export function notes(names) {
  const row = (name) => `| \`${name}\` | ${kinds.find(([pattern]) => pattern.test(name))[1]} |`;
  return `# runt ${version}

Commit ${commit()}. Linux 5.10 or newer, amd64 and arm64.

${section()}

## Files

| file | what it is |
|---|---|
${names.map(row).join('\n')}

\`sha256sum --check SHA256SUMS\` checks the files. \`hack/release/reproduce\`, in a checkout of the commit, builds them
again and compares.
`;
}
