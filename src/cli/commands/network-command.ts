/** `runt network`: connects a container, or disconnects it; the hooks that `spec --net` writes call it. */
import { addNetwork, deleteNetwork } from '../../container/network/network.js';
import { RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { readable } from '../../sys/waiting/loop.js';
import { usageError } from '../arguments.js';
import { reportWarning } from '../command-log.js';
import type { Call } from '../command-syntax.js';

/** A state has some KB; annotations can make it longer. */
const maxState = 16 << 20;

export async function command({ global, args }: Call<'network'>): Promise<number> {
  const [action, network] = args;
  if (action !== 'add' && action !== 'del') throw usageError('network', `${action} is not add or del`);
  if (action === 'add' && network === undefined) throw usageError('network', 'add needs the name of a network');
  if (action === 'del' && network !== undefined) throw usageError('network', 'del takes no network: it knows which');
  if (network !== undefined && !/^(bridge|pasta|slirp4netns|cni:.+)$/s.test(network)) {
    throw usageError('network', `${network} is not bridge, cni:NAME, cni:FILE, pasta or slirp4netns`);
  }
  const { id, pid } = await standardState();
  if (typeof id !== 'string') throw stateError('"id" is not a string');
  if (network === undefined) await deleteNetwork(id, typeof pid === 'number' ? pid : undefined);
  else if (typeof pid === 'number' && pid > 0) {
    await addNetwork(network, id, pid, (sentence) => reportWarning(global, sentence));
  } else throw stateError('"pid" is not that of a process');
  return 0;
}

/** The state of a container on standard input, as a hook gets it (runtime.md#state). */
async function standardState(): Promise<{ readonly id?: unknown; readonly pid?: unknown }> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const data = new Uint8Array(16384);
    await readable(0);
    const n = native.read(0, data);
    if (n < 0) throw new RuntError({ code: 'ERR_IO', message: 'read standard input', errno: -n, syscall: 'read' });
    if (n === 0) break;
    parts.push(data.subarray(0, n));
    length += n;
    if (length > maxState) throw stateError('it has more than 16 MiB');
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  try {
    return (JSON.parse(host.decode(all, length)) ?? {}) as object;
  } catch {
    throw stateError('it is not JSON');
  }
}

const stateError = (problem: string): RuntError =>
  usageError('network', `read the state of a container on standard input: ${problem}`);
