/** A seccomp profile with libseccomp's numbers, and its packed form for native/core/seccomp.c. */
import { nulList } from '../nul-list.js';

/** The members have the names of `linux.seccomp`. */
export interface SeccompProfile {
  /** SECCOMP_RET_* with its data. */
  readonly defaultAction: number;
  /** Names of seccomp_arch_resolve_name(3): `x86_64`. */
  readonly architectures: readonly string[];
  readonly syscalls: readonly ProfileRule[];
  /** Rules that are tried one after another, before those of `syscalls`: libseccomp does not get them. */
  readonly ordered?: readonly ProfileRule[];
}

export interface ProfileRule {
  readonly names: readonly string[];
  readonly action: number;
  readonly args: readonly Condition[];
}

interface Condition {
  readonly index: number;
  /** `enum scmp_compare` */
  readonly op: number;
  readonly value: number | bigint;
  readonly valueTwo: number | bigint;
}

/** Packs exactly what determines the program of a profile: the packed form is also the cache key. */
export function packProfile({ defaultAction, architectures, syscalls, ordered = [] }: SeccompProfile): Uint8Array {
  const numbers: (number | bigint)[] = [0, defaultAction, architectures.length, syscalls.length, ordered.length];
  const names = [...architectures];
  for (const rule of [...syscalls, ...ordered]) {
    numbers.push(rule.action, rule.args.length, rule.names.length);
    for (const { index, op, value, valueTwo } of rule.args) numbers.push(index, op, value, valueTwo);
    // A NUL would end the name early. The empty name is as unknown to libseccomp as a name with a NUL.
    for (const name of rule.names) names.push(name.includes('\0') ? '' : name);
  }
  numbers[0] = numbers.length;
  const head = new Uint8Array(words(numbers).buffer);
  const tail = nulList(names);
  const packed = new Uint8Array(head.length + tail.length);
  packed.set(head);
  packed.set(tail, head.length);
  return packed;
}

/** Integers as 64 bits, little-endian. A bigint of each would take most of the time. */
function words(numbers: readonly (number | bigint)[]): BigUint64Array {
  const whole = new BigUint64Array(numbers.length);
  const halves = new Uint32Array(whole.buffer);
  for (let i = 0; i < numbers.length; i++) {
    const n = numbers[i] as number | bigint;
    if (typeof n === 'bigint') {
      whole[i] = n;
    } else {
      halves[2 * i] = n;
      if (n > 0xffff_ffff || n < 0) halves[2 * i + 1] = Math.floor(n / 2 ** 32);
    }
  }
  return whole;
}

/** The JSON pointer, below `linux.seccomp`, of the item that `compileSeccomp` refused; `program` has its position. */
export function refusedPointer({ architectures }: SeccompProfile, program: Uint8Array): string {
  const view = new DataView(program.buffer, program.byteOffset);
  const [item, name] = [Number(view.getBigInt64(0, true)), view.getBigInt64(8, true)];
  if (item < 0) return '';
  if (item === 0) return '/defaultAction';
  if (item <= architectures.length) return `/architectures/${item - 1}`;
  return `/syscalls/${item - 1 - architectures.length}/${name < 0 ? 'args' : `names/${name}`}`;
}
