/** The record of what `runt install` changed on a host, by which it is undone byte for byte. */

import { isObject } from '../spec/json/is-object.js';
import { E } from '../sys/errno.js';
import { check, RuntError } from '../sys/error.js';
import { readLink, tryReadText, tryStat } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, O_CREAT, O_RDWR, S_IFLNK, S_IFMT } from '../sys/linux.js';
import { lock } from '../sys/waiting/file-lock.js';
import { installLockTime } from '../sys/waiting/time-limits.js';
import type { HostTree } from './host-tree.js';

/** One file that an engine needs. */
export interface Change {
  /** Path as the host has it, without symbolic links. */
  readonly path: string;
  /** Its new content; or the target of a symbolic link. */
  readonly content: Uint8Array | { readonly link: string };
  /** Permissions of a new file; an existing one keeps its own. */
  readonly mode?: number;
  /** The first line of what runt writes: an existing file must begin with it. Absent for files of others. */
  readonly mark?: string;
}

/** What is at a path: nothing, a link, or a file with this digest. */
type Present = { readonly kind: 'nothing' } | { readonly kind: 'link'; readonly target: string } | FilePresent;
interface FilePresent {
  readonly kind: 'file';
  readonly sha256: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

interface Entry {
  readonly path: string;
  readonly before: Present;
  /** Name of the copy of the earlier content, beside the record; only for a file. */
  readonly copy?: string;
  readonly after: Present;
  /** What an earlier version of runt wrote: a call that is killed after it wrote the record leaves it. */
  readonly earlier?: Present;
  /** Directories that runt made for it, outermost first. */
  readonly directories: readonly string[];
}

interface RecordFile {
  readonly version: 1;
  /** Whether the engine has not read the files yet, for all that runt knows. */
  readonly pending: boolean;
  readonly entries: readonly Entry[];
}

/** What was done with a file. */
export interface Done {
  readonly path: string;
  readonly what: 'unchanged' | 'written' | 'replaced' | 'restored' | 'removed';
}

const nothing: Present = { kind: 'nothing' };
/** The name of a copy of an earlier file. */
const copyName = /^[a-z]+-[0-9a-f]{16}$/;
/** The end of the name of a file that a killed call did not finish (native/core/files/installed-file.c). */
const unfinished = '.runt-new';

const hex = (bytes: Uint8Array): string => {
  const digest = new Uint8Array(32);
  native.sha256(bytes, digest);
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
};

const isPath = (value: unknown): boolean => typeof value === 'string' && value.startsWith('/');

function isPresent(value: unknown): boolean {
  if (!isObject(value)) return false;
  if (value.kind === 'link') return typeof value.target === 'string';
  const numbers = [value.mode, value.uid, value.gid];
  return (
    value.kind === 'nothing' ||
    (value.kind === 'file' && typeof value.sha256 === 'string' && numbers.every(Number.isInteger))
  );
}

/** Whether a value of a record is an entry: the file may be damaged, or somebody may have edited it. */
function isEntry(value: unknown): boolean {
  if (!isObject(value) || !isPath(value.path) || !isPresent(value.before) || !isPresent(value.after)) return false;
  const { earlier, directories, copy } = value;
  const isFile = (value.before as Present).kind === 'file';
  return (
    (earlier === undefined || isPresent(earlier)) &&
    Array.isArray(directories) &&
    directories.every(isPath) &&
    (isFile ? typeof copy === 'string' && copyName.test(copy) : copy === undefined)
  );
}

/** Whether both are the same for a reader: owner and mode do not count. */
function isSame(a: Present, b: Present): boolean {
  if (a.kind === 'file' && b.kind === 'file') return a.sha256 === b.sha256;
  if (a.kind === 'link' && b.kind === 'link') return a.target === b.target;
  return a.kind === b.kind;
}

/** Whether `runt install` left a file like that, in this call or in an earlier one. */
const isWritten = (now: Present, { after, earlier }: Entry): boolean =>
  isSame(now, after) || (earlier !== undefined && isSame(now, earlier));

/** What a call replaces, to put it back if the engine refuses what was written. */
interface Replaced {
  readonly entries: readonly Entry[];
  readonly pending: boolean;
  readonly files: readonly { readonly path: string; readonly was: Present; readonly content?: Change['content'] }[];
}

export class Ledger {
  /** What `base` found, by path: the new content was made from it. */
  private readonly read = new Map<string, Present>();
  private replaced: Replaced | undefined;

  private constructor(
    private readonly tree: HostTree,
    /** Directory of the record, as the host has it. */
    private readonly directory: string,
    private readonly name: string,
    private entries: readonly Entry[],
    private pending: boolean,
    /** The record as it was read or written; undefined for none. */
    private text: string | undefined,
  ) {}

  /**
   * Reads the record of an engine. Nothing is made if there is none.
   * @throws RuntError ERR_INSTALL for a record of another version of runt, ERR_IO
   */
  static open(tree: HostTree, directory: string, name: string): Ledger {
    const real = tree.resolve(directory);
    const path = `${real}/${name}.json`;
    const text = tryReadText(tree.outer(path));
    if (text === undefined) return new Ledger(tree, real, name, [], false, undefined);
    let record: unknown;
    try {
      record = JSON.parse(text);
    } catch {}
    const { version, entries, pending } = (record ?? {}) as Partial<RecordFile>;
    if (version !== 1 || !Array.isArray(entries) || !entries.every(isEntry))
      throw new RuntError({
        code: 'ERR_INSTALL',
        message: `read ${path}: it is not a record of this version of runt`,
        path,
        hint: 'use the version of runt that installed, or put the files that the record names back by hand',
      });
    return new Ledger(tree, real, name, entries, pending === true, text);
  }

  /** Path of the record. */
  private get record(): string {
    return `${this.directory}/${this.name}.json`;
  }

  get isEmpty(): boolean {
    return this.entries.length === 0;
  }

  /** Paths that the record has. */
  get paths(): string[] {
    return this.entries.map(({ path }) => path);
  }

  /**
   * The content that a new version of a file is made from: what was there before runt came, if the file is as runt
   * left it, else what is there. Undefined for nothing.
   */
  base(path: string): Uint8Array | undefined {
    const real = this.tree.resolve(path);
    const entry = this.entries.find((e) => e.path === real);
    const now = this.present(real);
    this.read.set(real, now);
    if (entry && isWritten(now, entry))
      return entry.copy === undefined ? undefined : this.tree.bytes(`${this.directory}/${entry.copy}`);
    return this.tree.bytes(real);
  }

  private present(path: string): Present {
    const outer = this.tree.outer(path);
    const stat = tryStat(outer, AT_FDCWD, AT_SYMLINK_NOFOLLOW);
    if (!stat) return nothing;
    if ((stat.mode & S_IFMT) === S_IFLNK) return { kind: 'link', target: readLink(outer) };
    const bytes = this.tree.bytes(path) ?? new Uint8Array(0);
    return { kind: 'file', sha256: hex(bytes), mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid };
  }

  private after(change: Change, before: Present): Present {
    if ('link' in change.content) return { kind: 'link', target: change.content.link };
    // A new file is the caller's.
    const owner = before.kind === 'file' ? before : { mode: change.mode ?? 0o644, uid: -1, gid: -1 };
    const { mode, uid, gid } = owner;
    return { kind: 'file', sha256: hex(change.content), mode: change.mode ?? mode, uid, gid };
  }

  /**
   * Compares the changes with what is there, and changes nothing.
   * @throws RuntError ERR_INSTALL_CHANGED for a file that somebody changed since runt wrote it
   */
  compare(changes: readonly Change[]): Done[] {
    return changes.map((change) => {
      const now = this.present(change.path);
      const entry = this.entries.find((e) => e.path === change.path);
      if (isSame(now, this.after(change, now))) return { path: change.path, what: 'unchanged' };
      if (entry && !isWritten(now, entry) && !isSame(now, entry.before)) throw this.changedError('install', entry, now);
      if (change.mark !== undefined && now.kind !== 'nothing' && !entry) this.checkMark(change.path, change.mark);
      return { path: change.path, what: now.kind === 'nothing' ? 'written' : 'replaced' };
    });
  }

  /**
   * Writes the files. The record comes first: whenever this is killed, `undo` or a second call completes it.
   * @throws RuntError ERR_INSTALL_CHANGED, ERR_INSTALL, ERR_IO
   */
  async apply(changes: readonly Change[]): Promise<Done[]> {
    let done = this.compare(changes);
    if (done.every(({ what }) => what === 'unchanged')) return done;
    const made = this.makeDirectories(this.directory, 0o700);
    await this.locked(() => {
      this.checkUnchanged(changes);
      done = this.compare(changes);
      this.replaced = this.replacedBy(changes);
      const fresh = changes.map((change) => this.entryOf(change));
      const others = this.entries.filter((e) => !fresh.some(({ path }) => path === e.path));
      const entries = [...others, ...fresh];
      // Those of the record itself go last.
      if (made.length > 0 && this.isEmpty)
        entries[0] = { ...entries[0]!, directories: [...made, ...entries[0]!.directories] };
      this.save(entries, true);
      for (const [i, change] of changes.entries()) {
        if (done[i]!.what === 'unchanged') continue;
        this.makeDirectories(change.path.slice(0, change.path.lastIndexOf('/')), 0o755);
        this.put(change.path, fresh[i]!.after, change.content);
      }
    });
    return done;
  }

  /** @throws RuntError ERR_INSTALL_CHANGED for a file that somebody changed after it was read for this call */
  private checkUnchanged(changes: readonly Change[]): void {
    for (const { path } of changes) {
      const read = this.read.get(path);
      if (read && !isSame(read, this.present(path)))
        throw new RuntError({
          code: 'ERR_INSTALL_CHANGED',
          message: `install: ${path} was changed meanwhile`,
          path,
          hint: 'run the command again',
        });
    }
  }

  private replacedBy(changes: readonly Change[]): Replaced {
    const { entries, pending } = this;
    const files = changes.map(({ path }) => {
      const was = this.present(path);
      if (was.kind === 'nothing') return { path, was };
      return { path, was, content: was.kind === 'link' ? { link: was.target } : this.tree.bytes(path)! };
    });
    return { entries, pending, files };
  }

  /**
   * Puts back what the last `apply` replaced: what an earlier version of runt or the user wrote.
   * @throws RuntError ERR_INSTALL_CHANGED, ERR_INSTALL, ERR_IO
   */
  async revert(): Promise<void> {
    const replaced = this.replaced;
    if (!replaced) return;
    this.replaced = undefined;
    if (replaced.entries.length === 0) {
      await this.restore();
      await this.forget();
      return;
    }
    await this.locked(() => {
      for (const { path, was, content } of replaced.files) {
        if (isSame(this.present(path), was)) continue;
        if (content === undefined) this.remove(path);
        else this.put(path, was, content);
      }
      this.save(replaced.entries, replaced.pending);
    });
  }

  private entryOf(change: Change): Entry {
    const now = this.present(change.path);
    const known = this.entries.find((e) => e.path === change.path);
    const before = known?.before ?? now;
    const after = this.after(change, before.kind === 'file' ? before : now);
    const directories = known?.directories ?? this.missing(change.path.slice(0, change.path.lastIndexOf('/')));
    const entry = { path: change.path, before, after, directories, ...(known && { earlier: now }) };
    if (before.kind !== 'file') return entry;
    const copy = known?.copy ?? `${this.name}-${before.sha256.slice(0, 16)}`;
    // Also for a known one: an undo that was killed may have removed the copy.
    if (isSame(now, before))
      this.write(`${this.directory}/${copy}`, 0o600, this.tree.bytes(change.path) ?? new Uint8Array(0));
    return { ...entry, copy };
  }

  /**
   * Compares what is there with what was before the first install, and changes nothing.
   * @throws RuntError ERR_INSTALL_CHANGED if a file is neither as runt wrote it nor as it was before
   */
  compareUndo(): Done[] {
    return this.entries.map((entry) => {
      const { path, before } = entry;
      const now = this.present(path);
      if (isSame(now, before)) return { path, what: 'unchanged' };
      if (!isWritten(now, entry)) throw this.changedError('undo', entry, now);
      return { path, what: before.kind === 'nothing' ? 'removed' : 'restored' };
    });
  }

  /**
   * Puts everything back as it was before the first install, byte for byte, or nothing. The record stays.
   * @throws RuntError ERR_INSTALL_CHANGED, ERR_INSTALL
   */
  async restore(): Promise<Done[]> {
    const done = this.compareUndo();
    if (done.every(({ what }) => what === 'unchanged')) return done;
    await this.locked(() => {
      this.save(this.entries, true);
      for (const [i, { path, before, copy }] of this.entries.entries()) {
        if (done[i]!.what === 'unchanged') continue;
        if (before.kind === 'nothing') this.remove(path);
        else if (before.kind === 'link') this.put(path, before, { link: before.target });
        else this.put(path, before, this.copyOf(path, before, `${this.directory}/${copy}`));
      }
    });
    return done;
  }

  /** Removes the record of files that are restored. @throws RuntError ERR_INSTALL */
  async forget(): Promise<void> {
    if (this.isEmpty) return;
    const directories = this.entries.flatMap((entry) => entry.directories);
    await this.locked(() => {
      const own = this.entries.flatMap(({ copy }) => (copy === undefined ? [] : [`${this.directory}/${copy}`]));
      for (const path of [...this.paths, ...own, this.record]) this.remove(`${path}${unfinished}`);
      this.removeDirectories(directories.filter((path) => !`${this.directory}/`.startsWith(`${path}/`)));
      for (const path of [...own, this.record]) this.remove(path);
      this.entries = [];
      this.pending = false;
      this.text = undefined;
      this.remove(`${this.directory}/${this.name}.lock`);
    });
    this.removeDirectories([...directories, this.directory, this.directory.slice(0, this.directory.lastIndexOf('/'))]);
  }

  /**
   * Removes what a call has left that was killed before it wrote its record.
   * @throws RuntError ERR_INSTALL
   */
  async clear(): Promise<void> {
    const { directory, name } = this;
    if (this.text !== undefined || !this.tree.exists(directory)) return;
    const copy = new RegExp(`^${name}-[0-9a-f]{16}(?:${unfinished})?$`);
    const left = this.tree.list(directory).filter((n) => n === `${name}.json${unfinished}` || copy.test(n));
    const lockFile = `${name}.lock`;
    if (left.length > 0 || this.tree.exists(`${directory}/${lockFile}`))
      await this.locked(() => {
        for (const file of [...left, lockFile]) this.remove(`${directory}/${file}`);
      });
    this.removeDirectories([directory, directory.slice(0, directory.lastIndexOf('/'))]);
  }

  /** The earlier content of a file. @throws RuntError ERR_INSTALL if the copy is gone or has other bytes */
  private copyOf(path: string, { sha256 }: FilePresent, copy: string): Uint8Array {
    const bytes = this.tree.bytes(copy);
    if (bytes && hex(bytes) === sha256) return bytes;
    throw new RuntError({
      code: 'ERR_INSTALL',
      message: `restore ${path}: the copy of the earlier file ${bytes ? 'was changed' : 'is gone'}`,
      path: copy,
    });
  }

  /** @throws RuntError ERR_INSTALL for a file that runt did not write */
  private checkMark(path: string, mark: string): void {
    if (this.tree.text(path)?.startsWith(mark)) return;
    throw new RuntError({
      code: 'ERR_INSTALL',
      message: `install: ${path} is there already, and "runt install" did not write it`,
      path,
      hint: 'remove it, then run the command again',
    });
  }

  private changedError(command: string, { path, copy }: Entry, now: Present): RuntError {
    if (now.kind === 'nothing' && copy !== undefined)
      return new RuntError({
        code: 'ERR_INSTALL_CHANGED',
        message: `${command}: ${path} was removed after runt wrote it`,
        path,
        hint: `put ${this.directory}/${copy} there, which is the earlier file, then run the command again`,
      });
    return new RuntError({
      code: 'ERR_INSTALL_CHANGED',
      message: `${command}: ${path} was changed after runt wrote it`,
      path,
      hint: `remove the lines about runt from ${path} by hand, then delete ${this.record}`,
    });
  }

  private async locked(work: () => void): Promise<void> {
    const path = `${this.directory}/${this.name}.lock`;
    const fail = { code: 'ERR_INSTALL', message: `lock ${path}`, path };
    const fd = check(native.openAt(AT_FDCWD, this.tree.outer(path), O_RDWR | O_CREAT, 0o600), {
      ...fail,
      syscall: 'openat',
    });
    try {
      const hint = 'wait until the other "runt install" has ended';
      check(await lock(fd, installLockTime), { ...fail, syscall: 'flock', hint });
      if (tryReadText(this.tree.outer(this.record)) !== this.text)
        throw new RuntError({
          ...fail,
          message: 'install: another "runt install" wrote meanwhile',
          hint: 'run the command again',
        });
      work();
    } finally {
      native.close(fd);
    }
  }

  /** Whether the engine has still to read what was written. */
  get isPending(): boolean {
    return this.pending;
  }

  /** Records that the engine has read the files. @throws RuntError ERR_INSTALL */
  async settle(): Promise<void> {
    if (this.pending) await this.locked(() => this.save(this.entries, false));
  }

  private save(entries: readonly Entry[], pending: boolean): void {
    const record: RecordFile = { version: 1, pending, entries };
    const text = `${JSON.stringify(record, null, 1)}\n`;
    this.write(this.record, 0o600, host.encode(text));
    this.text = text;
    this.entries = entries;
    this.pending = pending;
  }

  private put(path: string, as: Present, content: Change['content']): void {
    if ('link' in content) {
      const result = native.installLink(content.link, this.tree.outer(path));
      check(result, { ...this.writeFailure(path, result), syscall: 'symlink' });
    } else if (as.kind === 'file') this.write(path, as.mode, content, as.uid, as.gid);
  }

  private write(path: string, mode: number, bytes: Uint8Array, uid = -1, gid = -1): void {
    const result = native.installFile(this.tree.outer(path), mode, BigInt(uid), BigInt(gid), bytes);
    check(result, { ...this.writeFailure(path, result), syscall: 'rename' });
  }

  private writeFailure(path: string, result: number) {
    return { code: 'ERR_INSTALL', message: `write ${path}`, path, hint: writeHint(-result) };
  }

  private remove(path: string): void {
    // On a read-only file system, unlink(2) of a missing file fails with EROFS.
    if (!tryStat(this.tree.outer(path), AT_FDCWD, AT_SYMLINK_NOFOLLOW)) return;
    const result = native.unlinkAt(AT_FDCWD, this.tree.outer(path), 0);
    if (result !== -E.ENOENT)
      check(result, { code: 'ERR_INSTALL', message: `remove ${path}`, path, syscall: 'unlinkat' });
  }

  /** The directories that do not exist, outermost first. */
  private missing(directory: string): string[] {
    const missing: string[] = [];
    for (let at = directory; at !== '' && !this.tree.exists(at); at = at.slice(0, at.lastIndexOf('/')))
      missing.unshift(at);
    return missing;
  }

  /** A directory that holds other files stays. */
  private removeDirectories(paths: readonly string[]): void {
    for (const path of [...new Set(paths)].sort((a, b) => b.length - a.length))
      native.unlinkAt(AT_FDCWD, this.tree.outer(path), AT_REMOVEDIR);
  }

  /** @returns those that did not exist, outermost first */
  private makeDirectories(directory: string, mode: number): string[] {
    const missing = this.missing(directory);
    for (const path of missing) {
      const result = native.mkdirAt(AT_FDCWD, this.tree.outer(path), path === directory ? mode : 0o755);
      if (result === -E.EEXIST) continue;
      const failure = { code: 'ERR_INSTALL', message: `make the directory ${path}`, path } as const;
      check(result, { ...failure, hint: writeHint(-result), syscall: 'mkdir' });
    }
    return missing;
  }
}

function writeHint(errno: number): string {
  if (errno === E.EROFS)
    return 'mount the file system with rw, or use the means of the distribution: its /etc may be an image';
  const undo = '"runt install --undo" removes what was written before';
  if (errno === E.ENOSPC || errno === E.EDQUOT) return `free space, then run the command again; ${undo}`;
  if (errno === E.ENOTDIR) return `remove the file that stands where a directory is needed; ${undo}`;
  return 'run "runt install --undo": it removes what was written before';
}
