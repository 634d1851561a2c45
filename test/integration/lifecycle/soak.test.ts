/**
 * Soak: containers through their whole life, four at a time, and execs in one of them; nothing grows. RUNT_SOAK sets
 * the number of containers, half of them supervised, five times as many execs follow; `make test-all` sets 20,000.
 * RUNT_SOAK_OF=containers, supervised or execs does one of the three.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as assert from 'uvu/assert';
import { Census } from '../../leaks/census.js';
import { type Bed, needing, ok, onBed } from '../bed/bed.js';
import { withUserNamespace } from '../bed/config.js';
import { hasController } from '../bed/needs.js';
import { runtPath } from '../bed/place.js';

const test = needing('soak', 'root', 'programs', 'cgroups', 'freezer', 'pids');
const containers = Number(process.env.RUNT_SOAK ?? 12);
const only = process.env.RUNT_SOAK_OF;
if (only && !['containers', 'supervised', 'execs'].includes(only)) throw new Error(`no soak of ${only}`);
const isWanted = (name: string): boolean => only === undefined || only === name;
/** Containers, or execs, between two checks. */
const ROUND = 1000;

/** Runs a command of the bed; returns its output. Keeps no file for each call, as the bed does. */
async function call(bed: Bed, ...args: string[]): Promise<string> {
  // A container keeps the stdio of create open.
  const stdio = args[0] === 'create' ? 'ignore' : 'pipe';
  const child = spawn(runtPath, ['--root', bed.root, ...args], { stdio: ['ignore', stdio, stdio] });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) child[name]?.on('data', (data) => (said[name] += data));
  const [code] = await once(child, 'close');
  assert.equal([code, said.stderr], [0, ''], args.join(' '));
  return said.stdout;
}

/** Calls `work` for each number below `count`, four at a time. */
async function each(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
}

/** Calls `work` for each number below `count`, and checks after each round that nothing has grown since the first. */
async function soaked(bed: Bed, count: number, work: (i: number) => Promise<void>): Promise<void> {
  // What is made once, as compiled filters, is made here.
  await each(Math.min(4, count), work);
  const census = new Census({ marks: [bed.mark], directories: [bed.root, `${bed.root}/.deleted`] });
  const from = Date.now();
  for (let done = 0; done < count; done += ROUND) {
    await each(Math.min(ROUND, count - done), (i) => work(done + i));
    await census.balances();
  }
  process.stdout.write(`\n# note ${count} in ${Math.round((Date.now() - from) / 1000)} s\n`);
}

for (const [name, flags, change] of [
  ['containers', [], () => {}],
  ['containers with a supervisor and a user namespace', ['--supervise'], (bed) => withUserNamespace(bed.config)],
] as const satisfies readonly (readonly [string, readonly string[], (bed: Bed) => void])[]) {
  if (!isWanted(flags.length > 0 ? 'supervised' : 'containers')) continue;
  test(
    `${containers / 2} ${name} leave nothing`,
    onBed(async (bed) => {
      bed.config.process.args = ['/bin/sleep', '100000'];
      change(bed);
      bed.write();
      await soaked(bed, Math.ceil(containers / 2), async (i) => {
        const id = `${bed.id}-${i % 8}-${Math.random().toString(36).slice(2, 8)}`;
        await call(bed, 'create', '--bundle', bed.bundle, ...flags, id);
        await call(bed, 'start', id);
        await call(bed, 'exec', id, '/bin/true');
        await call(bed, 'pause', id);
        await call(bed, 'resume', id);
        if (hasController('pids')) await call(bed, 'update', '--pids-limit', '50', id);
        await call(bed, 'kill', id, 'KILL');
        if (flags.length > 0) assert.is(await call(bed, 'wait', id), '137\n');
        await call(bed, 'delete', '--force', id);
      });
    }),
  );
}

for (const flags of isWanted('execs') ? [[], ['--supervise']] : []) {
  test(
    `${(5 * containers) / 2} execs leave nothing ${flags.join()}`,
    onBed(async (bed) => {
      bed.config.process.args = ['/bin/sleep', '100000'];
      ok(bed.create(flags));
      ok(bed.start());
      await soaked(bed, Math.ceil((5 * containers) / 2), async (i) => {
        const detached = i % 4 === 0 ? ['--detach'] : [];
        await call(bed, 'exec', ...detached, bed.id, '/bin/true');
      });
      ok(bed.delete('--force'));
    }),
  );
}

test.run();
