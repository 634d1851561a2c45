/** The form of string lists for native functions and runt-init. */
import { check } from './error.js';
import { host, native } from './host.js';

/** How many strings a list has, if none of them contains a NUL. @throws RuntError ERR_INTERNAL for more than 2^31 */
export const countOfNuls = (list: Uint8Array): number =>
  check(native.zeroBytes(list), { code: 'ERR_INTERNAL', message: 'count the strings of a list', syscall: 'zeroBytes' });

/** The items, each ended by NUL. No item may contain a NUL. */
export const nulList = (items: readonly (string | number | bigint)[]): Uint8Array =>
  host.encode(items.length > 0 ? `${items.join('\0')}\0` : '');
