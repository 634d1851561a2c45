/** Images on disk for tests: a directory in the OCI layout. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type Entry, tar } from './tar-writer.js';

export const sha256 = (data: Buffer | string): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Readonly<Record<string, string>>;
}

export class Layout {
  constructor(readonly dir: string) {
    mkdirSync(join(dir, 'blobs/sha256'), { recursive: true });
    writeFileSync(join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  }

  path(digest: string): string {
    return join(this.dir, 'blobs', digest.replace(':', '/'));
  }

  blob(mediaType: string, data: Buffer | string): Descriptor {
    const digest = sha256(data);
    writeFileSync(this.path(digest), data);
    return { mediaType, digest, size: Buffer.byteLength(data) };
  }

  json(mediaType: string, value: unknown): Descriptor {
    return this.blob(mediaType, JSON.stringify(value));
  }

  /** A compressed or plain layer. */
  layer(data: Buffer, mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip'): Descriptor {
    return this.blob(mediaType, data);
  }

  /** The manifest of an image. @param diffIds of the layers, where these are not gzip */
  manifest(
    layers: readonly Descriptor[],
    diffIds: readonly string[],
    config: object = {},
    more: object = {},
  ): Descriptor {
    return this.json(manifestType, {
      schemaVersion: 2,
      mediaType: manifestType,
      config: this.json('application/vnd.oci.image.config.v1+json', {
        architecture: { x64: 'amd64' }[process.arch as string] ?? process.arch,
        os: 'linux',
        config: { Cmd: ['/bin/true'], ...config },
        rootfs: { type: 'layers', diff_ids: diffIds },
        ...more,
      }),
      layers,
    });
  }

  index(manifests: readonly Descriptor[]): void {
    writeFileSync(join(this.dir, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  }

  /** The whole image: gzip layers of these entries, or these bytes. */
  image(layers: readonly (readonly Entry[] | Buffer)[], config: object = {}): Descriptor {
    const packed = layers.map((one) => (Buffer.isBuffer(one) ? one : gzipSync(tar(...one), { level: 1 })));
    const ids = packed.map((data) => sha256(plain(data)));
    const manifest = this.manifest(
      packed.map((data) => this.layer(data)),
      ids,
      config,
    );
    this.index([manifest]);
    return manifest;
  }
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
export const indexType = 'application/vnd.oci.image.index.v1+json';

function plain(data: Buffer): Buffer {
  try {
    return data[0] === 0x1f ? gunzipSync(data) : data;
  } catch {
    return data;
  }
}
