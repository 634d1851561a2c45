/** `run --die-with-parent`: the container ends with the process that runs runt, and with runt itself. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { cgroupsNamed, hasEnded } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, ok, onBed } from '../bed/bed.js';

const test = needing('die with parent', 'root');
const killing = needing('die with parent without a pid namespace', 'root', 'cgroups');

interface State {
  readonly pid: number;
  readonly supervisor: { readonly pid: number };
}

const stateOf = (bed: Bed): State => JSON.parse(readFileSync(join(bed.root, bed.id, 'state.json'), 'utf8'));

/** Starts `runt run` from a shell that waits for it, or goes on if it is detached. @returns the shell, and the state */
async function runFromShell(bed: Bed, ...flags: string[]) {
  bed.config.process.args = ['/bin/sleep', '1000'];
  bed.write();
  const script = '"$@" & echo $!; wait $!; sleep 1000';
  const wrapped = ['sh', '-c', script, 'sh'];
  const shell = bed.spawn(['run', '--die-with-parent', ...flags, '--bundle', bed.bundle, bed.id], { wrapped });
  await eventually('it runs', () => bed.isRunning());
  return { ...shell, runt: Number(shell.stdout()), state: stateOf(bed) };
}

test(
  'when the parent is killed, a foreground run removes its container and ends',
  onBed(async (bed) => {
    const { child, exit, runt, state } = await runFromShell(bed);
    child.kill('SIGKILL');
    await exit;
    await eventually('runt has ended', () => hasEnded(runt));
    assert.ok(hasEnded(state.pid));
    assert.not.ok(existsSync(join(bed.root, bed.id)));
    assert.equal(cgroupsNamed(bed.id), []);
    await eventually('the supervisor has ended', () => hasEnded(state.supervisor.pid));
  }),
);

test(
  'when runt itself is killed, the container ends too, and delete removes the rest',
  onBed(async (bed) => {
    const { child, exit, runt, state } = await runFromShell(bed);
    process.kill(runt, 'SIGKILL');
    await eventually('the container has ended', () => hasEnded(state.pid));
    const end = JSON.parse(ok(bed.runt(['wait', '--format', 'json', bed.id])).stdout);
    assert.equal([end.signal, end.reason], [9, 'parent']);
    ok(bed.delete());
    child.kill('SIGKILL');
    await exit;
  }),
);

test(
  'a detached container ends with the parent, and not with runt',
  onBed(async (bed) => {
    const { child, exit, runt, state } = await runFromShell(bed, '--detach');
    await eventually('runt has ended', () => hasEnded(runt));
    assert.is(bed.state().status, 'running');
    child.kill('SIGKILL');
    await exit;
    await eventually('the container has ended', () => hasEnded(state.pid));
    assert.is(JSON.parse(ok(bed.runt(['wait', '--format', 'json', bed.id])).stdout).reason, 'parent');
    ok(bed.delete());
  }),
);

test(
  'a container that changes its user and its privileges ends too, which PR_SET_PDEATHSIG would not survive',
  onBed(async (bed) => {
    bed.config.process.user = { uid: 1000, gid: 1000 };
    const { child, exit, state, runt } = await runFromShell(bed);
    child.kill('SIGKILL');
    await exit;
    await eventually('the container has ended', () => hasEnded(state.pid));
    await eventually('runt has ended', () => hasEnded(runt));
  }),
);

test(
  'its own end has its own status',
  onBed((bed) => {
    const r = bed.sh('exit 7', ['--die-with-parent']);
    assert.equal([r.code, r.stderr], [7, '']);
  }),
);

killing(
  'without a pid namespace, all processes of a foreground run end',
  onBed(async (bed) => {
    bed.config.linux.namespaces = bed.config.linux.namespaces.filter(({ type }) => type !== 'pid');
    const { child, exit, runt, state } = await runFromShell(bed);
    ok(bed.runt(['exec', '-d', bed.id, '/bin/sleep', '1000']));
    child.kill('SIGKILL');
    await exit;
    await eventually('runt has ended', () => hasEnded(runt));
    assert.ok(hasEnded(state.pid));
    assert.equal(cgroupsNamed(bed.id), []);
  }),
);

test.run();
killing.run();
