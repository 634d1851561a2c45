/** The static binary's host: what native/quickjs/main.c provides, and the entry of its main module. */
import { main } from '../cli/main.js';
import type { Native } from './abi.js';
import { setHost } from './host.js';
import { turn } from './loop.js';

/** The global that main.c makes before it evaluates the main module. */
interface Provided {
  readonly native: Native;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  decode(bytes: Uint8Array, length: number): string;
  encode(text: string): Uint8Array;
  /** Ends the process at once. */
  exit(code: number): never;
}

const provided = (globalThis as unknown as { runtHost: Provided }).runtHost;
setHost({
  name: 'quickjs',
  native: provided.native,
  args: provided.args,
  env: provided.env,
  decode: provided.decode,
  encode: provided.encode,
});
// main.c calls this when nothing else is to be done.
(globalThis as unknown as { runtTurn: () => boolean }).runtTurn = turn;
// A rejection is left to main.c, which prints it and exits with 1.
main().then((code) => provided.exit(code));
