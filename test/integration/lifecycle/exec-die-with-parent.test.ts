/** `exec --die-with-parent`: the process ends with the one that runs runt, and with runt; the container goes on. */
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { DEADLINE } from '../../deadline.js';
import { hasEnded } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, ok, onBed } from '../bed/bed.js';
import { asUser, me } from '../bed/callers.js';
import { runtPath } from '../bed/place.js';
import { onTerminal } from '../bed/terminal.js';

const test = needing('exec: die with parent', 'root');
const pausing = needing('exec: die with parent in a paused container', 'root', 'cgroups', 'freezer');
const terminal = needing('exec: die with parent on a terminal', 'root', 'programs');
const rootless = needing('exec: die with parent without root', 'root', 'newuidmap', 'setpriv', 'unshare');
const setuid = needing('exec: die with parent of a setuid program', 'root', 'setpriv');

/** The guards of a process, which hold a pidfd of it. */
function guardsOf(pid: number): number[] {
  const holdsIt = (guard: string): boolean => {
    try {
      if (readFileSync(`/proc/${guard}/comm`, 'utf8') !== 'runt-guard\n') return false;
      const infos = readdirSync(`/proc/${guard}/fdinfo`).map((fd) =>
        readFileSync(`/proc/${guard}/fdinfo/${fd}`, 'utf8'),
      );
      return infos.some((info) => new RegExp(`^Pid:\\s+${pid}$`, 'm').test(info));
    } catch {
      return false;
    }
  };
  return readdirSync('/proc').filter(holdsIt).map(Number);
}

/** The pid in a file, which runt writes once the process runs. */
async function pidIn(file: string): Promise<number> {
  await eventually('the exec runs', () => existsSync(file) && readFileSync(file, 'utf8') !== '');
  return Number(readFileSync(file, 'utf8'));
}

/** Runs a container, and `runt exec` from a shell that goes on after it. @returns the shell, runt, and the process */
async function execFromShell(bed: Bed, flags: readonly string[] = [], command = ['/bin/sleep', '1000']) {
  const pidFile = join(bed.dir, 'exec-pid');
  const wrapped = ['sh', '-c', '"$@" & echo $!; wait $!; exec sleep 1000', 'sh'];
  const shell = bed.spawn(['exec', '--die-with-parent', '--pid-file', pidFile, ...flags, bed.id, ...command], {
    wrapped,
  });
  return { ...shell, pid: await pidIn(pidFile), runt: Number(shell.stdout()) };
}

function running(bed: Bed, ...flags: string[]): void {
  bed.config.process.args = ['/bin/sleep', '1000'];
  ok(bed.run(['--detach', ...flags]));
}

/** The process and its guard have ended, and the container runs. */
async function endedAlone(bed: Bed, pid: number): Promise<void> {
  await eventually('the process has ended', () => hasEnded(pid));
  await eventually('the guard has ended', () => guardsOf(pid).length === 0);
  assert.is(bed.state().status, 'running');
  ok(bed.delete('--force'));
}

for (const [what, ...flags] of [['a supervisor', '--supervise'], ['no supervisor']]) {
  test(
    `with ${what}: when the parent is killed, a process in the foreground ends, and runt with it`,
    onBed(async (bed) => {
      running(bed, ...flags);
      const { child, exit, runt, pid } = await execFromShell(bed);
      assert.is(guardsOf(pid).length, 1);
      child.kill('SIGKILL');
      await exit;
      await eventually('runt has ended', () => hasEnded(runt));
      await endedAlone(bed, pid);
    }),
  );

  test(
    `with ${what}: when runt is killed, a process in the foreground ends`,
    onBed(async (bed) => {
      running(bed, ...flags);
      const { child, exit, runt, pid } = await execFromShell(bed);
      process.kill(runt, 'SIGKILL');
      await endedAlone(bed, pid);
      child.kill('SIGKILL');
      await exit;
    }),
  );

  test(
    `with ${what}: a detached process ends with the parent, and not with runt`,
    onBed(async (bed) => {
      running(bed, ...flags);
      const { child, exit, runt, pid } = await execFromShell(bed, ['--detach']);
      await eventually('runt has ended', () => hasEnded(runt));
      assert.not.ok(hasEnded(pid));
      child.kill('SIGKILL');
      await exit;
      await eventually('the process has ended', () => hasEnded(pid));
      if (flags.length > 0) {
        const end = JSON.parse(ok(bed.runt(['wait', '--format', 'json', '--pid', String(pid), bed.id])).stdout);
        assert.equal([end.pid, end.signal, end.reason], [pid, 9, 'parent']);
      }
      await endedAlone(bed, pid);
    }),
  );
}

test(
  'its own end has its own status, and ends the guard',
  onBed(async (bed) => {
    running(bed);
    const r = bed.runt(['exec', '--die-with-parent', bed.id, '/bin/sh', '-c', 'echo hi; exit 7']);
    assert.equal([r.code, r.stdout, r.stderr], [7, 'hi\n', '']);
    const { child, exit, pid } = await execFromShell(bed, ['--detach'], ['/bin/true']);
    await endedAlone(bed, pid);
    child.kill('SIGKILL');
    await exit;
  }),
);

test(
  'a supervisor that is killed before, or after, does not save the process; its heir records why it has ended',
  onBed(async (bed) => {
    running(bed, '--supervise');
    const killSupervisor = async (): Promise<void> => {
      const { pid } = JSON.parse(readFileSync(join(bed.root, bed.id, 'state.json'), 'utf8')).supervisor;
      process.kill(pid, 'SIGKILL');
      await eventually('the supervisor has ended', () => hasEnded(pid));
    };
    await killSupervisor();
    const { child, exit, pid } = await execFromShell(bed, ['--detach']);
    await killSupervisor();
    child.kill('SIGKILL');
    await exit;
    await endedAlone(bed, pid);
  }),
);

test(
  'TERM of a service manager to every process of the unit ends neither the guard nor the supervisor before their work',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const wrapped = ['sh', '-c', '"$@"; echo; exec sleep 1000', 'sh'];
    const run = ['run', '--detach', '--die-with-parent', '--bundle', bed.bundle, bed.id];
    const script = bed.spawn(run, { wrapped });
    await eventually('it runs', () => bed.isRunning());
    const state = JSON.parse(readFileSync(join(bed.root, bed.id, 'state.json'), 'utf8'));
    const { child, exit, pid } = await execFromShell(bed);
    for (const one of [...guardsOf(pid), state.supervisor.pid]) process.kill(one, 'SIGTERM');
    child.kill('SIGKILL');
    await exit;
    await eventually('the process has ended', () => hasEnded(pid));
    script.child.kill('SIGKILL');
    await script.exit;
    await eventually('the container has ended', () => hasEnded(state.pid));
    await eventually('the supervisor has ended', () => hasEnded(state.supervisor.pid));
    ok(bed.delete('--force'));
  }),
);

setuid(
  'a process that changes its user and executes a setuid program ends too',
  onBed(async (bed) => {
    copyFileSync(join(bed.rootfs, 'bin', 'busybox'), join(bed.rootfs, 'bin', 'busybox-setuid'));
    chmodSync(join(bed.rootfs, 'bin', 'busybox-setuid'), 0o4755);
    bed.config.process.noNewPrivileges = false;
    running(bed);
    const { child, exit, pid } = await execFromShell(
      bed,
      ['--user', '1000:1000'],
      ['/bin/busybox-setuid', 'sleep', '1000'],
    );
    // The change of credentials clears the signal of prctl(2), PR_SET_PDEATHSIG.
    assert.not.ok(hasEnded(pid));
    child.kill('SIGKILL');
    await exit;
    await endedAlone(bed, pid);
  }),
);

rootless(
  'without root, a process of a subordinate user ends too',
  onBed(async (bed) => {
    const runt = asUser(bed);
    for (const map of ['uidMappings', 'gidMappings'] as const)
      bed.config.linux[map] = [
        { containerID: 0, hostID: me, size: 1 },
        { containerID: 1, hostID: 100_000, size: 65_536 },
      ];
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    ok(runt('run', '--detach', '--bundle', bed.bundle, bed.id));
    const pidFile = join(bed.dir, 'exec-pid');
    const args = ['exec', '--die-with-parent', '--user', '7:7', '--pid-file', pidFile, bed.id, '/bin/sleep', '1000'];
    const shell = bed.spawn(args, {
      program: join(bed.dir, 'as-user'),
      env: { PATH: process.env.PATH ?? '', XDG_RUNTIME_DIR: bed.dir },
      wrapped: ['sh', '-c', '"$@" & wait', 'sh'],
    });
    const pid = await pidIn(pidFile);
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^Uid:\t100006\t/m);
    shell.child.kill('SIGKILL');
    await shell.exit;
    await eventually('the process has ended', () => hasEnded(pid));
    ok(runt('delete', '--force', bed.id));
  }),
);

pausing(
  'in a paused container it ends at once, or on cgroup v1 when that is resumed; it stays paused',
  onBed(async (bed) => {
    running(bed);
    const { child, exit, pid } = await execFromShell(bed);
    ok(bed.runt(['pause', bed.id]));
    child.kill('SIGKILL');
    await exit;
    await eventually('the guard has ended', () => guardsOf(pid).length === 0);
    assert.is(bed.state().status, 'paused');
    ok(bed.runt(['resume', bed.id]));
    await endedAlone(bed, pid);
  }),
);

terminal(
  'with a terminal, the process ends with the parent of runt',
  onBed(async (bed) => {
    running(bed);
    const pidFile = join(bed.dir, 'exec-pid');
    const args = ['exec', '--die-with-parent', '--tty', '--pid-file', pidFile, bed.id, '/bin/sleep', '1000'];
    const script = 'echo $$ >parent; "$@"; :';
    const side = onTerminal(['/bin/sh', '-c', script, 'sh', runtPath, '--root', bed.root, ...args], bed.dir);
    const pid = await pidIn(pidFile);
    process.kill(Number(readFileSync(join(bed.dir, 'parent'), 'utf8')), 'SIGKILL');
    await endedAlone(bed, pid);
    side.child.kill('SIGKILL');
    await side.closed();
  }),
);

test(
  'a parent that has ended before runt looks for it is reported, by exec and run',
  onBed(async (bed) => {
    running(bed);
    bed.write();
    for (const args of [
      ['exec', '--die-with-parent', bed.id, '/bin/true'],
      ['run', '--detach', '--die-with-parent', '--bundle', bed.bundle, `${bed.id}-late`],
    ]) {
      const errors = join(bed.dir, 'errors');
      writeFileSync(errors, '');
      // Process 1, or a subreaper, adopts runt: it has another session.
      const late = `(sleep 0.3; exec "$@" 2>${errors}) &`;
      const shell = spawn('setsid', ['sh', '-c', late, 'sh', runtPath, '--root', bed.root, ...args], {
        stdio: 'ignore',
      });
      await new Promise((settle) => shell.on('exit', settle));
      await eventually('runt has ended', () => readFileSync(errors, 'utf8').endsWith('ended\n'));
      assert.match(readFileSync(errors, 'utf8'), /: open the process that ran runt, for --die-with-parent\n/);
    }
    ok(bed.delete('--force'));
  }),
);

test(
  'the library: the process ends with the program, and the container goes on',
  onBed(async (bed) => {
    running(bed);
    const program = `
      const { Runtime } = await import(${JSON.stringify(resolve('dist/index.js'))});
      const container = new Runtime({ root: ${JSON.stringify(bed.root)} }).container(${JSON.stringify(bed.id)});
      const none = ['ignore', 'ignore', 'ignore'];
      const pids = [];
      for (let n = 0; n < 3; n++)
        pids.push((await container.exec(['/bin/sleep', '1000'], { stdio: none, dieWithParent: n < 2 })).pid);
      console.log(pids.join(' '));
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { timeout: DEADLINE * 4 });
    let output = '';
    child.stdout.on('data', (data) => {
      output += data;
    });
    await eventually('the execs run', () => output.endsWith('\n'));
    const [first = 0, second = 0, other = 0] = output.split(' ').map(Number);
    assert.equal(
      [first, second, other].map((pid) => guardsOf(pid).length),
      [1, 1, 0],
    );
    child.kill('SIGKILL');
    await eventually('the processes have ended', () => hasEnded(first) && hasEnded(second));
    assert.not.ok(hasEnded(other));
    await endedAlone(bed, first);
  }),
);

for (const suite of [test, rootless, pausing, terminal, setuid]) suite.run();
