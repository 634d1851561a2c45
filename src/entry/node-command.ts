#!/usr/bin/env node
/** The Node.js entry of the command: dist/cli.js. */
import { main } from '../cli/command-main.js';
import { setGrpcLoader } from '../shim/transport/grpc-interface.js';
import { useNodeHost } from '../sys/node-host.js';

useNodeHost();
setGrpcLoader(() => import('../shim/transport/grpc.js'));
process.exit(await main());
