/** The script in the static binary's host: prints its transcript as JSON. Its argument is a private directory. */

import type { Host } from '../../src/sys/host.js';
import { native, setHost } from '../../src/sys/host.js';
import { runScript } from './abi-script.js';

const provided = (globalThis as unknown as { runtHost: Host & { exit(code: number): never } }).runtHost;
const { args, env, decode, decodeRaw, encode } = provided;
setHost({ name: 'quickjs', native: provided.native, args, env, decode, decodeRaw, encode });
native.write(1, encode(JSON.stringify(runScript(args[0] as string))));
provided.exit(0);
