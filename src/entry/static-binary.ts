/** The static binary's host, which native/quickjs/main.c provides, and its entry. */
import { main } from '../cli/command-main.js';
import type { Native } from '../sys/abi.js';
import { setHost } from '../sys/host.js';
import { runOnce } from '../sys/waiting/loop.js';

/** The global that main.c makes before it evaluates the main module. */
interface ProvidedHost {
  /** argv[0]. */
  readonly program: string;
  readonly native: Native;
  readonly args: readonly string[];
  readonly closed: number;
  readonly env: Readonly<Record<string, string>>;
  decode(bytes: Uint8Array, length: number): string;
  decodeRaw(bytes: Uint8Array, length: number): string;
  encode(text: string): Uint8Array;
  longLived(): void;
  tidy(): void;
  /** Ends the process at once. */
  exit(code: number): never;
}

const provided = (globalThis as unknown as { runtHost: ProvidedHost }).runtHost;

/** Runs the program. main.c calls it after setting the arguments: earlier code may run at build time (snapshot). */
function begin(): void {
  const { native, args, closed, env, decode, decodeRaw, encode, longLived, tidy } = provided;
  // main.c handles a rejection: it calls this function if set, else prints the error and exits with 1.
  const outlive = (runtUnhandled: (error: unknown) => void): void => {
    Object.assign(globalThis, { runtUnhandled });
  };
  const name = provided.program.slice(provided.program.lastIndexOf('/') + 1);
  setHost({
    name: 'quickjs',
    program: name,
    native,
    args,
    closed,
    env,
    decode,
    decodeRaw,
    encode,
    outlive,
    longLived,
    tidy,
  });
  const code = name.startsWith('containerd-shim-')
    ? import('../shim/shim-main.js').then(({ shim }) => shim(name))
    : main();
  code.then((status) => provided.exit(status));
}

// main.c calls both: runtTurn when it has no other work.
Object.assign(globalThis, { runtMain: begin, runtTurn: runOnce });
