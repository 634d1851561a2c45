/** The files of an image on disk: a directory in the OCI layout, or one that an archive was unpacked into. */
import { parseJson } from '../spec/json/parse-json.js';
import { E } from '../sys/errno.js';
import { check, RuntError } from '../sys/error.js';
import { OwnedFd } from '../sys/fds.js';
import { host, native } from '../sys/host.js';
import {
  AT_EMPTY_PATH,
  O_NOCTTY,
  O_NONBLOCK,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  S_IFMT,
  S_IFREG,
} from '../sys/linux.js';
import { type Document, imageError } from './image-error.js';

/** The most bytes of a manifest, an index or a config; registries take 4 MiB (distribution-spec). */
const maxDocument = 4 << 20;

/** An open regular file. */
interface ImageFile {
  readonly fd: OwnedFd;
  readonly size: number;
}

export class ImageFiles {
  /** @param name of the directory, for errors @param directory its descriptor, which the caller closes */
  constructor(
    readonly name: string,
    private readonly directory: number,
  ) {}

  /** Undefined if the file does not exist. @throws RuntError ERR_IMAGE */
  tryOpen(path: string): ImageFile | undefined {
    const shown = `${this.name}/${path}`;
    const flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
    // Symlinks that stay in the directory: older versions of Docker link equal layers.
    let fd = native.openAt2(this.directory, path, flags, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
    // No openat2, or a filter that forbids it: then without symlinks.
    if (fd === -E.ENOSYS || fd === -E.EPERM) fd = this.walk(path, flags);
    if (fd === -E.ENOENT || fd === -E.ENOTDIR) return undefined;
    if (fd === -E.EXDEV)
      throw imageError(`${shown} leads out of the image, by "..", a "/" at its beginning or a symlink`);
    if (fd === -E.ELOOP) throw imageError(`${shown} leads through too many symlinks, or through one of procfs`);
    // A socket.
    if (fd === -E.ENXIO) throw imageError(`${shown} is not a regular file`);
    const owned = new OwnedFd(check(fd, { code: 'ERR_IMAGE', message: `bundle: open ${shown}`, path: shown }));
    const out = new BigInt64Array(8);
    const r = native.stat(owned.number, '', AT_EMPTY_PATH, new Uint8Array(out.buffer));
    if (r < 0 || (Number(out[0]) & S_IFMT) !== S_IFREG) {
      owned.close();
      throw imageError(`${shown} is not a regular file`);
    }
    return { fd: owned, size: Number(out[3]) };
  }

  private walk(path: string, flags: number): number {
    const names = path.split('/').filter((name) => name !== '' && name !== '.');
    if (names.includes('..')) return -E.EXDEV;
    let at = native.duplicate(this.directory);
    for (const [i, name] of names.entries()) {
      if (at < 0) return at;
      const isLast = i === names.length - 1;
      const next = isLast ? native.openEntry(at, name, flags) : native.openDirectory(at, name, O_RDONLY);
      native.close(at);
      at = next;
    }
    return at;
  }

  /** @throws RuntError ERR_IMAGE */
  open(path: string): ImageFile {
    const file = this.tryOpen(path);
    if (file) return file;
    throw imageError(`${this.name}/${path} is missing`, {
      hint: 'fetch the image again: its files are not all there',
    });
  }

  /**
   * Reads a JSON document and compares its size and digest, where they are known.
   * @throws RuntError ERR_IMAGE, ERR_IMAGE_DIGEST
   */
  document(path: string, expected: { readonly digest?: string; readonly size?: number } = {}): Document {
    const { fd, size } = this.open(path);
    try {
      const shown = `${this.name}/${path}`;
      if (expected.size !== undefined && expected.size !== size) throw sizeError(shown, size, expected.size);
      if (size > maxDocument) throw imageError(`${shown} has ${size} bytes; runt takes at most ${maxDocument}`);
      const bytes = readAll(fd.number, size, shown);
      if (expected.digest !== undefined) compareDigest(bytes, expected.digest, shown);
      return { path, value: parse(host.decode(bytes, bytes.length), shown) };
    } finally {
      fd.close();
    }
  }
}

function readAll(fd: number, size: number, shown: string): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; ) {
    const n = check(native.read(fd, bytes.subarray(at)), { code: 'ERR_IMAGE', message: `bundle: read ${shown}` });
    if (n === 0) throw imageError(`${shown} became shorter while it was read`);
    at += n;
  }
  return bytes;
}

/** A document that is not JSON is a defect of the image. */
function parse(text: string, shown: string): unknown {
  try {
    return parseJson(text, shown);
  } catch (error) {
    if (!(error instanceof RuntError)) throw error;
    throw imageError(error.message);
  }
}

const sizeError = (shown: string, found: number, expected: number): RuntError =>
  new RuntError({
    code: 'ERR_IMAGE_DIGEST',
    message: `bundle: ${shown} has ${found} bytes, and its descriptor says ${expected}`,
    path: shown,
    hint: 'fetch the image again: the file is damaged, or the copy was interrupted',
  });

export const digestError = (shown: string, found: string, expected: string): RuntError =>
  new RuntError({
    code: 'ERR_IMAGE_DIGEST',
    message: `bundle: ${shown} has the digest sha256:${found}, and should have ${expected}`,
    path: shown,
    hint: 'fetch the image again: the file is damaged, or somebody changed it',
  });

function compareDigest(bytes: Uint8Array, expected: string, shown: string): void {
  const digest = new Uint8Array(32);
  native.sha256(bytes, digest);
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (`sha256:${found}` !== expected) throw digestError(shown, found, expected);
}
