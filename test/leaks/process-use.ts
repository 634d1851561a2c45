/** Memory of another process. */
import { readdirSync, readFileSync } from 'node:fs';

const rollup = (pid: number, name: string): number =>
  Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);

/** PSS of a process in kB. */
export const pss = (pid: number): number => rollup(pid, 'Pss');

/** Anonymous memory of a process in kB: PSS also varies with the number of other shims. */
export const anonymous = (pid: number): number => rollup(pid, 'Anonymous');

/** The number of its open descriptors. */
export const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
