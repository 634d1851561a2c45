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
  /** A variable of the caller. */
  readonly environment: (name: string) => string | undefined;
  /** The device at a path, or those below a directory; undefined if it does not exist. */
  readonly devices: (path: string) => readonly HostDevice[] | undefined;
  /** Names in a directory, sorted; none if it does not exist. */
  readonly names: (directory: string) => readonly string[];
  /** Whether a path exists. */
  readonly exists: (path: string) => boolean;
  /** Whether the kernel lets nobody here make device nodes: the caller is in a user namespace. */
  readonly bindsDevices: () => boolean;
  /** Absolute path of runt, for hooks; undefined if it is not found. */
  readonly program: () => string | undefined;
  /** Process of a container, 0 if it does not run. */
  readonly containerPid: (id: string) => number;
}

/** A device node of the host. */
export interface HostDevice {
  readonly path: string;
  readonly type: 'b' | 'c';
  readonly major: number;
  readonly minor: number;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}
