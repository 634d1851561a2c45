/** What the options need to know of the host. */

export interface HostLookups {
  /** The text of a file; undefined if it does not exist. */
  readonly text: (path: string) => string | undefined;
  /** Machine of uname(2), such as `x86_64`; empty if unknown. */
  readonly machine: () => string;
  /** Release of uname(2), such as `6.1.0`. */
  readonly release: () => string;
  /** Capabilities that a container may get: all of the kernel's in a new user namespace, else those of the caller. */
  readonly capabilities: (mapped: boolean) => readonly string[];
  /** The most that a hard limit (`RLIMIT_…`) can be set to; undefined if there is no bound. */
  readonly hardLimit: (type: string) => number | undefined;
}
