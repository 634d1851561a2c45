/**
 * What containerd writes to the stdin of `start` and `-info`: the runtime's options as an Any; to `start`, since 2.3, parameters
 * (BootstrapParams), which hold the options among their extensions.
 */
import { native } from '../sys/host.js';
import { AT_EMPTY_PATH, S_IFIFO, S_IFMT, S_IFSOCK } from '../sys/linux.js';
import { readable } from '../sys/loop.js';
import { bootstrap, google } from './protos.js';

/** ms; it is written at once. */
const patience = 1000;
const most = 1 << 20;

export interface Given {
  /** Empty when there are none. */
  readonly options: google.protobuf.Any.$Properties;
  readonly parameters?: bootstrap.BootstrapParams;
}

/** @returns what was written for the container `id` of `namespace`; nothing of a person's terminal, which is not waited for */
export async function given(id: string, namespace: string): Promise<Given> {
  return interpret(await readAll(), id, namespace);
}

/**
 * An Any and the parameters look alike: two strings come first. They are parameters when these are the id and the namespace,
 * which the flags tell too.
 */
export function interpret(data: Uint8Array, id: string, namespace: string): Given {
  try {
    const parameters = bootstrap.BootstrapParams.decode(data);
    if (id !== '' && parameters.instanceId === id && parameters.namespace === namespace) {
      const found = parameters.extensions?.find(({ value }) => value?.type_url?.endsWith('.v1.Options'));
      return { options: found?.value ?? {}, parameters };
    }
  } catch {
    // The value of an Any need not be a string.
  }
  try {
    return { options: google.protobuf.Any.decode(data) };
  } catch {
    return { options: {} };
  }
}

async function readAll(): Promise<Uint8Array> {
  const stat = new BigInt64Array(8);
  if (native.stat(0, '', AT_EMPTY_PATH, new Uint8Array(stat.buffer)) < 0) return new Uint8Array();
  const type = Number(stat[0]) & S_IFMT;
  if (type !== S_IFIFO && type !== S_IFSOCK) return new Uint8Array();
  const data = new Uint8Array(most);
  let length = 0;
  while (length < most && (await readable(0, patience))) {
    const n = native.read(0, data.subarray(length));
    if (n <= 0) break;
    length += n;
  }
  return data.subarray(0, length);
}
