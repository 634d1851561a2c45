/** `run`: create and start; in the foreground also signal forwarding, wait and delete. */
import { native } from '../sys/host.js';
import { SIGKILL } from '../sys/linux.js';
import { explainFailure, launchContainer, writeFiles } from './create.js';
import { endOf } from './launch/child-end.js';
import type { RunOptions } from './launch/container-options.js';
import type { Launch } from './launch/launch.js';
import type { RunEnd } from './run-end.js';
import type { EndLimit } from './stdio/end-limit.js';
import { interruptible, openSignals, waitForEnd } from './stdio/foreground.js';
import type { Notify } from './stdio/notify-socket.js';
import { checkPreserved } from './stdio/preserved-descriptors.js';
import type { StdioFiles } from './stdio/stdio-files.js';

/** @returns the exit status, or 128 + the signal that killed the process; 0 if detached */
export async function run(options: RunOptions): Promise<number> {
  checkPreserved(options);
  let o = options.stdioFiles ? await withFiles(options, options.stdioFiles) : options;
  if (o.dieWithParent) o = (await import('./launch/followed-processes.js')).withFollowed('run', o);
  // Before the clone, so that no early signal is lost.
  const signals = o.detach ? -1 : openSignals(`run ${o.id}`);
  if (!o.detach && !o.noSubreaper) native.setSubreaper(1);
  const interruptibly = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await interruptible(`run ${o.id}`, signals, work);
    } catch (error) {
      if (!o.followed) throw error;
      throw (await import('./launch/followed-processes.js')).parentEndError(`run ${o.id}`, o.followed, error) ?? error;
    }
  };
  const { launch, compiled, terminal, stdioOwners } = await interruptibly(() =>
    launchContainer('run', o, false, !o.detach),
  );
  let end: RunEnd | undefined;
  let limit: EndLimit | undefined;
  let notify: Notify | undefined;
  let forwarding: Promise<void> | undefined;
  const { supervisor } = launch.input.record;
  try {
    await interruptibly(async () => {
      // Before the start: if runt is killed, the process still has its limit.
      if (supervisor && o.timeout !== undefined) await launch.orUndo(limitSupervised(o, launch));
      await explainFailure('run', o.id, compiled, () => launch.start(terminal));
      await writeFiles(o, launch, compiled);
      await launch.poststart();
    });
    const { notify: socket } = launch.resources;
    if (socket) {
      const { Notify } = await import('./stdio/notify-socket.js');
      notify = new Notify(socket.release(), o.notifySocket ?? '');
      forwarding = forwardReadiness(notify, o, launch);
      if (o.detach) await forwarding;
    }
    if (o.detach) return 0;
    const again = terminal || notify || stdioOwners || supervisor ? undefined : true;
    limit = o.timeout === undefined || supervisor ? undefined : await limitOf(o, launch);
    await launch.orUndo(waitForEnd(launch, signals, terminal, again, limit));
    end = await endOfRun(o, launch);
    notify?.stop();
    await forwarding;
  } finally {
    notify?.close();
    terminal?.close();
    stdioOwners?.restore();
  }
  if (end && !end.reason && end.signal !== SIGKILL && !limit?.timedOut && !o.keep && !o.onEnd) {
    await (await import('./teardown.js')).removeEnded('run', o, launch.input.record);
    return end.status;
  }
  if (limit?.timedOut && end) end = { ...end, reason: 'timeout' };
  return (await import('./run-end.js')).finishRun(o, launch.input.record, end);
}

/** The end of the process; undefined if its supervisor was killed and the kernel no longer has it. */
async function endOfRun(o: RunOptions, launch: Launch): Promise<RunEnd | undefined> {
  if (!launch.input.record.supervisor) {
    const { status, signal } = endOf(launch.pidfd);
    return { pid: launch.pid, status, signal };
  }
  const { exitOfEnded } = await import('./state/exit-records.js');
  return exitOfEnded(`${o.root}/${o.id}`, launch);
}

async function limitOf(o: RunOptions, { pid, pidfd, input }: Launch): Promise<EndLimit> {
  const { EndLimit } = await import('./stdio/end-limit.js');
  return new EndLimit(o, { what: `run ${o.id}`, pid, pidfd, cgroups: input.record.cgroups });
}

async function limitSupervised(o: RunOptions, launch: Launch): Promise<void> {
  const { limitProcess } = await import('./launch/supervisor.js');
  await limitProcess(launch.resources.directory, launch.pid, o, launch.input.record.cgroups);
}

async function withFiles(o: RunOptions, files: StdioFiles): Promise<RunOptions> {
  return { ...o, stdio: await (await import('./stdio/stdio-files.js')).openStdioFiles(files, o.id) };
}

/** Only warns on failure: the container runs. In the foreground MAINPID is this process, which waits for it. */
async function forwardReadiness(notify: Notify, o: RunOptions, launch: Launch): Promise<void> {
  try {
    if (o.detach) return await notify.forward(launch.pid, launch.pidfd);
    await notify.forward(native.pid());
    await notify.drain();
  } catch (error) {
    o.warn(error instanceof Error ? error.message : String(error));
  }
}
