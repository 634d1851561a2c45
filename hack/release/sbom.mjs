// The SBOM of a release: SPDX 2.3, as JSON. Packages are what is linked, bundled or needed; files are the artefacts.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { commit, sourceDate } from '../build.mjs';
import { SHA256 as quickjsSum, VERSION as quickjsVersion } from '../quickjs.mjs';
import { epoch, output, version } from './files.mjs';

const lock = () => JSON.parse(readFileSync('package-lock.json', 'utf8')).packages;
const id = (text) => `SPDXRef-${text.replace(/[^A-Za-z0-9.-]+/g, '-').replace(/^-/, '')}`;

function entry(name, versionInfo, licence, purl, more = {}) {
  return {
    name,
    SPDXID: id(`Package-${name}`),
    versionInfo,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: licence,
    licenseDeclared: licence,
    copyrightText: 'NOASSERTION',
    ...(purl && {
      externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl }],
    }),
    ...more,
  };
}

/** A package of Debian that the programs are linked with, as it is on this machine. */
function debian(name, binary, licence) {
  const fields = ['Version', 'source:Package'].map((field) => `\${${field}}`);
  const [found, source] = output('dpkg-query', '-W', '-f', fields.join(' '), binary).split(' ');
  return entry(name, found, licence, `pkg:deb/debian/${source}@${encodeURIComponent(found)}`);
}

function npmPackage(name) {
  const { version: found, license, integrity } = lock()[`node_modules/${name}`];
  const checksumValue = Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex');
  const purl = `pkg:npm/${name.replace('@', '%40')}@${found}`;
  return entry(name, found, license, purl, { checksums: [{ algorithm: 'SHA512', checksumValue }] });
}

/** The document about the artefacts `paths`. */
export function sbom(paths) {
  const linked = [
    debian('libarchive', 'libarchive-dev', 'BSD-2-Clause'),
    debian('libseccomp', 'libseccomp-dev', 'LGPL-2.1-only'),
    debian('musl', 'musl-dev', 'MIT'),
    debian('nghttp2', 'libnghttp2-dev', 'MIT'),
    debian('zlib', 'zlib1g-dev', 'Zlib'),
    debian('zstd', 'libzstd-dev', 'BSD-3-Clause'),
    entry('quickjs', quickjsVersion, 'MIT', `pkg:generic/quickjs@${quickjsVersion}`, {
      checksums: [{ algorithm: 'SHA256', checksumValue: quickjsSum }],
    }),
  ];
  const bundled = JSON.parse(readFileSync('build/bundled.json', 'utf8')).map(npmPackage);
  const needed = npmPackage('koffi');
  const runt = entry('runt', version, 'Apache-2.0', `pkg:npm/runt-oci@${version}`, {
    sourceInfo: `commit ${commit()}`,
    primaryPackagePurpose: 'APPLICATION',
  });
  const files = paths.map((path) => {
    const data = readFileSync(path);
    const checksum = (algorithm) => ({
      algorithm,
      checksumValue: createHash(algorithm.toLowerCase()).update(data).digest('hex'),
    });
    const fileName = path.slice(path.lastIndexOf('/') + 1);
    return {
      fileName: `./${fileName}`,
      SPDXID: id(`File-${fileName}`),
      fileTypes: ['ARCHIVE'],
      checksums: ['SHA1', 'SHA256'].map(checksum),
      licenseConcluded: 'NOASSERTION',
      licenseInfoInFiles: ['NOASSERTION'],
      copyrightText: 'NOASSERTION',
    };
  });
  const relation = (from, relationshipType, to) => ({
    spdxElementId: from,
    relationshipType,
    relatedSpdxElement: to,
  });
  const document = 'SPDXRef-DOCUMENT';
  const content = createHash('sha256').update(JSON.stringify(files)).digest('hex');
  return `${JSON.stringify(
    {
      spdxVersion: 'SPDX-2.3',
      dataLicense: 'CC0-1.0',
      SPDXID: document,
      name: `runt-${version}`,
      // A name that is unique, not an address.
      documentNamespace: `urn:runt:spdx:${version}:${content}`,
      creationInfo: {
        created: sourceDate(epoch),
        creators: ['Tool: runt hack/release', 'Organization: the runt authors'],
      },
      packages: [runt, ...linked, ...bundled, needed],
      files,
      relationships: [
        relation(document, 'DESCRIBES', runt.SPDXID),
        ...linked.map((p) => relation(runt.SPDXID, 'STATIC_LINK', p.SPDXID)),
        ...bundled.map((p) => relation(runt.SPDXID, 'CONTAINS', p.SPDXID)),
        relation(runt.SPDXID, 'DEPENDS_ON', needed.SPDXID),
        ...files.map((f) => relation(f.SPDXID, 'GENERATED_FROM', runt.SPDXID)),
      ],
    },
    null,
    1,
  )}\n`;
}
