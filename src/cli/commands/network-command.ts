/** `runt network`: connects a container, or disconnects it; the hooks that `spec --net` writes call it. */
import { addNetwork, deleteNetwork } from '../../container/network/network.js';
import type { RuntError } from '../../sys/error.js';
import { host } from '../../sys/host.js';
import { readToEnd } from '../../sys/waiting/read-to-end.js';
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
  else if (isPid(pid)) {
    await addNetwork(network, id, pid, (sentence) => reportWarning(global, sentence));
  } else throw stateError('"pid" is not that of a process');
  return 0;
}

const isPid = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) > 0 && (value as number) < 2 ** 31;

/** The state of a container on standard input, as a hook gets it (runtime.md#state). */
async function standardState(): Promise<{ readonly id?: unknown; readonly pid?: unknown }> {
  const data = await readToEnd(0, maxState + 1, { code: 'ERR_IO', message: 'read standard input', syscall: 'read' });
  if (data.length > maxState) throw stateError('it has more than 16 MiB');
  try {
    return (JSON.parse(host.decode(data, data.length)) ?? {}) as object;
  } catch {
    throw stateError('it is not JSON');
  }
}

const stateError = (problem: string): RuntError =>
  usageError('network', `read the state of a container on standard input: ${problem}`);
