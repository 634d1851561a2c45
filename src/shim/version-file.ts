/** Which version of the answer of `start` the containerd of a gRPC shim takes: the server asked it, and wrote that down beside its socket. */
import { RuntError } from '../sys/error.js';
import { tryReadText } from '../sys/fs.js';
import { sleep } from '../sys/loop.js';

/** ms that Node.js may take to start and to ask, and between two looks. */
const patience = 10_000;
const pause = 5;

export const versionFile = (socket: string): string => `${socket}.version`;

/** 2 or 3. @throws RuntError ERR_SHIM */
export async function versionOf(socket: string): Promise<number> {
  for (let waited = 0; waited < patience; waited += pause) {
    const text = tryReadText(versionFile(socket));
    if (text === '2' || text === '3') return Number(text);
    await sleep(pause);
  }
  throw new RuntError({
    code: 'ERR_SHIM',
    message: 'the gRPC shim did not begin',
    hint: "its words are in containerd's log",
  });
}
