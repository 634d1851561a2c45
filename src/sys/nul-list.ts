/** The form of string lists for native functions and runt-init. */
import { host, native } from './host.js';

/** How many strings a list has, if none of them contains a NUL. */
export const countOfNuls = (list: Uint8Array): number => native.zeroBytes(list);

/** The items, each ended by NUL. No item may contain a NUL. */
export const nulList = (items: readonly (string | number | bigint)[]): Uint8Array =>
  host.encode(items.length > 0 ? `${items.join('\0')}\0` : '');
