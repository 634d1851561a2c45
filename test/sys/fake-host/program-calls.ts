/** Native functions that compute, or set values that are never read: they need nothing of the fake kernel. */
import { createHash } from 'node:crypto';
import type { Native } from '../../../src/sys/abi.js';
import { E } from '../../../src/sys/errno.js';

/** 0 if the text is JSON; no test of the fake host has integers beyond 2^53. */
function json(text: Uint8Array): number {
  try {
    JSON.parse(new TextDecoder().decode(text));
    return 0;
  } catch {
    return -E.EBADMSG;
  }
}

export function programCalls() {
  return {
    wideIntegers: json,
    jsonError: (text) => (json(text) < 0 ? 5 : 0),
    zeroBytes: (data) => data.filter((byte) => byte === 0).length,
    unknownSyscalls: () => 0,
    sha256(data, digest) {
      digest.set(createHash('sha256').update(data).digest());
      return 0;
    },
    prlimit: () => 0,
    schedSetAttr: () => 0,
    attachDeviceFilter: () => 0,
    idMapTree: () => 0,
    countMounts: () => 20,
    mountTemplate: () => -E.ENOENT,
  } satisfies Partial<Native>;
}
