/** The stdin of `start` and `-info` as bytes, read without the protobuf code, which takes 2 ms to load. */
import { host, native } from '../../sys/host.js';
import { AT_EMPTY_PATH, S_IFIFO, S_IFMT, S_IFSOCK } from '../../sys/linux.js';
import { readable } from '../../sys/waiting/loop.js';
import { startInputTime } from '../../sys/waiting/time-limits.js';

const maxInput = 1 << 20;

/** Reads a pipe or a socket. @returns nothing for other files: a terminal would block */
export async function readInput(): Promise<Uint8Array> {
  const stat = new BigInt64Array(8);
  if (native.stat(0, '', AT_EMPTY_PATH, new Uint8Array(stat.buffer)) < 0) return new Uint8Array();
  const type = Number(stat[0]) & S_IFMT;
  if (type !== S_IFIFO && type !== S_IFSOCK) return new Uint8Array();
  const data = new Uint8Array(maxInput);
  let length = 0;
  while (length < maxInput && (await readable(0, startInputTime))) {
    const n = native.read(0, data.subarray(length));
    if (n <= 0) break;
    length += n;
  }
  return data.subarray(0, length);
}

/** Field numbers of BootstrapParams (proto/bootstrap.proto). */
const [instanceField, namespaceField, socketField] = [1, 2, 9];

/**
 * The socket directory in BootstrapParams, which containerd sends since 2.3 (`socket_dir` in its config, else
 * /run/containerd/s). @returns undefined for no directory, or if the data are not the parameters of `id` in `namespace`
 */
export function socketDirectory(data: Uint8Array, id: string, namespace: string): string | undefined {
  const texts = new Map<number, string>();
  let at = 0;
  const varint = (): number => {
    for (let value = 0, unit = 1; ; unit *= 128) {
      const byte = data[at++];
      if (byte === undefined) return Number.NaN;
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
  };
  while (at < data.length) {
    const key = varint();
    if (key % 8 === 0) {
      varint();
    } else if (key % 8 === 2) {
      const length = varint();
      const end = at + length;
      // Negated, so that NaN fails too.
      if (!(end <= data.length)) return undefined;
      const field = (key - 2) / 8;
      if (field === instanceField || field === namespaceField || field === socketField)
        texts.set(field, host.decode(data.subarray(at, end), length));
      at = end;
    } else {
      return undefined;
    }
  }
  if (texts.get(instanceField) !== id || texts.get(namespaceField) !== namespace) return undefined;
  return texts.get(socketField) || undefined;
}
