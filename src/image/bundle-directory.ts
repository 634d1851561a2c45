/** The directory of a new bundle, which is whole or empty: what a killed run leaves is removed by the next one. */

import { E } from '../sys/errno.js';
import { check, RuntError } from '../sys/error.js';
import { OwnedFd } from '../sys/fds.js';
import { listDir, makeDir, makeParents, tryStat } from '../sys/fs.js';
import { native } from '../sys/host.js';
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  LOCK_EX,
  LOCK_NB,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  S_IFDIR,
  S_IFMT,
} from '../sys/linux.js';
import { roomHint } from './layer-messages.js';

/** Name of the directory for what is not done yet. While it is there, all in the bundle is half done. */
const partial = '.runt-partial';
/** Name of the directory below it for files that are not the bundle's. */
const scratch = 'image';
/** The names of a bundle that is half done. */
const ours: readonly string[] = [partial, 'rootfs', 'config.json'];

/** Who owns the root file system, and removes it. */
export interface Owner {
  /** Ids of the container's root on this host, for those who may set them. */
  readonly ids?: { readonly uid: number; readonly gid: number };
  /** For an ordinary user. */
  readonly empty?: Empty;
}

/** Empties a directory of files that only root of a user namespace may remove. */
type Empty = (directory: number) => Promise<void>;

/** Removes directories that were made, as far as nobody has put something into them meanwhile. */
function removeMade(made: readonly string[]): void {
  for (const path of [...made].reverse()) {
    if (native.unlinkAt(AT_FDCWD, path, AT_REMOVEDIR) < 0) return;
  }
}

/** Adds what helps against a file system that is full. */
function withRoom(error: unknown): unknown {
  if (!(error instanceof RuntError) || (error.errno !== E.ENOSPC && error.errno !== E.EDQUOT)) return error;
  return Object.assign(error, { hint: roomHint });
}

export class BundleDirectory {
  private constructor(
    readonly path: string,
    /** It and its parents, as far as they were missing; it is the last one. */
    private readonly made: readonly string[],
    private readonly directory: OwnedFd,
    private readonly owner: Owner,
  ) {}

  /**
   * Makes the directory, or takes an empty one, or one that a killed run left.
   * @throws RuntError ERR_BUNDLE_EXISTS, ERR_BUNDLE_BUSY, ERR_IO
   */
  static async open(path: string, owner: Owner): Promise<BundleDirectory> {
    const made: string[] = [];
    try {
      makeParents(path, 0o755, made);
      // Setuid programs of the image are for the container, not for the users of the host.
      if (makeDir(path, 0o700)) made.push(path);
      const facts = { code: 'ERR_IO', message: `bundle: open ${path}`, path, syscall: 'openat' };
      const directory = new OwnedFd(check(native.openAt(AT_FDCWD, `${path}/`, O_RDONLY, 0), facts));
      const bundle = new BundleDirectory(path, made, directory, owner);
      await bundle.begin().catch((error: unknown) => {
        bundle.close();
        throw error;
      });
      return bundle;
    } catch (error) {
      removeMade(made);
      throw withRoom(error);
    }
  }

  private async begin(): Promise<void> {
    this.lock();
    await this.removeLeftovers();
    try {
      this.makeDirectories();
    } catch (error) {
      // Both directories are empty.
      this.unlink(`${partial}/rootfs`, AT_REMOVEDIR);
      this.unlink(partial, AT_REMOVEDIR);
      throw error;
    }
  }

  private lock(): void {
    const r = native.flock(this.directory.number, LOCK_EX | LOCK_NB);
    const message = `bundle: lock ${this.path}`;
    if (r !== -E.EAGAIN) {
      check(r, { code: 'ERR_IO', message, path: this.path, syscall: 'flock' });
      return;
    }
    throw new RuntError({
      code: 'ERR_BUNDLE_BUSY',
      message: `${message}: another runt writes a bundle there`,
      path: this.path,
    });
  }

  private async removeLeftovers(): Promise<void> {
    const names = listDir('.', this.directory.number);
    if (names.length === 0) return;
    const left = tryStat(partial, this.directory.number, AT_SYMLINK_NOFOLLOW);
    const isLeft = left !== undefined && (left.mode & S_IFMT) === S_IFDIR && names.every((name) => ours.includes(name));
    // Only its removal was left to do: the bundle is whole.
    const isWhole = isLeft && names.includes('config.json');
    if (isWhole) this.unlink(partial, AT_REMOVEDIR);
    if (isLeft && !isWhole) {
      await this.removeAll();
      return;
    }
    throw new RuntError({
      code: 'ERR_BUNDLE_EXISTS',
      message: `bundle: ${this.path} is not empty`,
      path: this.path,
      hint: isWhole
        ? 'remove the bundle that is there, or name a new directory'
        : 'name a new directory, or remove this one',
    });
  }

  private makeDirectories(): void {
    for (const [name, mode] of [
      [partial, 0o700],
      [`${partial}/rootfs`, 0o755],
    ] as const) {
      const facts = {
        code: 'ERR_IO',
        message: `bundle: make ${this.path}/${name}`,
        path: this.path,
        syscall: 'mkdirat',
      };
      check(native.mkdirAt(this.directory.number, name, mode), facts);
    }
    const { ids } = this.owner;
    if (!ids || (ids.uid === 0 && ids.gid === 0)) return;
    this.chown(`${partial}/rootfs`, ids.uid, ids.gid);
    // The root of the container mounts overlays itself, and so must reach the layers below it.
    if (this.made.at(-1) !== this.path) return;
    this.chown('', -1, ids.gid);
    const facts = {
      code: 'ERR_IO',
      message: `bundle: set the mode of ${this.path}`,
      path: this.path,
      syscall: 'fchmodat',
    };
    check(native.chmodAt(this.directory.number, '.', 0o710), facts);
  }

  private chown(name: string, uid: number, gid: number): void {
    check(native.chownAt(this.directory.number, name, BigInt(uid), BigInt(gid)), {
      code: 'ERR_IO',
      message: `bundle: set the owner of ${this.path}/${name}`,
      path: this.path,
      syscall: 'fchownat',
    });
  }

  /** A new directory beside the rootfs that is not part of the bundle. @throws RuntError ERR_IO */
  makeScratch(): OwnedFd {
    check(native.mkdirAt(this.directory.number, `${partial}/${scratch}`, 0o700), {
      code: 'ERR_IO',
      message: `bundle: make ${this.path}/${partial}/${scratch}`,
      syscall: 'mkdirat',
    });
    return this.openPart(scratch);
  }

  /** The directory of the root file system, until `placeRootfs`. @throws RuntError ERR_IO */
  openRootfs = (): OwnedFd => this.openPart('rootfs');

  private openPart(name: string): OwnedFd {
    const path = `${partial}/${name}`;
    const message = `bundle: open ${this.path}/${path}`;
    return new OwnedFd(
      check(native.openDirectory(this.directory.number, path, O_RDONLY), {
        code: 'ERR_IO',
        message,
        syscall: 'openat',
      }),
    );
  }

  /** Moves the root file system to its name. @throws RuntError ERR_IO */
  placeRootfs(): void {
    this.place('rootfs');
  }

  /** Writes config.json, which makes the bundle whole. @throws RuntError ERR_IO */
  async placeConfig(text: Uint8Array): Promise<void> {
    const path = `${partial}/config.json`;
    const facts = {
      code: 'ERR_IO',
      message: `bundle: write ${this.path}/config.json`,
      path: this.path,
      syscall: 'write',
    };
    try {
      check(native.writeFile(this.directory.number, path, O_CREAT | O_EXCL, 0o644, text), facts);
    } catch (error) {
      throw withRoom(error);
    }
    await this.removeTree(`${partial}/${scratch}`);
    this.place('config.json');
    this.unlink(partial, AT_REMOVEDIR);
  }

  private place(name: string): void {
    const { number } = this.directory;
    const facts = { code: 'ERR_IO', message: `bundle: move ${name} into ${this.path}`, syscall: 'renameat' };
    check(native.renameAt(number, `${partial}/${name}`, number, name), facts);
  }

  /** Removes what was made. @throws RuntError ERR_IO */
  async undo(): Promise<void> {
    await this.removeAll();
    removeMade(this.made);
  }

  close(): void {
    this.directory.close();
  }

  /** The mark last. */
  private async removeAll(): Promise<void> {
    const { number } = this.directory;
    await this.removeTree('rootfs');
    this.unlink('config.json', 0);
    const within = tryStat(partial, number, AT_SYMLINK_NOFOLLOW) ? listDir(partial, number) : [];
    for (const name of within) await this.removeTree(`${partial}/${name}`);
    this.unlink(partial, AT_REMOVEDIR);
  }

  private async removeTree(name: string): Promise<void> {
    const { number } = this.directory;
    if (this.owner.empty) {
      const fd = native.openDirectory(number, name, O_RDONLY);
      try {
        if (fd >= 0) await this.owner.empty(fd);
      } finally {
        if (fd >= 0) native.close(fd);
      }
    }
    const message = `bundle: remove ${this.path}/${name}`;
    check(native.removeTree(number, name), { code: 'ERR_IO', message, path: this.path, syscall: 'unlinkat' });
  }

  private unlink(name: string, flags: number): void {
    const r = native.unlinkAt(this.directory.number, name, flags);
    if (r === -E.ENOENT) return;
    const message = `bundle: remove ${this.path}/${name}`;
    check(r, { code: 'ERR_IO', message, path: this.path, syscall: 'unlinkat' });
  }
}
