/** A ready-made seccomp program: base64 of `struct sock_filter`s (the annotation run.oci.seccomp_bpf_data). */
import type { Op } from '../../../plan/plan-ops.js';
import { RuntError } from '../../../sys/error.js';
import { native } from '../../../sys/host.js';
import { checkOp } from '../../failure/op-failed.js';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
/** BPF_MAXINSNS, 8 bytes each. */
const maxProgram = 4096 * 8;

const digestSize = 32;

/** Opens a file with the program. @throws RuntError ERR_SPEC_VALUE */
export function openProgramData(op: Extract<Op, { op: 'seccompData' }>): number {
  const program = decode(op.data);
  if (!program || program.length === 0 || program.length % 8 !== 0 || program.length > maxProgram) {
    throw new RuntError({
      code: 'ERR_SPEC_VALUE',
      message: `run.oci.seccomp_bpf_data must be base64 of 1 to 4096 instructions of 8 bytes, found ${program ? `${program.length} bytes` : 'no base64'}`,
      pointer: op.at,
      value: op.data,
    });
  }
  // Room for a digest, because runt-init reads the cache's file format.
  const file = new Uint8Array(program.length + digestSize);
  file.set(program);
  return checkOp(op, native.sealedFile(file), 'memfd_create');
}

/** Decodes base64 (RFC 4648, with padding); undefined if it is malformed. */
export function decode(text: string): Uint8Array | undefined {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  if (text.length % 4 !== 0) return undefined;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let bits = 0;
  let at = 0;
  for (let i = 0; i < text.length - padding; i++) {
    const digit = alphabet.indexOf(text[i] as string);
    if (digit < 0) return undefined;
    bits = ((bits << 6) | digit) & 0xffffff;
    if (i % 4 > 0) bytes[at++] = (bits >> (6 - 2 * (i % 4))) & 0xff;
  }
  return bytes;
}
