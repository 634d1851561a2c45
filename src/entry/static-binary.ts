/** The static binary's host: what native/quickjs/main.c provides, and the entry of its main module. */
import { main } from '../cli/command-main.js';
import type { Native } from '../sys/abi.js';
import { setHost } from '../sys/host.js';
import { turn } from '../sys/waiting/loop.js';

/** The global that main.c makes before it evaluates the main module. */
interface Provided {
  /** The name that the program was started by. */
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

const provided = (globalThis as unknown as { runtHost: Provided }).runtHost;

/** Begins the command. main.c calls it, once the arguments are there: what was before may lie in a snapshot made at build time. */
function begin(): void {
  const { native, args, closed, env, decode, decodeRaw, encode, longLived, tidy } = provided;
  // A rejection is left to main.c, which prints it and exits with 1; or calls this.
  const outlive = (runtUnhandled: (error: unknown) => void): void => {
    Object.assign(globalThis, { runtUnhandled });
  };
  setHost({ name: 'quickjs', native, args, closed, env, decode, decodeRaw, encode, outlive, longLived, tidy });
  const name = provided.program.slice(provided.program.lastIndexOf('/') + 1);
  const grpc = name.startsWith('containerd-shim-runt-grpc-');
  const code = name.startsWith('containerd-shim-')
    ? import('../shim/shim-main.js').then(({ shim }) =>
        shim(grpc ? 'containerd-shim-runt-grpc-v1' : 'containerd-shim-runt-v1'),
      )
    : main();
  code.then((status) => provided.exit(status));
}

// What main.c calls: the second when nothing else is to be done.
Object.assign(globalThis, { runtMain: begin, runtTurn: turn });
