/** The Node.js entry of the command: dist/cli.js. */
import { useNodeHost } from '../sys/node.js';
import { main } from './main.js';

useNodeHost();
process.exit(await main());
