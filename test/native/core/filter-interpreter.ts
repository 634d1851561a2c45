/** An interpreter of the classic BPF of seccomp filters (seccomp(2)). */
import * as assert from 'uvu/assert';

/** AUDIT_ARCH_*. */
export const X86_64 = 0xc000003e;
export const I386 = 0x40000003;
export const AARCH64 = 0xc00000b7;
/** In the number of a call of x32. */
export const X32_BIT = 0x40000000;

export interface Call {
  readonly nr: number;
  readonly arch?: number;
  readonly args?: readonly bigint[];
}

/** The result of seccomp(2) for a program and a call: the value that the program returns. */
export function verdict(program: Uint8Array, { nr, arch = X86_64, args = [] }: Call): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, nr, true);
  data.setUint32(4, arch, true);
  for (const [i, value] of args.entries()) data.setBigUint64(16 + 8 * i, value, true);
  const view = new DataView(program.buffer, program.byteOffset, program.length);
  const memory = new Uint32Array(16);
  let a = 0;
  let x = 0;
  for (let pc = 0, steps = 0; ; pc++) {
    assert.ok(pc * 8 + 8 <= program.length && ++steps <= 4096, 'the program runs out of its end');
    const code = view.getUint16(pc * 8, true);
    const [yes, no, k] = [view.getUint8(pc * 8 + 2), view.getUint8(pc * 8 + 3), view.getUint32(pc * 8 + 4, true)];
    const jump = (condition: boolean): void => {
      pc += condition ? yes : no;
    };
    switch (code) {
      case 0x20:
        a = data.getUint32(k, true);
        break;
      case 0x00:
        a = k;
        break;
      case 0x02:
        memory[k] = a;
        break;
      case 0x60:
        a = memory[k]!;
        break;
      case 0x07:
        x = a;
        break;
      case 0x87:
        a = x;
        break;
      case 0x54:
        a = (a & k) >>> 0;
        break;
      case 0x05:
        pc += k;
        break;
      case 0x15:
        jump(a === k);
        break;
      case 0x25:
        jump(a > k);
        break;
      case 0x35:
        jump(a >= k);
        break;
      case 0x45:
        jump((a & k) !== 0);
        break;
      case 0x06:
        return k;
      default:
        throw new Error(`instruction 0x${code.toString(16)} at ${pc}`);
    }
  }
}
