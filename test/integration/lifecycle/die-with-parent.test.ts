/** `run --die-with-parent`: the container ends with the process that runs runt, and with runt itself. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { cgroupsNamed, hasEnded, mountsBelow } from '../../leaks/leftovers.js';
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
  const script = '"$@" & echo $!; wait $!; exec sleep 1000';
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

killing(
  'a paused container ends too',
  onBed(async (bed) => {
    const { child, exit, runt, state } = await runFromShell(bed);
    ok(bed.runt(['pause', bed.id]));
    child.kill('SIGKILL');
    await exit;
    await eventually('the container has ended', () => hasEnded(state.pid));
    await eventually('runt has ended', () => hasEnded(runt));
    assert.not.ok(existsSync(join(bed.root, bed.id)));
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

/** After a kill of the script and of runt: the supervisor leaves a state record alone, and `delete` removes that. */
async function leavesOneRecord(bed: Bed, supervisor: number): Promise<void> {
  await eventually('the cgroups are removed', () => cgroupsNamed(bed.id).length === 0);
  await eventually('the supervisor has ended', () => hasEnded(supervisor));
  assert.equal(mountsBelow(bed.dir), []);
  ok(bed.delete('--force'));
  assert.not.ok(existsSync(join(bed.root, bed.id)));
}

killing(
  'when the script and runt are killed at once, the supervisor removes the cgroups',
  onBed(async (bed) => {
    const { child, exit, runt, state } = await runFromShell(bed);
    assert.ok(cgroupsNamed(bed.id).length > 0);
    process.kill(runt, 'SIGKILL');
    child.kill('SIGKILL');
    await exit;
    await eventually('the container has ended', () => hasEnded(state.pid));
    await leavesOneRecord(bed, state.supervisor.pid);
  }),
);

killing(
  'when they are killed while the container is created, the supervisor removes the cgroups',
  onBed(async (bed) => {
    const started = join(bed.dir, 'hook-runs');
    bed.config.hooks = {
      createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', `echo $$ >${started}; exec sleep 1000`] }],
    };
    bed.write();
    const wrapped = ['sh', '-c', '"$@" & echo $!; wait', 'sh'];
    const shell = bed.spawn(['run', '--die-with-parent', '--bundle', bed.bundle, bed.id], { wrapped });
    await eventually('the hook runs', () => existsSync(started) && /\d\n/.test(readFileSync(started, 'utf8')));
    assert.ok(cgroupsNamed(bed.id).length > 0);
    process.kill(Number(shell.stdout()), 'SIGKILL');
    shell.child.kill('SIGKILL');
    await shell.exit;
    await eventually('the hook has ended', () => hasEnded(Number(readFileSync(started, 'utf8'))));
    await eventually('the cgroups are removed', () => cgroupsNamed(bed.id).length === 0);
    ok(bed.delete('--force'));
    assert.not.ok(existsSync(join(bed.root, bed.id)));
  }),
);

killing(
  'cgroups of a detached container that has ended are removed with the parent, and those below them',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/true'];
    bed.write();
    const wrapped = ['sh', '-c', '"$@"; echo; exec sleep 1000', 'sh'];
    const args = ['run', '--detach', '--die-with-parent', '--bundle', bed.bundle, bed.id];
    const shell = bed.spawn(args, { wrapped });
    await eventually('runt has ended', () => shell.stdout() !== '');
    await eventually('the container has ended', () => bed.state().status === 'stopped');
    const { supervisor } = stateOf(bed);
    const cgroups = cgroupsNamed(bed.id);
    assert.ok(cgroups.length > 0 && !hasEnded(supervisor.pid));
    for (const path of cgroups) mkdirSync(join(path, 'below'));
    shell.child.kill('SIGKILL');
    await shell.exit;
    await leavesOneRecord(bed, supervisor.pid);
  }),
);

killing(
  'delete and a kept run do not wait for the parent',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/true'];
    bed.write();
    ok(bed.run(['--detach', '--die-with-parent']));
    await eventually('the container has ended', () => bed.state().status === 'stopped');
    const { supervisor } = stateOf(bed);
    ok(bed.delete());
    assert.ok(hasEnded(supervisor.pid));
    ok(bed.run(['--keep', '--die-with-parent']));
    assert.ok(cgroupsNamed(bed.id).length > 0);
    ok(bed.delete());
    assert.equal(cgroupsNamed(bed.id), []);
  }),
);

test.run();
killing.run();
