/** Finds the manifest, the config and the layers of one image in its files. */
import {
  type Descriptor,
  type ImageConfig,
  imageConfigOf,
  isIndex,
  manifestOf,
  manifestsOf,
  type Platform,
  type SavedImage,
  savedImagesOf,
} from './image-documents.js';
import { type Document, imageError } from './image-error.js';
import type { ImageFiles } from './image-files.js';
import { fits, platformText } from './platform.js';

/** A layer, in the order in which they are unpacked. */
export interface Layer {
  /** Path of the blob, below the image. */
  readonly path: string;
  /** Of the blob, where a manifest has them. */
  readonly digest?: string;
  readonly size?: number;
  /** Digest of the uncompressed archive. */
  readonly diffId: string;
}

export interface Image {
  readonly config: ImageConfig;
  readonly layers: readonly Layer[];
}

export interface Choice {
  readonly ref?: string;
  readonly platform: Platform;
}

/** The most indexes inside of one another; buildx makes two. */
const maxNesting = 8;

/** Names of images in annotations: image-spec annotations.md, and what containerd and Docker add. */
const refNames = ['org.opencontainers.image.ref.name', 'io.containerd.image.name'];

/** @throws RuntError ERR_IMAGE, ERR_IMAGE_DIGEST */
export function findImage(files: ImageFiles, choice: Choice): Image {
  if (isThere(files, 'index.json')) {
    checkLayout(files);
    return imageOfLayout(files, choice);
  }
  if (isThere(files, 'manifest.json')) return imageOfDocker(files, choice);
  throw imageError(
    `${files.name} has neither index.json, as an OCI layout, nor manifest.json, as docker save writes it`,
    {
      hint: 'run "skopeo copy docker://NAME oci:DIR:TAG" for an image',
    },
  );
}

function isThere(files: ImageFiles, path: string): boolean {
  const file = files.tryOpen(path);
  file?.fd.close();
  return file !== undefined;
}

/** image-spec image-layout.md#oci-layout-file. */
function checkLayout(files: ImageFiles): void {
  const document = files.document('oci-layout');
  const version = (document.value as { imageLayoutVersion?: unknown } | null)?.imageLayoutVersion;
  if (version !== '1.0.0') {
    throw imageError(`${files.name}/oci-layout has ${versionText(version)}; runt knows 1.0.0`, {
      document,
      pointer: '/imageLayoutVersion',
    });
  }
}

const versionText = (version: unknown): string =>
  version === undefined || version === null ? 'no version' : `the version ${JSON.stringify(version)}`;

const blobPath = ({ digest }: Descriptor): string => `blobs/${digest.replace(':', '/')}`;

function imageOfLayout(files: ImageFiles, choice: Choice): Image {
  const index = files.document('index.json');
  const manifest = chosenManifest(files, named(files, index, choice.ref), choice, 0);
  const { config: descriptor, layers } = manifestOf(manifest);
  const config = imageConfigOf(files.document(blobPath(descriptor), descriptor));
  checkPlatform(config, choice);
  return {
    config,
    layers: layers.map((layer, i) => ({
      path: blobPath(layer),
      digest: layer.digest,
      size: layer.size,
      diffId: diffIdOf(config, layers.length, i),
    })),
  };
}

function diffIdOf({ diffIds, document }: ImageConfig, layers: number, i: number): string {
  if (diffIds.length === layers) return diffIds[i]!;
  throw imageError(`the image has ${layers} layers, and its config has digests of ${diffIds.length}`, {
    document,
    pointer: '/rootfs/diff_ids',
  });
}

/** The entries of index.json with the name; without a name, those of the only image. */
function named(files: ImageFiles, index: Document, ref: string | undefined): Descriptor[] {
  const all = manifestsOf(index);
  const namesOf = ({ annotations }: Descriptor) => refNames.flatMap((key) => annotations[key] ?? []);
  const refs = [...new Set(all.map((entry) => namesOf(entry)[0] ?? ''))];
  const list = [...new Set(all.flatMap(namesOf))].join(', ');
  if (ref !== undefined) {
    const found = all.filter((entry) => namesOf(entry).includes(ref));
    if (found.length > 0) return found;
    throw imageError(`${files.name} has no image named ${JSON.stringify(ref)}`, {
      document: index,
      pointer: '/manifests',
      hint: list === '' ? 'remove --ref: its images have no names' : `choose one of ${list}`,
    });
  }
  if (all.length === 0) throw imageError(`${files.name} has no image`, { document: index, pointer: '/manifests' });
  if (refs.length === 1) return all;
  throw imageError(`${files.name} has several images`, {
    document: index,
    pointer: '/manifests',
    hint: `choose one with --ref: ${list}`,
  });
}

/** Follows indexes to the manifest for the platform. */
function chosenManifest(files: ImageFiles, entries: readonly Descriptor[], choice: Choice, depth: number): Document {
  if (depth > maxNesting) throw imageError(`${files.name} has more than ${maxNesting} indexes inside of one another`);
  // An entry without a platform is the only one, or an index: its own entries have one.
  const open = entries.filter(({ platform }) => platform === undefined);
  const [first] = [...entries.filter(({ platform }) => platform && fits(platform, choice.platform)), ...open];
  if (first === undefined) {
    const has = [...new Set(entries.map(({ platform }) => platformText(platform!)))].join(', ');
    throw imageError(`${files.name} has no image for ${platformText(choice.platform)}`, {
      ...(has !== '' && { hint: `choose one with --platform: ${has}` }),
    });
  }
  const document = files.document(blobPath(first), first);
  return isIndex(document) ? chosenManifest(files, manifestsOf(document), choice, depth + 1) : document;
}

/** A single image may be for another machine; binfmt_misc can run that, if the caller means it. */
function checkPlatform({ platform, document }: ImageConfig, { platform: wanted }: Choice): void {
  if (platform.os === '' || platform.architecture === '' || fits(platform, wanted)) return;
  throw imageError(`the image is for ${platformText(platform)}, not for ${platformText(wanted)}`, {
    document,
    pointer: '/architecture',
    ...(platform.os === 'linux' && { hint: `add --platform ${platformText(platform)} if this machine can run it` }),
  });
}

/** @throws RuntError ERR_IMAGE */
function imageOfDocker(files: ImageFiles, choice: Choice): Image {
  const document = files.document('manifest.json');
  const { config: path, layers } = savedImage(files, document, savedImagesOf(document), choice.ref);
  // The name is the digest of the content.
  const hex = /^(?:blobs\/sha256\/)?([0-9a-f]{64})(?:\.json)?$/.exec(path)?.[1];
  const config = imageConfigOf(files.document(path, hex === undefined ? {} : { digest: `sha256:${hex}` }));
  checkPlatform(config, choice);
  return {
    config,
    layers: layers.map((layer, i) => ({ path: layer, diffId: diffIdOf(config, layers.length, i) })),
  };
}

function savedImage(files: ImageFiles, document: Document, all: readonly SavedImage[], ref?: string): SavedImage {
  const list = [...new Set(all.flatMap(({ tags }) => tags))].join(', ');
  const found = ref === undefined ? all : all.filter(({ tags }) => tags.includes(ref));
  if (found.length === 1) return found[0]!;
  const count = found.length === 0 ? 'no image' : `${found.length} images`;
  throw imageError(`${files.name} has ${count}${ref === undefined ? '' : ` named ${JSON.stringify(ref)}`}`, {
    document,
    ...(list !== '' && found.length === 0 && { hint: `choose one with --ref: ${list}` }),
    ...(list !== '' && ref === undefined && { hint: `choose one with --ref: ${list}` }),
    ...(list === '' && all.length > 1 && { hint: 'run "docker save NAME" for one image: these have no names' }),
  });
}
