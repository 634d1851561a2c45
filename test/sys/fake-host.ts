/** A host without a machine: it records what is written, and a test can replace its functions. */
import type { Native } from '../../src/sys/abi.js';
import { setHost } from '../../src/sys/host.js';

interface FakeHost {
  /** The text written to each descriptor. */
  written(fd: number): string;
}

/** Installs a fake host. A native function that the test does not provide fails the test with its name. */
export function fakeHost(
  args: readonly string[],
  functions: Partial<Native> = {},
  env: Record<string, string> = {},
): FakeHost {
  const texts = new Map<number, string>();
  const decode = (bytes: Uint8Array, length = bytes.length): string =>
    new TextDecoder().decode(bytes.subarray(0, length));
  const given: Partial<Native> = {
    write: (fd, data) => {
      texts.set(fd, (texts.get(fd) ?? '') + decode(data));
      return data.length;
    },
    zeroBytes: (data) => data.filter((byte) => byte === 0).length,
    isTerminal: () => 0,
    realtime: () => 1700000000123456789n,
    close: () => 0,
    cwd: (data) => fill(data, '/work dir'),
    ids: (data) => {
      data.fill(0);
      return 0;
    },
    ...functions,
  };
  const native = new Proxy(given, {
    get(target, name) {
      const unexpected = (...args: unknown[]): never => {
        throw new Error(`unexpected call: native.${String(name)}(${args.join(', ')})`);
      };
      return target[name as keyof Native] ?? unexpected;
    },
  }) as Native;
  setHost({
    name: 'node',
    native,
    args,
    env,
    decode,
    decodeRaw: decode,
    encode: (text) => new TextEncoder().encode(text),
  });
  return { written: (fd) => texts.get(fd) ?? '' };
}

/** Installs a host that can only encode, decode and count, for code that calls no other native function. */
export function textHost(): void {
  const decode = (bytes: Uint8Array, length: number): string => new TextDecoder().decode(bytes.subarray(0, length));
  setHost({
    name: 'node',
    native: { zeroBytes: (data) => data.filter((byte) => byte === 0).length } as Partial<Native> as Native,
    args: [],
    env: {},
    decode,
    decodeRaw: decode,
    encode: (text) => new TextEncoder().encode(text),
  });
}

/** Writes text into an `out` buffer, as C does. */
export function fill(data: Uint8Array, text: string): number {
  const bytes = new TextEncoder().encode(text);
  data.set(bytes);
  return bytes.length;
}
