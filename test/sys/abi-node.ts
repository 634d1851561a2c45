/** The script in the Node.js host: prints its transcript as JSON. Its argument is a private directory. */
import { native } from '../../src/sys/host.js';
import { useNodeHost } from '../../src/sys/node-host.js';
import { runScript } from './abi-script.js';

const host = useNodeHost();
native.write(1, host.encode(JSON.stringify(runScript(host.args[0] as string))));
process.exit(0);
