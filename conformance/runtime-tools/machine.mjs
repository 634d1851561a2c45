// judge.mjs in the machine of hack/vm, from outside: the programs to run there, and their results.
import { spawn } from 'node:child_process';
import { relative } from 'node:path';
import { createInterface } from 'node:readline';

const MARK = 'judged ';
/** The most machines in a row: the kernel of User Mode Linux (6.12) sometimes panics in exit_mmap. */
const BOOTS = 5;

/** One line of judge.mjs inside the machine: a result, or the versions. */
export function line(one) {
  const entries = (_, value) => (value instanceof Map ? { entries: [...value] } : value);
  return `${MARK}${JSON.stringify(one, entries)}\n`;
}

function parsed(text) {
  const maps = (_, value) => (Array.isArray(value?.entries) ? new Map(value.entries) : value);
  return JSON.parse(text, maps);
}

/**
 * The results that `here` of judge.mjs yields, from the machine; programs cut off by a panic run in another machine.
 * @param {'cgroupfs' | 'systemd'} driver the manager of the cgroups
 */
export async function* inMachine(driver, directory, programs) {
  let left = [...programs];
  let versions = false;
  for (let boot = 1; left.length > 0; boot++) {
    if (boot > BOOTS) throw new Error(`no result of ${left.join(', ')} in ${BOOTS} machines`);
    const inside = [
      'node',
      'conformance/runtime-tools/judge.mjs',
      `--inside=${driver}`,
      relative('.', directory),
      ...left,
    ];
    const child = spawn('hack/vm', ['-t', process.env.RUNT_VM_TIMEOUT ?? '3600', ...inside], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise((done, fail) => {
      child.on('error', fail);
      child.on('close', done);
    });
    for await (const text of createInterface({ input: child.stdout })) {
      if (!text.startsWith(MARK)) {
        process.stderr.write(`${text}\n`);
        continue;
      }
      let one;
      try {
        one = parsed(text.slice(MARK.length));
      } catch {
        continue; // cut off by a panic
      }
      if (one.versions) {
        if (!versions) yield one;
        versions = true;
        continue;
      }
      left = left.filter((program) => program !== one.program);
      yield one;
    }
    const status = await ended;
    if (left.length > 0)
      process.stderr.write(`judge: the machine ended with ${status}; another one runs ${left.length} more\n`);
  }
}
