/** The JavaScript host of the shared tree: native functions, and the few services that are not system calls. */

import type { Native } from './abi.js';

/** Ids for waits. */
export interface WaitIds {
  last: number;
  isUsed(id: number): boolean;
}

export interface Host {
  readonly name: 'node' | 'quickjs';
  /** The name of the program, from argv[0]; absent under Node.js. */
  readonly program?: string;
  readonly native: Native;
  /** Arguments after the program's name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The descriptors among 0 to 2 that the caller had closed, bit n for n; they are /dev/null now. */
  readonly closed?: number;
  /** Whether we inherited a descriptor. Absent if exactly the inherited ones are not close-on-exec. */
  readonly inherited?: (fd: number) => boolean;
  /** UTF-8 → string. Malformed input becomes U+FFFD, as TextDecoder does. */
  decode(bytes: Uint8Array, length: number): string;
  /**
   * UTF-8 → string, for the kernel's byte strings: arguments, variables, paths. Each malformed byte becomes the lone
   * surrogate U+DC00 + byte, as in `args` and `env`; `encode` and the native functions convert it back to the byte.
   */
  decodeRaw(bytes: Uint8Array, length: number): string;
  /** The ids of waits, if others wait with the same epoll instance. */
  readonly waitIds?: WaitIds;
  /** Begins a wait: the host must call `endWait` when it is ready or after timeout ms. Absent: `runOnce` does. */
  readonly onWait?: (id: number, timeout: number) => void;
  /** Ends a wait: `endWait` was called, or `forget` cancelled it. */
  readonly onWaitEnd?: (id: number) => void;
  /**
   * In a program with other work: lets it do that if ours has taken long, and resolves then; undefined if it has not.
   * Absent in a program that does nothing else.
   */
  readonly turn?: () => Promise<void> | undefined;
  /** In a program with other work: calls a native function that may take long in another thread. */
  readonly inThread?: (name: keyof Native, args: readonly unknown[]) => Promise<number>;
  /** For a server: reports uncaught errors and unhandled rejections from now on, and the program does not end. */
  readonly outlive?: (report: (error: unknown) => void) => void;
  /**
   * For a long-lived program: returns unused memory to the kernel from now on. `tidy` returns the rest when the program
   * is idle.
   */
  readonly longLived?: () => void;
  readonly tidy?: () => void;
  /** string → UTF-8. Lone surrogates of decodeRaw become bytes again, others U+FFFD. */
  encode(text: string): Uint8Array;
}

/** The current host; a live binding. */
export let host: Host;
/** The native functions of the current host; a live binding. */
export let native: Native;

/** Calls a native function that may suspend its thread: in another one where the program has other work. */
export function callApart<K extends keyof Native>(
  name: K,
  ...args: Parameters<Native[K]>
): Promise<number> | ReturnType<Native[K]> {
  return host.inThread?.(name, args) ?? (native[name] as (...args: unknown[]) => ReturnType<Native[K]>)(...args);
}

/** Sets the host; `node-host.ts` and `entry/static-binary.ts` call it before anything else runs. */
export function setHost(h: Host): void {
  host = h;
  native = h.native;
}
