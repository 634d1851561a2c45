/** Operations of the terminal. */
import { table } from '../op-shape.js';

export const terminalTable = table({
  consoleConnect: {
    by: 'runtime',
    phase: 'prepare',
    fields: { path: 'str', slot: 'fd' },
    doc: "connect to the console socket (--console-socket), which receives the terminal's master; runt-init finds the connection at slot",
  },
  consolePair: {
    by: 'runtime',
    phase: 'prepare',
    fields: { slot: 'fd' },
    doc: "make a socket pair over which the runtime receives the terminal's master; runt-init finds its end at slot",
  },
  terminal: {
    code: 82,
    by: 'init',
    phase: 'devices',
    fields: { slot: 'fd', uid: 'int', width: 'int?', height: 'int?', console: 'bool' },
    doc: "make a terminal in the devpts on the container's /dev/pts for uid, of that size if there is one, bind it on /dev/console when console is set, make it the controlling terminal and stdio, and send its master over the socket at slot",
  },
});
