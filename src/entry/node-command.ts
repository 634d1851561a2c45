#!/usr/bin/env node
/** The Node.js entry of the command: dist/cli.js. */
import { main } from '../cli/command-main.js';
import { offerGrpc } from '../shim/transport/grpc-interface.js';
import { useNodeHost } from '../sys/node-host.js';

useNodeHost();
offerGrpc(() => import('../shim/transport/grpc.js'));
process.exit(await main());
