/** The environment of programs that runt executes. */
import { host } from '../sys/host.js';

/** Each variable as `NAME=value`: this process's own, and those of `more`, which win. */
export const environment = (more: Readonly<Record<string, string>> = {}): string[] =>
  Object.entries({ ...host.env, ...more }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
