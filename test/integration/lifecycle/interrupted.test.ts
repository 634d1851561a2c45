/** Signals to a foreground command that has not yet started its process. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { hasEnded } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, onBed, type Running } from '../bed/bed.js';
import { fullListener } from '../bed/full-listener.js';

const test = needing('signals before the start of the process', 'root');
const env = [`PATH=${process.env.PATH}`];

/** Gives the bed a hook at `point` that hangs; returns the file that the hook makes. */
function addHangingHook(bed: Bed, point: string): { begun: string } {
  const dir = join(bed.dir, 'scene');
  mkdirSync(dir);
  bed.config.mounts.push({ destination: dir, source: dir, type: 'bind', options: ['bind'] });
  const [path, begun] = [join(dir, 'hook'), join(dir, 'begun')];
  writeFileSync(path, `#!/bin/sh\necho $$ > ${begun}\nexec sleep 1000\n`);
  chmodSync(path, 0o755);
  bed.config.hooks = { [point]: [{ path, env }] } as never;
  bed.config.process.args = ['/bin/sleep', '1000'];
  return { begun };
}

const run = (bed: Bed): Running => {
  bed.write();
  return bed.spawn(['run', '--bundle', bed.bundle, bed.id]);
};

for (const point of ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart'])
  for (const [signal, status] of [['SIGTERM', 143], ...(point === 'createRuntime' ? [['SIGINT', 130]] : [])] as const)
    test(
      `${signal} ends a run whose ${point} hook hangs, and the hook, and nothing is left`,
      onBed(async (bed) => {
        const { begun } = addHangingHook(bed, point);
        const command = run(bed);
        await eventually('the hook runs', () => existsSync(begun) && readFileSync(begun, 'utf8') !== '');
        command.child.kill(signal as NodeJS.Signals);
        const { code, stderr } = await command.exit;
        assert.is(code, status, stderr);
        assert.match(stderr, new RegExp(`run ${bed.id}: ended by ${signal} before the start was complete`));
        assert.match(bed.runt(['state', bed.id]).stderr, /does not exist/);
        // Hooks in the container have its pids, and end with its init.
        if (!point.endsWith('Container')) assert.ok(hasEnded(Number(readFileSync(begun, 'utf8'))));
      }),
    );

test(
  'an interrupted run runs its poststop hooks',
  onBed(async (bed) => {
    const { begun } = addHangingHook(bed, 'createRuntime');
    const ended = join(bed.dir, 'ended');
    const poststop = [{ path: '/bin/sh', args: ['sh', '-c', `echo yes > ${ended}`], env }];
    Object.assign(bed.config.hooks as object, { poststop });
    const command = run(bed);
    await eventually('the hook runs', () => existsSync(begun));
    command.child.kill('SIGTERM');
    assert.is((await command.exit).code, 143);
    assert.is(readFileSync(ended, 'utf8'), 'yes\n');
  }),
);

test(
  'a signal that does not terminate is passed to the process once it runs',
  onBed(async (bed) => {
    const { begun } = addHangingHook(bed, 'createRuntime');
    const end = join(bed.dir, 'end');
    const hook = join(bed.dir, 'scene', 'hook');
    writeFileSync(hook, `#!/bin/sh\necho > ${begun}\nwhile [ ! -e ${end} ]; do sleep 0.01; done\n`);
    // The init of a pid namespace would ignore the signal.
    bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== 'pid');
    const command = run(bed);
    await eventually('the hook runs', () => existsSync(begun));
    command.child.kill('SIGUSR1');
    writeFileSync(end, '');
    const { code, stderr } = await command.exit;
    assert.is(code, 128 + 10, stderr);
    assert.is(stderr, '');
  }),
);

for (const [signal, number] of [
  ['SIGTERM', 15],
  ['SIGHUP', 1],
] as const)
  test(
    `${signal} ends a run and an exec that wait for a --pidfd-socket`,
    onBed((bed) =>
      fullListener(bed, 'pidfd', async (path) => {
        bed.started();
        const other = `${bed.id}-a`;
        const commands = [
          bed.spawn(['run', '--bundle', bed.bundle, '--pidfd-socket', path, other]),
          bed.spawn(['exec', '--pidfd-socket', path, bed.id, '/bin/sleep', '1000']),
        ];
        await eventually('the container is made', () => /"creating"/.test(bed.runt(['state', other]).stdout));
        for (const { child } of commands) child.kill(signal);
        for (const { exit } of commands) {
          const { code, stderr } = await exit;
          assert.is(code, 128 + number, stderr);
          assert.match(stderr, `ended by ${signal} before the start was complete`);
        }
        assert.match(bed.runt(['state', other]).stderr, /does not exist/);
        assert.is(bed.state().status, 'running');
        bed.delete('--force');
      }),
    ),
  );

test.run();
