/** Sentences about archives that were not, or not wholly, unpacked. */
import { E, errnoName } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import type { LayerErrorKind, LayerWarningKind } from '../sys/protocol.js';
import { digestError } from './image-files.js';
import type { LayerFailed, LeftOut, Limits } from './layer-program.js';

/** An archive, in errors. */
export interface Named {
  /** Path of the blob. */
  readonly shown: string;
  readonly digest?: string;
  readonly diffId?: string;
  readonly limits: Limits;
}

interface Told {
  readonly code: string;
  /** What holds of the archive or of its entry. */
  readonly problem: string;
  readonly hint?: string;
}

/** For a file system or a quota that is full. */
export const roomHint = 'make room on the file system of DIR';
const hostile = 'look at who made this image: no tool that makes layers writes such an entry';

const errors: { readonly [K in LayerErrorKind]: (failure: LayerFailed, archive: Named) => Told } = {
  call: ({ errno }) => ({
    code: 'ERR_IMAGE_UNPACK',
    problem: '',
    ...((errno === E.ENOSPC || errno === E.EDQUOT) && { hint: roomHint }),
  }),
  archive: ({ detail }) => ({ code: 'ERR_IMAGE', problem: `is not a whole tar archive: ${detail}` }),
  compression: ({ detail }) => ({ code: 'ERR_IMAGE', problem: `cannot be decompressed: ${detail}` }),
  size: () => ({
    code: 'ERR_IMAGE_DIGEST',
    problem: 'does not have the size of its descriptor',
    hint: 'fetch the image again: the file is damaged, or the copy was interrupted',
  }),
  digest: () => ({ code: 'ERR_IMAGE_DIGEST', problem: '' }),
  diffId: ({ detail }, { diffId }) => ({
    code: 'ERR_IMAGE_DIGEST',
    problem: `has the digest sha256:${detail} when it is decompressed, and the image's config says ${diffId}`,
  }),
  path: () => ({ code: 'ERR_IMAGE_ENTRY', problem: 'has a name with ".."', hint: hostile }),
  depth: () => ({ code: 'ERR_IMAGE_LIMIT', problem: 'is more than 255 directories deep' }),
  bytes: (_, { limits }) => ({
    code: 'ERR_IMAGE_LIMIT',
    problem: `unpacks to more than ${limits.bytes} bytes`,
    hint: 'add --max-size if the image may take more',
  }),
  entries: (_, { limits }) => ({ code: 'ERR_IMAGE_LIMIT', problem: `has more than ${limits.entries} entries` }),
  whiteout: () => ({ code: 'ERR_IMAGE_ENTRY', problem: 'is a whiteout that names nothing', hint: hostile }),
  type: () => ({ code: 'ERR_IMAGE_ENTRY', problem: 'has a type that layers do not have' }),
  owner: () => ({ code: 'ERR_IMAGE_ENTRY', problem: 'has an owner outside of 0 to 4294967294' }),
  device: () => ({ code: 'ERR_IMAGE_ENTRY', problem: "is the device 0:0, overlayfs's whiteout", hint: hostile }),
  link: ({ detail }) => ({
    code: 'ERR_IMAGE_ENTRY',
    problem: `is a hard link to ${JSON.stringify(detail)}, which is not a file of the image`,
  }),
};

/** The error of an archive that was not unpacked. */
export function unpackError(failure: LayerFailed, archive: Named): RuntError {
  const { kind, errno, path, detail } = failure;
  const { shown, digest = '' } = archive;
  if (kind === 'digest') return digestError(shown, detail, digest);
  const { code, problem, hint } = errors[kind](failure, archive);
  const subject = path === '' ? shown : `${JSON.stringify(path)} in ${shown}`;
  const sentence = kind === 'call' ? `${path === '' ? 'unpack' : 'write'} ${subject}` : `${subject} ${problem}`;
  return new RuntError({
    code,
    message: `bundle: ${sentence}`,
    path: path || shown,
    ...(errno !== 0 && { errno }),
    ...(kind === 'call' && { syscall: detail }),
    ...(hint !== undefined && { hint }),
  });
}

const warnings: { readonly [K in LayerWarningKind]: (some: string, out: LeftOut) => string } = {
  owner: (some) => `${some}: the owner is not mapped here, so the container's root is the owner`,
  device: (some) => `${some}: the device was not made, because only root of the host may make one`,
  xattr: (some, { detail, errno }) => `${some}: the extended attribute ${detail} was not set: ${errnoName(errno)}`,
  acl: (some, { detail }) =>
    `${some}: the access control list was not set: ${detail === '' ? 'it is not one of POSIX' : `it has no number for ${JSON.stringify(detail)}`}`,
  overlay: (some, { detail }) => `${some}: the extended attribute ${detail} was left out: it would change an overlay`,
};

/** A warning about entries of one kind in all layers. */
export const leftOutSentence = (out: LeftOut): string =>
  warnings[out.kind](out.count === 1 ? out.path : `${out.path} and ${out.count - 1} more`, out);
