/** The JSON documents of an image: index, manifest, config (image-spec), and that of `docker save`. */
import { type Document, imageError } from './image-error.js';

/** A descriptor (image-spec descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
  readonly platform?: Platform;
  /** JSON pointer of the descriptor in its document. */
  readonly at: string;
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** The members of an image's config that matter here (image-spec config.md). */
export interface ImageConfig {
  readonly document: Document;
  readonly platform: Platform;
  readonly osVersion?: string;
  readonly osFeatures: readonly string[];
  readonly author?: string;
  readonly created?: string;
  readonly user?: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir?: string;
  readonly stopSignal?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly volumes: readonly string[];
  readonly exposedPorts: readonly string[];
  /** Digests of the uncompressed layers. */
  readonly diffIds: readonly string[];
}

/** The most layers that an image may have; Docker makes at most 127. */
const maxLayers = 512;
const maxDescriptors = 4096;

/** A reader of members with their types. */
class Reader {
  constructor(
    readonly document: Document,
    readonly value: unknown,
    readonly at: string,
  ) {}

  fail(problem: string): never {
    throw imageError(`${this.document.path}: ${this.at || 'the document'} ${problem}`, {
      document: this.document,
      pointer: this.at,
    });
  }

  /** The members of an object; null counts as absent, as Go writes it. */
  member(name: string): Reader {
    const { value } = this;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) this.fail('is not an object');
    const found = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
    return new Reader(
      this.document,
      found ?? undefined,
      `${this.at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
    );
  }

  get isAbsent(): boolean {
    return this.value === undefined;
  }

  text(): string {
    if (typeof this.value !== 'string') this.fail('is not a string');
    if (this.value.includes('\0')) this.fail('has a NUL');
    return this.value;
  }

  /** Absent or empty: undefined. */
  optionalText(): string | undefined {
    return this.isAbsent ? undefined : this.text() || undefined;
  }

  list(most: number): Reader[] {
    if (this.isAbsent) return [];
    if (!Array.isArray(this.value)) this.fail('is not a list');
    if (this.value.length > most) this.fail(`has ${this.value.length} items; runt takes at most ${most}`);
    return this.value.map((item: unknown, i) => new Reader(this.document, item ?? undefined, `${this.at}/${i}`));
  }

  texts(): string[] {
    return this.list(maxDescriptors).map((item) => item.text());
  }

  map(): Record<string, string> {
    return Object.fromEntries(this.keys().map((name) => [name, this.member(name).optionalText() ?? '']));
  }

  /** The keys of an object that is used as a set. */
  keys(): string[] {
    if (this.isAbsent) return [];
    this.member('');
    const names = Object.keys(this.value as object);
    if (names.length > maxDescriptors) this.fail(`has ${names.length} members; runt takes at most ${maxDescriptors}`);
    if (names.some((name) => name.includes('\0'))) this.fail('has a NUL');
    return names;
  }
}

const readerOf = (document: Document): Reader => new Reader(document, document.value, '');

/** SHA-256 as `sha256:` and its hexadecimal digits (image-spec descriptor.md#digests). */
function digestOf(reader: Reader): string {
  const text = reader.text();
  if (/^sha256:[0-9a-f]{64}$/.test(text)) return text;
  reader.fail(/^[a-z0-9+._-]+:/.test(text) ? `is not a SHA-256 digest: ${text.slice(0, 80)}` : 'is not a digest');
}

function platformOf(reader: Reader): Platform | undefined {
  if (reader.isAbsent) return undefined;
  const variant = reader.member('variant').optionalText();
  return {
    os: reader.member('os').optionalText() ?? '',
    architecture: reader.member('architecture').optionalText() ?? '',
    ...(variant !== undefined && { variant }),
  };
}

function descriptorOf(reader: Reader): Descriptor {
  const size = reader.member('size');
  if (typeof size.value !== 'number' || !Number.isSafeInteger(size.value) || size.value < 0) size.fail('is not a size');
  const platform = platformOf(reader.member('platform'));
  return {
    mediaType: reader.member('mediaType').optionalText() ?? '',
    digest: digestOf(reader.member('digest')),
    size: size.value as number,
    annotations: reader.member('annotations').map(),
    ...(platform && { platform }),
    at: reader.at,
  };
}

/** The manifests of an image index, index.json too. @throws RuntError ERR_IMAGE */
export function manifestsOf(document: Document): Descriptor[] {
  return readerOf(document).member('manifests').list(maxDescriptors).map(descriptorOf);
}

/** Whether a document is an image index, and not a manifest. @throws RuntError ERR_IMAGE */
export const isIndex = (document: Document): boolean => !readerOf(document).member('manifests').isAbsent;

/** Media types of configs. */
const configTypes = ['application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json'];

/** Media types of layers that runt unpacks; it finds the compression by the first bytes. */
const layerTypes =
  /^application\/vnd\.(?:oci\.image\.layer(?:\.nondistributable)?\.v1\.tar(?:\+gzip|\+zstd)?|docker\.image\.rootfs\.(?:diff|foreign\.diff)\.tar(?:\.gzip|\.zstd)?)$/;

/** @throws RuntError ERR_IMAGE */
export function manifestOf(document: Document): { config: Descriptor; layers: Descriptor[] } {
  const reader = readerOf(document);
  const config = reader.member('config');
  if (config.isAbsent) config.fail('is missing: this is not the manifest of an image');
  const found = descriptorOf(config);
  if (!configTypes.includes(found.mediaType)) {
    config.member('mediaType').fail(`is ${JSON.stringify(found.mediaType)}: this is not the manifest of an image`);
  }
  const layers = reader
    .member('layers')
    .list(maxLayers)
    .map((item) => {
      const layer = descriptorOf(item);
      if (layerTypes.test(layer.mediaType)) return layer;
      return item.member('mediaType').fail(`is ${JSON.stringify(layer.mediaType)}, which runt cannot unpack`);
    });
  return { config: found, layers };
}

/** @throws RuntError ERR_IMAGE */
export function imageConfigOf(document: Document): ImageConfig {
  const reader = readerOf(document);
  const config = reader.member('config');
  const of = (name: string): Reader => (config.isAbsent ? config : config.member(name));
  const rootfs = reader.member('rootfs');
  if (rootfs.isAbsent) rootfs.fail('is missing: this is not the config of an image');
  const optional = {
    author: reader.member('author').optionalText(),
    created: reader.member('created').optionalText(),
    osVersion: reader.member('os.version').optionalText(),
    user: of('User').optionalText(),
    workingDir: of('WorkingDir').optionalText(),
    stopSignal: of('StopSignal').optionalText(),
  };
  return {
    ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) as {
      readonly [N in keyof typeof optional]?: string;
    }),
    document,
    platform: platformOf(reader)!,
    osFeatures: reader.member('os.features').texts(),
    env: of('Env').texts(),
    entrypoint: of('Entrypoint').texts(),
    cmd: of('Cmd').texts(),
    labels: of('Labels').map(),
    volumes: of('Volumes').keys(),
    exposedPorts: of('ExposedPorts').keys(),
    diffIds: rootfs.member('diff_ids').list(maxLayers).map(digestOf),
  };
}

/** An image in the manifest.json of `docker save`. */
export interface SavedImage {
  /** Paths in the archive. */
  readonly config: string;
  readonly layers: readonly string[];
  readonly tags: readonly string[];
}

/** @throws RuntError ERR_IMAGE */
export function savedImagesOf(document: Document): SavedImage[] {
  return readerOf(document)
    .list(maxDescriptors)
    .map((item) => ({
      config: item.member('Config').text(),
      layers: item
        .member('Layers')
        .list(maxLayers)
        .map((layer) => layer.text()),
      tags: item.member('RepoTags').texts(),
    }));
}
