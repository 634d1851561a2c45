// The image runt-install as an archive of an OCI image layout: the static command, hack/release/runt-install.c, and the
// program that keeps a pod of deploy/ alive.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { muslProgram, sourceDate } from '../build.mjs';
import { epoch, here, inDirectory, notices, programs, put, tar, version, zip } from './files.mjs';

const type = (name) => `application/vnd.oci.image.${name}`;

export const image = (arch, out) =>
  inDirectory((dir) => {
    const layer = `${dir}/layer`;
    put(`${layer}/runt`, readFileSync(`${programs(arch)}/runt`), 0o755);
    put(`${layer}/runt-install`, readFileSync(installer(arch)), 0o755);
    put(`${layer}/pause`, readFileSync(arch === here ? 'build/runt-pause' : `${programs(arch)}/runt-pause`), 0o755);
    put(`${layer}/LICENSE`, readFileSync('LICENSE'));
    put(`${layer}/NOTICE`, notices());
    const plain = tar(layer, 'LICENSE', 'NOTICE', 'pause', 'runt', 'runt-install');

    const layout = `${dir}/layout`;
    const digest = (data) => createHash('sha256').update(data).digest('hex');
    /** Adds a blob, and returns its descriptor. */
    const blob = (mediaType, data) => {
      put(`${layout}/blobs/sha256/${digest(data)}`, data);
      return { mediaType, digest: `sha256:${digest(data)}`, size: Buffer.byteLength(data) };
    };
    const json = (mediaType, value) => blob(mediaType, JSON.stringify(value));
    const platform = { architecture: arch, os: 'linux' };
    const created = sourceDate(epoch);
    const annotations = {
      'org.opencontainers.image.created': created,
      'org.opencontainers.image.title': 'runt-install',
      'org.opencontainers.image.description': 'copies the OCI runtime runt to a directory of the host',
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.licenses': 'Apache-2.0 AND MIT AND LGPL-2.1-only',
    };
    const config = json(type('config.v1+json'), {
      created,
      ...platform,
      config: { Entrypoint: ['/runt-install'], WorkingDir: '/', Labels: annotations },
      rootfs: { type: 'layers', diff_ids: [`sha256:${digest(plain)}`] },
      history: [{ created, created_by: 'hack/release/oci.mjs' }],
    });
    const manifest = json(type('manifest.v1+json'), {
      schemaVersion: 2,
      mediaType: type('manifest.v1+json'),
      config,
      layers: [blob(type('layer.v1.tar+gzip'), zip(plain))],
      annotations,
    });
    const name = {
      'org.opencontainers.image.ref.name': `runt-install:${version}`,
      // The name under which "ctr image import" and "kind load image-archive" make it known.
      'io.containerd.image.name': `docker.io/library/runt-install:${version}`,
    };
    const index = {
      schemaVersion: 2,
      mediaType: type('index.v1+json'),
      manifests: [{ ...manifest, platform, annotations: name }],
    };
    put(`${layout}/oci-layout`, JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    put(`${layout}/index.json`, JSON.stringify(index));
    const path = `${out}/runt-install-${version}-${arch}.oci.tar`;
    writeFileSync(path, tar(layout, 'oci-layout', 'index.json', 'blobs'));
    return path;
  });

/** Path of the entry point's program. */
function installer(arch) {
  if (arch !== here) return `${programs(arch)}/runt-install`;
  return muslProgram('hack/release/runt-install.c', 'build/release/runt-install');
}
