#!/usr/bin/env node
/** The Node.js entry of the command: dist/cli.js. */
import { main } from '../cli/command-main.js';
import { setGrpcLoader } from '../shim/grpc/grpc-interface.js';
import { useNodeHost } from '../sys/node-host.js';

useNodeHost();
setGrpcLoader(() => import('../shim/grpc/grpc.js'));
process.exit(await main());
