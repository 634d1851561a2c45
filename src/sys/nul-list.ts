/** Lists of strings as the native functions and runt-init read them. */
import { host } from './host.js';

/** The items, each ended by NUL. None may hold one. */
export const nulList = (items: readonly (string | number | bigint)[]): Uint8Array =>
  host.encode(items.length > 0 ? `${items.join('\0')}\0` : '');
