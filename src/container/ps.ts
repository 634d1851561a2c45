/** `ps`: the processes in a container's cgroups. */

import { checkMounted } from '../cgroup/cgroup-facts.js';
import { pidsIn } from '../cgroup/cgroup-processes.js';
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { X_OK } from '../sys/linux.js';
import { psTime } from '../sys/waiting/time-limits.js';
import { pidsWithoutCgroup } from './cgroups/pids-without-cgroup.js';
import { runProgram } from './launch/program-output.js';
import { checkNamespace } from './state/recorded-process.js';
import { loadRecord } from './state/state-store.js';

interface PsOptions {
  readonly root: string;
  readonly id: string;
}

/** Directories to search for ps(1) after PATH: engines call with an empty environment. */
const defaultPath = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin';
/** Maximum output: ps prints a line for each process of the host. */
const maxOutput = 64 << 20;

/**
 * Pids, in the runtime's pid namespace, of all processes in or below the container's cgroups.
 * @throws RuntError ERR_NO_CONTAINER, ERR_STATE, ERR_STATE_CORRUPT
 */
export function listPids(o: PsOptions): number[] {
  const record = loadRecord(o.root, o.id);
  checkMounted(record.cgroups);
  const all = new Set<number>();
  for (const path of record.cgroups) {
    for (const pid of pidsIn(path, true)) all.add(pid);
    // Every hierarchy has the same processes: stop at the first with any.
    if (all.size > 0) break;
  }
  if (record.cgroups.length === 0) for (const pid of pidsWithoutCgroup(record)) all.add(pid);
  // The kernel does not list processes of a pid namespace outside of runt's.
  if (all.size === 0) checkNamespace(record);
  return [...all].sort((a, b) => a - b);
}

/**
 * Output of the host's `ps` with these options (`-ef` by default): header, and lines of the container's processes.
 * @throws RuntError ERR_PS if ps is missing, fails or prints no column PID; those of `listPids`
 */
export async function processTable(o: PsOptions, options: readonly string[]): Promise<string> {
  loadRecord(o.root, o.id);
  const output = await runPs(options.length > 0 ? options : ['-ef']);
  // After ps: a newer process has no line, and an ended one no pid.
  const inside = new Set(listPids(o));
  const [header = '', ...lines] = output.split('\n');
  const column = splitWords(header).indexOf('PID');
  if (column < 0) {
    throw new RuntError({
      code: 'ERR_PS',
      message: `ps ${o.id}: the output of ps has no column PID, which shows the processes of the container`,
      hint: 'choose options of ps that print it, such as -o pid,args',
    });
  }
  // Numbers end where their header ends; earlier columns may contain spaces. A name with wide characters shifts the
  // line.
  const end = ` ${header} `.indexOf(' PID ') + 3;
  const ours = lines.filter((line) => {
    const below = line.slice(0, end).split(' ').at(-1) ?? '';
    const whole = isNumber(below) && !isNumber(line[end] ?? '');
    const word = whole ? below : (splitWords(line)[column] ?? '');
    return isNumber(word) && inside.has(Number(word));
  });
  return `${[header, ...ours].join('\n')}\n`;
}

const noPs = 'install ps (package procps), or use --format json, which needs none';
const splitWords = (line: string): string[] => line.split(/[ \t]/).filter((w) => w !== '');
const isNumber = (word: string): boolean => /^[0-9]{1,10}$/.test(word);

async function runPs(options: readonly string[]): Promise<string> {
  const path = `${host.env.PATH ?? ''}:${defaultPath}`
    .split(':')
    .filter((d) => d.startsWith('/'))
    .map((d) => `${d}/ps`)
    .find((p) => native.access(p, X_OK) === 0);
  if (path === undefined)
    throw new RuntError({ code: 'ERR_PS', message: 'find the program ps', errno: E.ENOENT, hint: noPs });
  const { status, output } = await runProgram([path, ...options], {
    code: 'ERR_PS',
    timeout: psTime,
    most: maxOutput,
    hint: 'use --format json, which needs no ps: a process can keep ps from reading its command line',
  });
  if (status === 0) return output;
  throw new RuntError({ code: 'ERR_PS', message: `${path} ended with status ${status}: ${output.trim()}`, path });
}
