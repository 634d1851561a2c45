/** Calls that follow a process: the rest of Run and Exec, and Attach. */
import type { ExitRecord } from '../../container/state/exit-records.js';
import { RuntError } from '../../sys/error.js';
import { Code, decodeMessage, StatusError } from '../transport/status-code.js';
import { api } from './api-protos.js';
import { exitMessage } from './container-message.js';
import type { OpenCall } from './open-calls.js';
import { Follower, type Session, type Writer } from './session.js';

interface Following {
  readonly detach: boolean;
  readonly killOnDisconnect: boolean;
  readonly stdio?: api.Stdio.$Properties | null | undefined;
}

/** @throws RuntError ERR_USAGE for options that exclude each other */
export function checkFollowing({ detach, killOnDisconnect }: Following): void {
  if (!detach || !killOnDisconnect) return;
  throw new RuntError({
    code: 'ERR_USAGE',
    message: 'detach and kill_on_disconnect exclude each other',
    hint: 'leave detach out: the process then ends with the call',
  });
}

/**
 * Sends `started`, the output and the end of a process to a call.
 * @param end kills the process if it must end with the call
 * @throws StatusError CANCELLED, UNAVAILABLE; RuntError ERR_STATUS_LOST
 */
export async function followProcess(
  call: OpenCall,
  session: Session,
  { detach, killOnDisconnect, stdio }: Following,
  end: () => Promise<void>,
): Promise<void> {
  const follower = new Follower(call.stream);
  const started = follower.send({ started: session.description });
  // The follower keeps the order: no output comes before `started`.
  if (!detach) session.follow(follower);
  session.begin(stdio ?? {});
  try {
    if (detach) await started;
    else await follower.send({ exited: exitMessage(await call.wait(session.over)) });
  } catch (error) {
    if (killOnDisconnect && call.hasEnded && !session.exit.isKnown) await end();
    throw error;
  } finally {
    session.unfollow(follower);
  }
}

/** Reads the first request of Attach. @throws StatusError INVALID_ARGUMENT */
export async function readOpen({ stream }: OpenCall): Promise<api.AttachRequest.IOpen> {
  const bytes = await stream.receive();
  const open = bytes && decodeMessage(api.AttachRequest, bytes).open;
  if (!open) throw new StatusError(Code.INVALID_ARGUMENT, 'the first request of Attach must be open');
  return open;
}

/**
 * Attach: sends output from now on and the end, and does what further requests say.
 * @throws StatusError CANCELLED, UNAVAILABLE, INVALID_ARGUMENT; RuntError ERR_STREAMS, ERR_STATUS_LOST
 */
export async function attachTo(call: OpenCall, session: Session): Promise<void> {
  const follower = new Follower(call.stream);
  void follower.send({ attached: session.description });
  session.follow(follower);
  const writer: Writer = { hasLeft: false };
  try {
    const exit = await call.until<ExitRecord>((settle, fail) => {
      const forget = session.over.listen(settle, fail);
      serveRequests(call, session, writer).catch(fail);
      return forget;
    });
    await follower.send({ exited: exitMessage(exit) });
  } finally {
    session.unfollow(follower);
    session.interrupt(writer);
  }
}

/** Serves requests until the client sends no more of them. */
async function serveRequests({ stream }: OpenCall, session: Session, writer: Writer): Promise<void> {
  for (let bytes = await stream.receive(); bytes; bytes = await stream.receive()) {
    const { stdin, closeStdin, resize } = decodeMessage(api.AttachRequest, bytes);
    // Awaited: a client that writes faster than the process reads has to wait.
    if (stdin) await session.write(writer, stdin);
    else if (closeStdin) await session.closeStdin();
    else if (resize) session.resize(resize);
    else
      throw new StatusError(
        Code.INVALID_ARGUMENT,
        'a request of Attach after the first must be stdin, close_stdin or resize',
      );
  }
}
