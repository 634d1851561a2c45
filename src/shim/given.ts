/**
 * What containerd writes to the stdin of `start` and `-info`: up to 2.2 the runtime's options as an Any. Since 2.3 `start` gets
 * other parameters (BootstrapParams), which say nothing that the flags do not: their first two fields, the id and the namespace,
 * stand where an Any has its type and its value, so they are taken for options of no known type.
 */
import { native } from '../sys/host.js';
import { readable } from '../sys/loop.js';
import { google } from './protos.js';

/** ms; it is written at once. */
const patience = 1000;
const most = 1 << 20;
const S_IFMT = 0o170000;
const S_IFIFO = 0o010000;
const S_IFSOCK = 0o140000;

/** The Any, empty when there is none. A person's terminal is not waited for. */
export async function givenOptions(): Promise<google.protobuf.Any.$Properties> {
  const stat = new BigInt64Array(8);
  const AT_EMPTY_PATH = 0x1000;
  if (native.stat(0, '', AT_EMPTY_PATH, new Uint8Array(stat.buffer)) < 0) return {};
  const type = Number(stat[0]) & S_IFMT;
  if (type !== S_IFIFO && type !== S_IFSOCK) return {};
  const data = new Uint8Array(most);
  let length = 0;
  while (length < most && (await readable(0, patience))) {
    const n = native.read(0, data.subarray(length));
    if (n <= 0) break;
    length += n;
  }
  try {
    return google.protobuf.Any.decode(data.subarray(0, length));
  } catch {
    return {};
  }
}
