/** Options of `create`, `run` and `restore`. */
import type { AnnotationPolicy } from '../../plan/annotation-policy.js';
import type { ListenFds } from '../../plan/host-facts.js';
import type { Op } from '../../plan/plan-ops.js';
import type { ExitRecord } from '../state/exit-records.js';
import type { TimeLimit } from '../stdio/end-limit.js';
import type { StdioFiles } from '../stdio/stdio-files.js';
import type { RootlessMode } from './read-host-facts.js';
import type { Stdio } from './spawn-init.js';

export interface CreateOptions {
  /** Directory of the state of all containers. */
  readonly root: string;
  readonly id: string;
  /** Absolute path of the bundle. */
  readonly bundle: string;
  /** The config: an absolute path, or one relative to the bundle; `config.json` when absent. */
  readonly config?: string;
  /** `disabled`: make no cgroup; the container stays in its creator's. `cgroupfs` when absent. */
  readonly cgroupManager?: 'cgroupfs' | 'systemd' | 'disabled';
  /** The container manages cgroups of its own, below its limits; cgroup v2 only. */
  readonly cgroupWritable?: boolean;
  /** File to write the pid to: digits only, no newline. */
  readonly pidFile?: string;
  /** Absolute path of the socket that receives the terminal's master. */
  readonly consoleSocket?: string;
  /** Descriptors that become 0, 1 and 2 of the process; those of this process when absent. Needs `supervise`. */
  readonly stdio?: Stdio;
  /** Start a supervisor, which records the exit status for `wait`. */
  readonly supervise?: boolean;
  /**
   * The caller watches for OOM kills, so the supervisor does not. A watch takes one of the user's inotify instances
   * (128 by default).
   */
  readonly watchesOom?: boolean;
  /**
   * Pidfds of the processes that the container ends with; the caller closes them. When one ends, the supervisor kills
   * the container, and when all have ended, it removes the cgroups. Needs `supervise`.
   */
  readonly followed?: readonly number[];
  /** The first process reaps orphans and forwards signals to the program, its child. */
  readonly init?: boolean;
  /** Enter the root by chroot(2), for a root file system that pivot_root(2) refuses. */
  readonly noPivot?: boolean;
  /** The process keeps the caller's session keyring. */
  readonly noNewKeyring?: boolean;
  /** Number of descriptors to preserve, after those of `listen` or from 3 on; 0 when absent. */
  readonly preserveFds?: number;
  /** Socket activation: sockets for the process, from descriptor 3 on. */
  readonly listen?: ListenFds;
  /** Address of the service manager's socket (NOTIFY_SOCKET), which receives the process's readiness. */
  readonly notifySocket?: string;
  /** Absolute path of the socket that receives a pidfd of the process. */
  readonly pidfdSocket?: string;
  readonly rootless?: RootlessMode;
  /** Policy for annotations that weaken a container; when absent RUNT_UNSAFE_ANNOTATIONS, else `warn`. */
  readonly unsafeAnnotations?: AnnotationPolicy;
  /** Timeout in seconds of a hook without `timeout`, 0 for none; when absent RUNT_HOOK_TIMEOUT, else 600. */
  readonly hookTimeout?: number;
  /** File to write the spans of all operations to, in Chrome's trace format. */
  readonly trace?: string;
  /** Receives each operation that is done. */
  readonly onDone?: (op: Op) => void;
  /** Also warn of what follows from the flags. */
  readonly debug?: boolean;
  /** Receives one sentence for each value of the config that runt ignores. */
  readonly warn: (sentence: string) => void;
}

export interface RunOptions extends CreateOptions, TimeLimit {
  readonly detach: boolean;
  /** Keep the stopped container, with its exit record, for `state`, `wait` and `delete`. */
  readonly keep: boolean;
  /** Receives the exit record when the container has ended and was removed. */
  readonly onEnd?: (record: ExitRecord) => void;
  readonly noSubreaper: boolean;
  /** Instead of this process's streams. */
  readonly stdioFiles?: StdioFiles;
  /** Kill the container when the parent of this process, or in the foreground this process, has ended. Supervised. */
  readonly dieWithParent?: boolean;
}
