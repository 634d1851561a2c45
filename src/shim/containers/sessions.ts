/** The processes that this server started for clients. */
import { isId } from '../../container/state/state-store.js';
import { RuntError } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import type { Session } from './session.js';

/** Ended execs that are known for each container; older ones are forgotten. */
const maxEndedExecs = 1024;

/** One container. Another one may have the same id later. */
interface Known {
  /** Pid and start time of its process. */
  readonly key: string;
  init: Session | undefined;
  /** By exec id. */
  readonly execs: Map<string, Session>;
  /** Ids of execs that are being started. */
  readonly starting: Set<string>;
  lastExec: number;
}

export class Sessions {
  private readonly containers = new Map<string, Known>();

  constructor(private readonly root: string) {}

  /** Adds the process of a container that was just created. */
  addInit(key: string, session: Session): void {
    this.sweep();
    this.known(session.process.id, key).init = session;
  }

  /** Adds an exec, whose id `reserveExec` gave. */
  addExec(key: string, session: Session): void {
    const { id, execId } = session.process;
    const { execs } = this.known(id, key);
    execs.set(execId, session);
    const ended = [...execs].filter(([, { over }]) => over.isKnown);
    for (const [old] of ended.slice(0, Math.max(0, ended.length - maxEndedExecs))) execs.delete(old);
  }

  /**
   * The id of a new exec: the wanted one, or one that is free. Call `releaseExec` when it is added, or has failed.
   * @throws RuntError ERR_PROCESS_EXISTS, ERR_USAGE for a malformed id
   */
  reserveExec(id: string, key: string, wanted: string): string {
    const known = this.known(id, key);
    const isUsed = (execId: string): boolean => known.execs.has(execId) || known.starting.has(execId);
    let execId = wanted;
    if (wanted === '') {
      do execId = `exec-${++known.lastExec}`;
      while (isUsed(execId));
    } else if (!isId(wanted)) {
      throw new RuntError({
        code: 'ERR_USAGE',
        message: `exec ${id}: ${JSON.stringify(wanted)} is not an exec_id`,
        hint: 'use 1 to 255 characters of A-Z a-z 0-9 _ + - and, not first, a dot, or leave exec_id empty',
      });
    }
    if (isUsed(execId)) {
      throw new RuntError({ code: 'ERR_PROCESS_EXISTS', message: `exec ${id}: exec_id ${wanted} is in use` });
    }
    known.starting.add(execId);
    return execId;
  }

  releaseExec(id: string, key: string, execId: string): void {
    this.known(id, key).starting.delete(execId);
  }

  /** A process; the init process for ''. @throws RuntError ERR_NO_PROCESS, ERR_STREAMS */
  find(id: string, key: string, execId: string): Session {
    const known = this.containers.get(id);
    const session = known?.key !== key ? undefined : execId ? known.execs.get(execId) : known.init;
    if (session) return session;
    if (execId) {
      throw new RuntError({
        code: 'ERR_NO_PROCESS',
        message: `container ${id} has no exec ${execId} that this server started by Exec`,
      });
    }
    throw new RuntError({
      code: 'ERR_STREAMS',
      message: `attach to ${id}: this server did not start its process by Run or Create`,
      hint: 'write its output to a file (stdio.stdout_file): streams end with the server that has them',
    });
  }

  /** Forgets a container that was removed. Streams end by themselves: clients may still read the last output. */
  forget(id: string): void {
    this.containers.delete(id);
  }

  private known(id: string, key: string): Known {
    const found = this.containers.get(id);
    if (found?.key === key) return found;
    const made = { key, init: undefined, execs: new Map<string, Session>(), starting: new Set<string>(), lastExec: 0 };
    this.containers.set(id, made);
    return made;
  }

  /** Forgets the containers that another program has removed. */
  private sweep(): void {
    for (const id of [...this.containers.keys()]) if (native.access(`${this.root}/${id}`, 0) < 0) this.forget(id);
  }
}
