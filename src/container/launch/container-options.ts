/** The options of `create`, `run` and `restore`. */
import type { AnnotationPolicy } from '../../plan/annotation-policy.js';
import type { ListenFds } from '../../plan/host-facts.js';
import type { RootlessMode } from './read-host-facts.js';
import type { Stdio } from './spawn-init.js';

export interface CreateOptions {
  /** Directory of all containers' state. */
  readonly root: string;
  readonly id: string;
  /** Absolute path of the bundle. */
  readonly bundle: string;
  /** The config: an absolute path, or one below the bundle; `config.json` when absent. */
  readonly config?: string;
  /** `disabled`: no cgroup is made, and the container stays in those of its creator. `cgroupfs` when absent. */
  readonly cgroupManager?: 'cgroupfs' | 'systemd' | 'disabled';
  /** File that gets the pid: digits only, no newline. */
  readonly pidFile?: string;
  /** Absolute path of the socket that gets the master of the terminal. */
  readonly consoleSocket?: string;
  /** Descriptors that become 0, 1 and 2 of the process; those of this process when absent. Needs `supervise`. */
  readonly stdio?: Stdio;
  /** Start it under a supervisor that records how it ends, for `wait`. */
  readonly supervise?: boolean;
  /** The caller watches the memory: the supervisor need not, for which it would take one of the user's inotify instances (128 by default). */
  readonly watchesMemory?: boolean;
  /** The root is entered by chroot(2), for a root file system that cannot be pivoted from. */
  readonly noPivot?: boolean;
  /** The process keeps its caller's session keyring. */
  readonly noNewKeyring?: boolean;
  /** Descriptors that the process gets after those of `listen`, or from 3 on; none when absent. */
  readonly preserveFds?: number;
  /** Socket activation: descriptors from 3 on that are sockets for the process. */
  readonly listen?: ListenFds;
  /** Address of a service manager's socket (NOTIFY_SOCKET), which is told when the process is ready. */
  readonly notifySocket?: string;
  /** Absolute path of the socket that gets a pidfd of the process. */
  readonly pidfdSocket?: string;
  readonly rootless?: RootlessMode;
  /**
   * What is done about annotations that weaken a container; what RUNT_UNSAFE_ANNOTATIONS says, else `warn`, when
   * absent.
   */
  readonly unsafeAnnotations?: AnnotationPolicy;
  /** Seconds for a hook without `timeout`, 0 for no limit; what RUNT_HOOK_TIMEOUT says, else 600, when absent. */
  readonly hookTimeout?: number;
  /** File that gets the spans of all operations, in Chrome's trace format. */
  readonly trace?: string;
  /** Warn also of what follows from the flags. */
  readonly debug?: boolean;
  /** Takes what the config says and runt leaves out, one sentence each. */
  readonly warn: (sentence: string) => void;
}
