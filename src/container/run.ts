/** `run`: create and start; in the foreground also signal forwarding, wait and delete. */
import { native } from '../sys/host.js';
import { explainFailure, launchContainer, writeFiles } from './create.js';
import { endOf } from './launch/child-end.js';
import type { CreateOptions } from './launch/container-options.js';
import type { Launch } from './launch/launch.js';
import { interruptible, openSignals, waitForEnd } from './stdio/foreground.js';
import type { Notify } from './stdio/notify-socket.js';
import { checkPreserved } from './stdio/preserved-descriptors.js';

export interface RunOptions extends CreateOptions {
  readonly detach: boolean;
  /** Keep the stopped container for `state` and `delete`. */
  readonly keep: boolean;
  readonly noSubreaper: boolean;
}

/** @returns the exit status, or 128 + the signal that killed the process; 0 if detached */
export async function run(o: RunOptions): Promise<number> {
  checkPreserved(o);
  // Before the clone, so that no early signal is lost.
  const signals = o.detach ? -1 : openSignals(`run ${o.id}`);
  if (!o.detach && !o.noSubreaper) native.setSubreaper(1);
  const interruptibly = <T>(work: () => Promise<T>): Promise<T> => interruptible(`run ${o.id}`, signals, work);
  const { launch, compiled, terminal, stdioOwners } = await interruptibly(() =>
    launchContainer('run', o, false, !o.detach),
  );
  let status: number | undefined;
  let notify: Notify | undefined;
  let forwarding: Promise<void> | undefined;
  try {
    await interruptibly(async () => {
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
    const again = terminal || notify || stdioOwners || launch.input.record.supervisor ? undefined : !o.keep;
    await launch.orUndo(waitForEnd(launch, signals, terminal, again));
    status = await statusOf(o, launch);
    notify?.stop();
    await forwarding;
  } finally {
    notify?.close();
    terminal?.close();
    stdioOwners?.restore();
  }
  if (!o.keep) await (await import('./teardown.js')).removeEnded('run', o, launch.input.record);
  if (status === undefined) throw (await import('./state/exit-records.js')).statusLostError(`run ${o.id}`);
  return status;
}

/** Exit status of the process; undefined if its supervisor was killed and the kernel no longer has it. */
async function statusOf(o: RunOptions, launch: Launch): Promise<number | undefined> {
  if (!launch.input.record.supervisor) return endOf(launch.pidfd).status;
  const { exitOfEnded } = await import('./state/exit-records.js');
  return (await exitOfEnded(`${o.root}/${o.id}`, launch))?.status;
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
