/** Exec: other processes in containers, and their signals. */
import { startExec } from '../../container/exec.js';
import { awaitChild, exitRecord } from '../../container/state/exit-records.js';
import { HeldProcess } from '../../container/state/recorded-process.js';
import { loadRecord } from '../../container/state/state-store.js';
import { storedConfigPath } from '../../container/state/stored-files.js';
import { waitForExec } from '../../container/wait.js';
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { SIGKILL } from '../../sys/linux.js';
import { log } from '../shim-log.js';
import { Owners } from '../streams/pipe-owner.js';
import type { Owner } from '../streams/stdio-streams.js';
import type { api } from './api-protos.js';
import { keyOf } from './container-exits.js';
import type { OpenCall } from './open-calls.js';
import { Outcome } from './outcome.js';
import { checkFollowing, followProcess } from './process-following.js';
import { Session } from './session.js';
import { SessionStreams } from './session-streams.js';
import type { Sessions } from './sessions.js';

export class ContainerExecs {
  constructor(
    /** The state root. */
    private readonly root: string,
    private readonly sessions: Sessions,
  ) {}

  /** @throws RuntError ERR_NO_CONTAINER, ERR_CONTAINER_STATUS, ERR_PROCESS_EXISTS, ERR_EXEC … */
  async exec(call: OpenCall, request: api.ExecRequest): Promise<void> {
    checkFollowing(request);
    const session = await this.start(request);
    await followProcess(call, session, request, async () => signalSession(session, SIGKILL));
  }

  /** @throws RuntError ERR_NO_PROCESS, ERR_CONTAINER_STATUS if it has ended */
  signal(id: string, execId: string, signal: number): void {
    signalSession(this.sessions.find(id, keyOf(loadRecord(this.root, id)), execId), signal);
  }

  private async start(request: api.ExecRequest): Promise<Session> {
    const { root, sessions } = this;
    const { id, args, cwd, user, stdio, terminal } = request;
    const record = loadRecord(root, id);
    const key = keyOf(record);
    if (args.length === 0) {
      throw new RuntError({
        code: 'ERR_USAGE',
        message: `exec ${id}: args is empty: it is a program with its arguments`,
      });
    }
    const execId = sessions.reserveExec(id, key, request.execId);
    try {
      const warnings: string[] = [];
      const owner = ownerOf(new Owners(storedConfigPath(root, record), 0), user);
      let launch!: Awaited<ReturnType<typeof startExec>>['launch'];
      const streams = await SessionStreams.connect(
        stdio ?? {},
        { root, terminal, owner },
        async (descriptors, consoleSocket) => {
          ({ launch } = await startExec({
            root,
            id,
            args,
            env: request.env,
            ...(cwd && { cwd }),
            ...(user && { user }),
            additionalGids: request.additionalGids.map(String),
            capabilities: request.capabilities,
            terminal,
            ...consoleSocket,
            detach: true,
            stdio: descriptors,
            warn: (sentence) => warnings.push(sentence),
          }));
        },
      );
      const { pid, pidfd, resources } = launch;
      const held = new HeldProcess({ pid, startTime: '' }, native.duplicate(pidfd));
      const { execKey } = resources;
      const exit = execKey ? waitForExec({ root, id }, execKey, pidfd) : awaitChild(pidfd, pid).then(exitRecord);
      const outcome = new Outcome(exit);
      const release = (): void => held.close();
      outcome.listen(release, release);
      const session = new Session({ id, execId, pid, warnings, held }, streams, outcome, (error) => log(id, error));
      sessions.addExec(key, session);
      return session;
    } finally {
      sessions.releaseExec(id, key, execId);
    }
  }
}

/** Names of users are looked up in the container: their pipes belong to its root. */
function ownerOf(owners: Owners, user: string): Owner {
  if (user === '') return owners.of();
  const uid = /^[0-9]+/.exec(user)?.[0] ?? '0';
  return owners.of(`{"user":{"uid":${Number(uid)}}}`);
}

function signalSession({ process, exit }: Session, signal: number): void {
  const { id, execId, pid, held } = process;
  const r = exit.isKnown || !held ? -E.ESRCH : held.signal(signal);
  if (r === -E.ESRCH)
    throw new RuntError({ code: 'ERR_CONTAINER_STATUS', message: `kill ${id}: its exec ${execId} has ended` });
  check(r, { code: 'ERR_PROCESS', message: `kill ${id}: send signal ${signal} to process ${pid}` });
}
