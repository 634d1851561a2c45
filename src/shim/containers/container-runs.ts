/** Run, Create and Start: containers whose streams this server has. */
import { create } from '../../container/create.js';
import { remove } from '../../container/delete.js';
import { kill } from '../../container/kill.js';
import { start } from '../../container/start.js';
import { statusOf } from '../../container/state/recorded-process.js';
import { type ContainerRecord, checkId, loadRecord } from '../../container/state/state-store.js';
import { RuntError } from '../../sys/error.js';
import { SIGKILL } from '../../sys/linux.js';
import { log } from '../shim-log.js';
import { Owners } from '../streams/pipe-owner.js';
import { claimId, releaseId } from '../task/creation-claims.js';
import type { api } from './api-protos.js';
import { sourceOf } from './container-config.js';
import { type ContainerExits, keyOf } from './container-exits.js';
import type { OpenCall } from './open-calls.js';
import { checkFollowing, followProcess } from './process-following.js';
import { adoptRuns, storeRun } from './run-record.js';
import { Session } from './session.js';
import { SessionStreams } from './session-streams.js';
import type { Sessions } from './sessions.js';

interface RunsOptions {
  /** The state root. */
  readonly root: string;
  /** Also log the warnings of `--debug`. */
  readonly debug: boolean;
  readonly sessions: Sessions;
  readonly exits: ContainerExits;
  /** Called when a container has changed. */
  readonly changed: () => void;
}

export class ContainerRuns {
  /** The ids of the containers that are being created. */
  private readonly creating = new Set<string>();

  constructor(private readonly options: RunsOptions) {}

  /** @throws RuntError; nothing is left then */
  async run(call: OpenCall, request: api.RunRequest): Promise<void> {
    const { root, changed } = this.options;
    const { id, keep, killOnDisconnect } = request;
    checkFollowing(request);
    const { session, record } = await this.make(request);
    try {
      if (!keep || killOnDisconnect) storeRun(root, id, { keep, killOnDisconnect });
      await start({ root, id, warn: (sentence) => log(id, sentence) });
    } catch (error) {
      await this.remove(record);
      throw error;
    } finally {
      releaseId(root, id);
    }
    if (!keep) this.removeAtEnd(record);
    changed();
    await followProcess(call, session, request, () => this.kill(id));
  }

  /** @throws RuntError; nothing is left then */
  async create(request: api.CreateRequest): Promise<void> {
    const { session } = await this.make(request);
    releaseId(this.options.root, request.id);
    session.begin(request.stdio ?? {});
    this.options.changed();
  }

  /** @throws RuntError ERR_NO_CONTAINER, ERR_CONTAINER_STATUS, ERR_EXEC … */
  async start(id: string): Promise<void> {
    const { root, changed } = this.options;
    await start({ root, id, warn: (sentence) => log(id, sentence) });
    changed();
  }

  /** Takes over what the server of a Run has left to do. */
  adopt(): void {
    const { root } = this.options;
    for (const [id, { keep, killOnDisconnect }] of adoptRuns(root)) {
      try {
        const record = loadRecord(root, id);
        // Its server was killed between create and start.
        if (statusOf(root, record) === 'created') {
          void this.remove(record);
          continue;
        }
        if (!keep) this.removeAtEnd(record);
        if (killOnDisconnect) void this.kill(id);
      } catch (error) {
        log(id, error);
      }
    }
  }

  /** Creates a container under a claim, which the caller releases. @throws RuntError; nothing is left then */
  private async make(
    request: api.RunRequest | api.CreateRequest,
  ): Promise<{ session: Session; record: ContainerRecord }> {
    const { root, debug, sessions, exits, changed } = this.options;
    const { id, stdio, systemdCgroup } = request;
    checkId(id);
    if (this.creating.has(id)) {
      throw new RuntError({ code: 'ERR_CONTAINER_EXISTS', message: `container ${id} is being created` });
    }
    this.creating.add(id);
    try {
      const source = await sourceOf(request);
      const warnings: string[] = [];
      let [isClaimed, isCreated] = [false, false];
      try {
        await claimId(root, id, source.bundle, '');
        isClaimed = true;
        const owner = new Owners(source.config, 0).of();
        const streams = await SessionStreams.connect(
          stdio ?? {},
          { root, terminal: source.terminal, owner },
          async (descriptors, consoleSocket) => {
            await create({
              root,
              id,
              bundle: source.bundle,
              config: source.config,
              supervise: true,
              stdio: descriptors,
              ...consoleSocket,
              ...(systemdCgroup && { cgroupManager: 'systemd' }),
              debug,
              warn: (sentence) => warnings.push(sentence),
            });
            isCreated = true;
          },
        );
        const record = loadRecord(root, id);
        const exit = exits.of(record);
        exit.listen(changed, changed);
        const process = { id, execId: '', pid: record.pid, warnings };
        const session = new Session(process, streams, exit, (error) => log(id, error));
        sessions.addInit(keyOf(record), session);
        return { session, record };
      } catch (error) {
        // Never remove an older container of the same id.
        if (isCreated) await remove({ root, id, force: true }).catch((failed) => log(id, failed));
        if (isClaimed) releaseId(root, id);
        throw error;
      } finally {
        source.close();
      }
    } finally {
      this.creating.delete(id);
    }
  }

  private async kill(id: string): Promise<void> {
    try {
      await kill({ root: this.options.root, id, signal: SIGKILL, all: false });
    } catch (error) {
      // It has ended, or was deleted.
      const gone = error instanceof RuntError && ['ERR_CONTAINER_STATUS', 'ERR_NO_CONTAINER'].includes(error.code);
      if (!gone) log(id, error);
    }
  }

  private removeAtEnd(record: ContainerRecord): void {
    const end = (): void => void this.remove(record);
    this.options.exits.of(record).listen(end, end);
  }

  /** Removes a container, but not another one that has its id now. */
  private async remove(record: ContainerRecord): Promise<void> {
    const { root, sessions, changed } = this.options;
    const { id } = record;
    try {
      if (keyOf(loadRecord(root, id)) !== keyOf(record)) return;
      await remove({ root, id, force: true, warn: (sentence) => log(id, sentence) });
    } catch (error) {
      if (!(error instanceof RuntError && error.code === 'ERR_NO_CONTAINER')) log(id, error);
    }
    sessions.forget(id);
    changed();
  }
}
