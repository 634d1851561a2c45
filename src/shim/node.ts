/** The server of `containerd-shim-runt-grpc-v1`: dist/shim.js, which the static binary starts. */
import { useNodeHost } from '../sys/node.js';
import { shim } from './main.js';

useNodeHost();
process.exit(await shim('containerd-shim-runt-grpc-v1'));
