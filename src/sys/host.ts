/**
 * What a JavaScript host gives to the shared tree: the native functions of `abi.ts` and the few things that are no
 * system call. `node-host.ts` and `entry/static-binary.ts` each make one and call `setHost` before anything else runs.
 */
import type { Native } from './abi.js';

export interface Host {
  readonly name: 'node' | 'quickjs';
  readonly native: Native;
  /** Arguments after the program's name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Which of the descriptors 0 to 2 the caller had closed, bit n for n; /dev/null is in their place. */
  readonly closed?: number;
  /**
   * Whether the caller had opened a descriptor when the program began. Absent where only the caller's are not
   * close-on-exec.
   */
  readonly inherited?: (fd: number) => boolean;
  /** UTF-8 → string. Malformed input becomes U+FFFD, as TextDecoder does. */
  decode(bytes: Uint8Array, length: number): string;
  /**
   * UTF-8 → string, for what the kernel has as bytes: arguments, variables, paths. Each malformed byte becomes the lone
   * surrogate U+DC00 + byte, and so it is in `args` and `env`; `encode` and the native functions give the byte back.
   */
  decodeRaw(bytes: Uint8Array, length: number): string;
  /** A wait of `sys/waiting/loop.ts` begins; the host must call `wake` when it is ready or after timeout ms. Without it, `turn` does. */
  readonly waiting?: (id: number, timeout: number) => void;
  /** The wait has ended, by `wake` or because nobody cares any more. */
  readonly ended?: (id: number) => void;
  /** For a server: from now on an error that nobody has caught, or a promise that was rejected for nobody, is told, and not the end. */
  readonly outlive?: (tell: (error: unknown) => void) => void;
  /**
   * For a program that stays: from now on memory that it does not use goes back to the kernel. `tidy` does the rest
   * when it is idle.
   */
  readonly longLived?: () => void;
  readonly tidy?: () => void;
  /** string → UTF-8. Of lone surrogates those of decodeRaw become bytes again, the others U+FFFD. */
  encode(text: string): Uint8Array;
}

/** The host in force; a live binding. */
export let host: Host;
/** The native functions in force; a live binding. */
export let native: Native;

export function setHost(h: Host): void {
  host = h;
  native = h.native;
}
