/** The server of `containerd-shim-runt-grpc-v1`: dist/shim.js, which the static binary starts. */
import { shim } from '../shim/shim-main.js';
import { setGrpcLoader } from '../shim/transport/grpc-interface.js';
import { useNodeHost } from '../sys/node-host.js';

useNodeHost();
setGrpcLoader(() => import('../shim/transport/grpc.js'));
process.exit(await shim('containerd-shim-runt-grpc-v1'));
