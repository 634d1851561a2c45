/** The Node.js entry of the command: dist/cli.js. */

import { main } from '../cli/command-main.js';
import { useNodeHost } from '../sys/node-host.js';

useNodeHost();
process.exit(await main());
