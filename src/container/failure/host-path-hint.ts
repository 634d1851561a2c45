/** The reason why a host path cannot be opened or executed, found by a look at each of its components. */
import { type Hint, hintOf } from '../../plan/failure/known-cause.js';
import { mountOf } from '../../plan/mounts/noexec-mounts.js';
import type { Op } from '../../plan/plan-ops.js';
import type { Spec } from '../../spec/config-types.js';
import { E } from '../../sys/errno.js';
import { tryStat } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, S_IFDIR, S_IFMT, S_IFREG, X_OK } from '../../sys/linux.js';
import type { OpFailure } from './op-failed.js';

/** The first component of a path that blocks it. */
interface Obstacle {
  readonly path: string;
  readonly what: 'missing' | 'dangling' | 'file' | 'loop' | 'closed';
}

/** Mode of the file at a path, or -errno. */
function modeAt(path: string, flags = 0): number {
  const data = new Uint8Array(64);
  const r = native.stat(AT_FDCWD, path, flags, data);
  return r < 0 ? r : Number(new DataView(data.buffer).getBigInt64(0, true));
}

function obstacleOf(path: string): Obstacle | undefined {
  const parts = path.split('/').filter(Boolean);
  for (let i = 1; i <= parts.length; i++) {
    const here = `/${parts.slice(0, i).join('/')}`;
    const mode = modeAt(here);
    if (mode === -E.ENOENT) {
      const dangling = modeAt(here, AT_SYMLINK_NOFOLLOW) >= 0;
      return { path: here, what: dangling ? 'dangling' : 'missing' };
    }
    if (mode === -E.ELOOP) return { path: here, what: 'loop' };
    if (mode === -E.EACCES) return { path: `/${parts.slice(0, i - 1).join('/')}`, what: 'closed' };
    if (mode >= 0 && i < parts.length && (mode & S_IFMT) !== S_IFDIR) return { path: here, what: 'file' };
  }
  return undefined;
}

/**
 * A hint about the obstacle on `path`, called `name`, that ends with the remedy; `alternative` is an alternative
 * remedy.
 */
function obstacleHint(path: string, name: string, alternative: string): string | undefined {
  const found = obstacleOf(path);
  if (!found) return undefined;
  switch (found.what) {
    case 'missing':
      return found.path === path
        ? undefined
        : `make ${found.path}, or ${alternative}: it is on the way to ${name}, and does not exist`;
    case 'dangling':
      return `make the target of the symbolic link ${found.path}, or ${alternative}: it does not exist`;
    case 'file':
      return `${alternative}: ${found.path} is a file, and ${name} is looked for in it`;
    case 'loop':
      return `correct the symbolic links at ${found.path}, or ${alternative}: they lead in a circle`;
    case 'closed':
      return `give runt search permission (chmod +x) on ${found.path}, or ${alternative}: it may not search that directory`;
  }
}

/** The cause of a failure with a host path: a bind source, the root, or a program on a bind mount. */
export function hostPathHint({ op, errno, syscall, detail }: OpFailure, spec?: Spec): Hint | undefined {
  const source = sourceOf(op);
  if (source !== undefined && syscall === 'move_mount' && errno === E.ENOTDIR) return typeMismatchHint(source, op);
  if (source !== undefined && (detail === source || detail === '')) {
    const hint = obstacleHint(source, `the source ${source}`, "correct the mount's source");
    if (hint) return hintOf(hint, 'path_resolution(7)');
  }
  if ((op.op === 'rootfs' || op.op === 'detachedRoot') && (detail === op.path || detail === '')) {
    const hint = obstacleHint(op.path, `the root file system ${op.path}`, 'correct root.path');
    if (hint) return hintOf(hint, 'runtime-spec config.md#root');
  }
  if ((op.op === 'findExecutable' || op.op === 'exec') && errno === E.EACCES) return hostNoexec(op, detail, spec);
  return undefined;
}

function sourceOf(op: Op): string | undefined {
  return op.op === 'openTree' || op.op === 'cloneSource' || op.op === 'mountBind' ? op.source : undefined;
}

function typeMismatchHint(source: string, op: Op): Hint | undefined {
  const mode = modeAt(source);
  if (op.op !== 'mountBind' || mode < 0) return undefined;
  const [one, other] = (mode & S_IFMT) === S_IFDIR ? ['directory', 'file'] : ['file', 'directory'];
  return hintOf(
    `bind a ${one} on a ${one}, or remove ${op.target} from the rootfs: the source ${source} is a ${one}, and ${op.target} is a ${other} in the rootfs`,
    'runtime-spec config.md#mounts',
  );
}

/** A bind mount has the flags of the source's mount, unless its options override them. */
function hostNoexec(op: Extract<Op, { op: 'findExecutable' | 'exec' }>, detail: string, spec?: Spec): Hint | undefined {
  const name = detail || (op.op === 'exec' ? (op.args[0] ?? '') : op.name);
  const mount = mountOf(spec, name);
  if (mount?.source === undefined) return undefined;
  const path = `${mount.source}${mount.rest}`;
  if (!isNoexec(path)) return undefined;
  return hintOf(
    `add "exec" to the options of ${mount.destination} (/mounts/${mount.index}), or put the program elsewhere: the host has mounted its source ${mount.source} with "noexec"`,
    'mount(8)',
  );
}

/** Whether it is an executable program on a mount that forbids execution. */
function isNoexec(path: string): boolean {
  const mode = modeAt(path);
  return (
    mode >= 0 && (mode & S_IFMT) === S_IFREG && (mode & 0o111) === 0o111 && native.access(path, X_OK) === -E.EACCES
  );
}

/** Why a host program cannot be executed, with the remedy. `errno` is that of execve(2). */
export function hostExecutableHint(path: string, errno: number): string | undefined {
  const found = obstacleHint(path, `${path} on the host`, "correct the hook's path");
  if (found) return found;
  const stat = tryStat(path);
  if (!stat) return `install ${path} on the host, or correct the hook's path: there is no such program`;
  if ((stat.mode & S_IFMT) !== S_IFREG) return `name a program in the hook's path: ${path} is not a file on the host`;
  if (errno === E.ENOENT) {
    const interpreter = interpreterOf(path);
    return interpreter === undefined
      ? `install the C library of ${path} on the host, or use a static program: its dynamic loader is not there`
      : `install ${interpreter} on the host, or correct the first line of the script ${path}: it names this interpreter, which is not there`;
  }
  if (errno === E.EACCES && (stat.mode & 0o111) === 0)
    return `make ${path} executable on the host (chmod +x): it lacks the x permission`;
  if (errno === E.EACCES && isNoexec(path))
    return `move ${path}, or mount its file system with "exec": the host has mounted it with "noexec"`;
  return undefined;
}

/** The interpreter in a script's first line; undefined for other files. */
function interpreterOf(path: string): string | undefined {
  const fd = native.openAt(AT_FDCWD, path, 0, 0);
  if (fd < 0) return undefined;
  const data = new Uint8Array(256);
  const n = native.read(fd, data);
  native.close(fd);
  if (n < 3 || data[0] !== 0x23 || data[1] !== 0x21) return undefined;
  let line = '';
  for (let i = 2; i < n && data[i] !== 0x0a; i++) line += String.fromCharCode(data[i]!);
  return line.trim().split(/[ \t]/)[0];
}
