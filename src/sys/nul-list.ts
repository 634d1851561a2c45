/** Lists of strings for native functions and runt-init. */
import { host } from './host.js';

/** The items, each ended by NUL. No item may contain a NUL. */
export const nulList = (items: readonly (string | number | bigint)[]): Uint8Array =>
  host.encode(items.length > 0 ? `${items.join('\0')}\0` : '');

/** The environment of a program, each variable as `NAME=value`: this process's own, and those of `more`, which win. */
export const environment = (more: Readonly<Record<string, string>> = {}): string[] =>
  Object.entries({ ...host.env, ...more }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
