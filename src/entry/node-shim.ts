/** The server of `containerd-shim-runt-grpc-v1`: dist/shim.js, which the static binary starts. */

import { shim } from '../shim/shim-main.js';
import { useNodeHost } from '../sys/node-host.js';

useNodeHost();
process.exit(await shim('containerd-shim-runt-grpc-v1'));
