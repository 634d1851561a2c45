/** `runt update`: changes the limits of a running container. */
import { update } from '../../container/update/update.js';
import { parseBytes } from '../../spec/byte-size.js';
import { toJson } from '../../spec/json/exact-json.js';
import { utf8Text } from '../../spec/json/utf8.js';
import { readBytes } from '../../sys/fs.js';
import { readToEnd } from '../../sys/waiting/read-to-end.js';
import { absolute } from '../absolute-path.js';
import { usageError } from '../arguments.js';
import { reportWarning } from '../command-log.js';
import type { Call } from '../command-syntax.js';
import { rootDirectory } from '../root-directory.js';

type Flags = Call<'update'>['flags'];
type Kind = 'integer' | 'bytes' | 'text';

/** The property of LinuxResources that each flag sets, and the kind of its value. */
const limitFlags: { readonly [F in keyof Flags]?: readonly [section: string, key: string, kind: Kind] } = {
  'blkio-weight': ['blockIO', 'weight', 'integer'],
  'cpu-period': ['cpu', 'period', 'integer'],
  'cpu-quota': ['cpu', 'quota', 'integer'],
  'cpu-burst': ['cpu', 'burst', 'integer'],
  'cpu-share': ['cpu', 'shares', 'integer'],
  'cpu-rt-period': ['cpu', 'realtimePeriod', 'integer'],
  'cpu-rt-runtime': ['cpu', 'realtimeRuntime', 'integer'],
  'cpu-idle': ['cpu', 'idle', 'integer'],
  'cpuset-cpus': ['cpu', 'cpus', 'text'],
  'cpuset-mems': ['cpu', 'mems', 'text'],
  'kernel-memory': ['memory', 'kernel', 'bytes'],
  'kernel-memory-tcp': ['memory', 'kernelTCP', 'bytes'],
  memory: ['memory', 'limit', 'bytes'],
  'memory-reservation': ['memory', 'reservation', 'bytes'],
  'memory-swap': ['memory', 'swap', 'bytes'],
  'pids-limit': ['pids', 'limit', 'integer'],
};

/** Limit for standard input, in bytes: a resources document is shorter. */
const maxInput = 1 << 20;

export async function command({ global, flags, args }: Call<'update'>): Promise<number> {
  const [l3, bandwidth] = [flags['l3-cache-schema'], flags['mem-bw-schema']];
  const rdt = { ...(l3 && { l3CacheSchema: l3 }), ...(bandwidth && { memBwSchema: bandwidth }) };
  const warn = (sentence: string) => reportWarning(global, sentence);
  const target = { root: rootDirectory(global), id: args[0]!, warn, ...((l3 || bandwidth) && { rdt }) };
  const file = flags.resources;
  if (file === undefined) {
    await update({ ...target, resources: toJson(fromFlags(flags)), document: 'the command line' });
  } else if (file === '-') {
    await update({ ...target, resources: await standardInput(), document: 'standard input' });
  } else {
    const path = absolute(file);
    await update({ ...target, resources: utf8Text(readBytes(path), path), document: path });
  }
  return 0;
}

function fromFlags(flags: Flags): Record<string, Record<string, unknown>> {
  const resources: Record<string, Record<string, unknown>> = {};
  for (const [name, [section, key, kind]] of Object.entries(limitFlags) as [keyof Flags, [string, string, Kind]][]) {
    const text = flags[name];
    if (typeof text !== 'string') continue;
    const value = kind === 'text' ? text : kind === 'bytes' ? parseBytes(text) : integer(text);
    if (value === undefined) {
      const wanted = kind === 'bytes' ? 'a size such as 64m, 1g or 4096, or -1,' : 'an integer';
      throw usageError('update', `flag --${name} needs ${wanted} not "${text}"`.replace('integer not', 'integer, not'));
    }
    resources[section] ??= {};
    resources[section][key] = value;
  }
  return resources;
}

function integer(text: string): bigint | undefined {
  return /^-?[0-9]{1,20}$/.test(text) ? BigInt(text) : undefined;
}

async function standardInput(): Promise<string> {
  const data = await readToEnd(0, maxInput, { code: 'ERR_IO', message: 'read standard input', syscall: 'read' });
  if (data.length >= maxInput) throw usageError('update', 'read standard input: it has more than 1 MiB');
  return utf8Text(data, 'standard input');
}
