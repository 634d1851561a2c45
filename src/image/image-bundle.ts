/** Makes a bundle of an image on disk. */

import { hostLookups } from '../container/bundle/host-lookups.js';
import { bundleSpec } from '../container/bundle/write-bundle.js';
import type { EarlyEnd } from '../container/wait.js';
import { printable } from '../plan/printable-text.js';
import type { Spec } from '../spec/config-types.js';
import { rootIds } from '../spec/id-ranges.js';
import { toJson } from '../spec/json/exact-json.js';
import type { SpecCaller, SpecOptions } from '../spec/options/option-types.js';
import { specOf } from '../spec/options/spec-options.js';
import { check } from '../sys/error.js';
import { OwnedFd } from '../sys/fds.js';
import { host, native } from '../sys/host.js';
import { AT_EMPTY_PATH, AT_FDCWD, O_NOCTTY, O_NONBLOCK, O_RDONLY, S_IFDIR, S_IFMT, S_IFREG } from '../sys/linux.js';
import { BundleDirectory, type Owner } from './bundle-directory.js';
import { openIdNamespace } from './id-namespace.js';
import { imageError } from './image-error.js';
import { ImageFiles } from './image-files.js';
import { applyImage, type Command, removeCovered, unsafeLabels } from './image-settings.js';
import { type Choice, findImage, type Image, type Layer } from './image-source.js';
import { databasesOf, mappedUser, type User, userOf } from './image-user.js';
import { leftOutSentence, type Named, unpackError } from './layer-messages.js';
import {
  type Archive,
  emptyDirectory,
  LayerFailed,
  type LeftOut,
  type Limits,
  type Target,
  unpack,
} from './layer-program.js';

/** More than any image of an engine, and less than what fills most disks. */
export const imageLimits: Limits = { bytes: 64 * 2 ** 30, entries: 2_000_000 };

interface BundleRequest {
  /** Absolute path of a directory in the OCI layout, or of an archive of one, or of `docker save`. */
  readonly image: string;
  /** Absolute path of the new bundle. */
  readonly directory: string;
  readonly choice: Choice;
  readonly command: Command;
  /** `USER[:GROUP]`, names or numbers, in place of the image's. */
  readonly user?: string;
  readonly limits: Limits;
  /** The other options. */
  readonly options: SpecOptions;
  readonly caller: SpecCaller;
  readonly warn: (sentence: string) => void;
  /** Ends the unpacking, and removes what it has made. */
  readonly early?: EarlyEnd;
}

/**
 * The bundle is whole, or it is not there.
 * @throws RuntError ERR_IMAGE, ERR_IMAGE_DIGEST, ERR_IMAGE_ENTRY, ERR_IMAGE_LIMIT, ERR_IMAGE_UNPACK, ERR_IMAGE_USER,
 *   ERR_IMAGE_PROGRAM, ERR_BUNDLE_EXISTS, ERR_BUNDLE_BUSY, ERR_ID_MAP, ERR_IO, ERR_USAGE, ERR_SPEC_INVALID
 */
export async function bundleImage(request: BundleRequest): Promise<void> {
  const { directory, options, caller } = request;
  const source = openSource(request.image);
  let namespace: OwnedFd | undefined;
  let bundle: BundleDirectory | undefined;
  try {
    // Before minutes of unpacking: a wrong option, and the ids that the files get.
    const spec = specOf(options, caller, hostLookups(caller.root));
    namespace = await openIdNamespace(spec, directory);
    const space = namespace && { namespace: namespace.number };
    const owner: Owner =
      caller.uid === 0 ? { ids: rootIds(spec.linux) } : { empty: (root: number) => emptyDirectory({ root, ...space }) };
    bundle = await BundleDirectory.open(directory, owner);
    await fill(bundle, request, source, spec, { ...space, early: request.early });
  } catch (error) {
    await bundle?.undo().catch((second: unknown) => {
      request.warn(`${directory} was not removed: ${second instanceof Error ? second.message : second}`);
    });
    throw error;
  } finally {
    bundle?.close();
    namespace?.close();
    source.fd.close();
  }
}

interface Source {
  readonly fd: OwnedFd;
  readonly isDirectory: boolean;
  readonly size: number;
}

function openSource(path: string): Source {
  const facts = { code: 'ERR_IMAGE', message: `bundle: open ${path}`, path, syscall: 'openat' };
  const fd = new OwnedFd(check(native.openAt(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0), facts));
  const out = new BigInt64Array(8);
  check(native.stat(fd.number, '', AT_EMPTY_PATH, new Uint8Array(out.buffer)), { ...facts, syscall: 'newfstatat' });
  const type = Number(out[0]) & S_IFMT;
  if (type === S_IFDIR || type === S_IFREG) return { fd, isDirectory: type === S_IFDIR, size: Number(out[3]) };
  fd.close();
  throw imageError(`${path} is neither a directory nor a regular file`);
}

type Space = Pick<Target, 'namespace' | 'early'>;

async function fill(
  bundle: BundleDirectory,
  request: BundleRequest,
  source: Source,
  spec: Spec,
  space: Space,
): Promise<void> {
  const { image: path, limits, warn } = request;
  let scratch: OwnedFd | undefined;
  const rootfs = bundle.openRootfs();
  try {
    if (!source.isDirectory) {
      scratch = bundle.makeScratch();
      const archive: Archive = { kind: 'archive', fd: source.fd.number, size: source.size };
      const { early } = space;
      await unpackNamed(archive, { shown: path, limits }, { root: scratch.number, early }, limits);
    }
    const files = new ImageFiles(path, scratch?.number ?? source.fd.number);
    const image = findImage(files, request.choice);
    // Before minutes of unpacking too: a wrong setting of the image. Of this config only the ids are used below.
    applyImage(spec, image.config, request.command);
    await unpackLayers(files, image, { root: rootfs.number, ...space }, limits, warn);
    for (const label of unsafeLabels(image.config)) {
      warn(`the label ${printable(label)} of the image was left out: as an annotation it would change the container`);
    }
    const user = userIn(rootfs.number, image, request, spec.linux);
    bundle.placeRootfs();
    const whole = await imageSpec(request, image, user);
    await bundle.placeConfig(host.encode(`${toJson(whole, '\t')}\n`));
  } finally {
    rootfs.close();
    scratch?.close();
  }
}

async function unpackLayers(
  files: ImageFiles,
  { layers }: Image,
  target: Target,
  limits: Limits,
  warn: (sentence: string) => void,
): Promise<void> {
  let left = limits;
  const out = new Map<string, LeftOut>();
  for (const layer of layers) {
    const unpacked = await unpackLayer(files, layer, target, limits, left);
    left = unpacked.left;
    for (const one of unpacked.warnings) {
      const before = out.get(one.kind);
      out.set(one.kind, before ? { ...before, count: before.count + one.count } : one);
    }
  }
  for (const one of out.values()) warn(leftOutSentence(one));
}

const hexOf = (digest: string): string => digest.slice(digest.indexOf(':') + 1);

async function unpackLayer(files: ImageFiles, layer: Layer, target: Target, limits: Limits, left: Limits) {
  const { path, digest, size: expected, diffId } = layer;
  const shown = `${files.name}/${path}`;
  const { fd, size } = files.open(path);
  try {
    const archive: Archive = {
      kind: 'layer',
      fd: fd.number,
      size: expected ?? size,
      ...(digest !== undefined && { digest: hexOf(digest) }),
      diffId: hexOf(diffId),
    };
    return await unpackNamed(archive, { shown, diffId, limits, ...(digest !== undefined && { digest }) }, target, left);
  } finally {
    fd.close();
  }
}

async function unpackNamed(archive: Archive, named: Named, target: Target, left: Limits) {
  try {
    return await unpack(archive, left, target);
  } catch (error) {
    throw error instanceof LayerFailed ? unpackError(error, named) : error;
  }
}

/** The user of the caller, or else of the image. */
function userIn(rootfs: number, { config }: Image, { user, caller, warn }: BundleRequest, linux: Spec['linux']): User {
  const [text, where] =
    user === undefined ? [config.user ?? '0', 'the user of the image'] : [user, caller.name('user')];
  const found = userOf(text, where, databasesOf(rootfs));
  const { user: mapped, lost } = mappedUser(found, text, where, linux);
  if (lost.length > 0) warn(`${where}: the groups ${lost.join(', ')} are not mapped here, and were left out`);
  return mapped;
}

async function imageSpec(
  { options, caller, command, warn }: BundleRequest,
  { config }: Image,
  user: User,
): Promise<Spec> {
  const hasLayer = options.overlay !== undefined || options.ephemeral !== undefined;
  // The files are the bundle's own: as with engines, the container may write to them.
  const own: SpecOptions = hasLayer ? options : { readOnly: false, ...options };
  const template = (spec: Spec): void => {
    for (const volume of applyImage(spec, config, command)) {
      warn(`the volume ${printable(volume)} of the image was left out: every container has a mount there`);
    }
    spec.process!.user = user;
  };
  const spec = await bundleSpec(own, { ...caller, template });
  removeCovered(spec, config);
  return spec;
}
