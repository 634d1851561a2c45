/** The service runt.v1.Containers (proto/runt.proto): which containers there are, and their ends. */
import { remove } from '../../container/delete.js';
import { kill } from '../../container/kill.js';
import { type ContainerRecord, loadRecord } from '../../container/state/state-store.js';
import { state } from '../../container/state.js';
import { RuntError } from '../../sys/error.js';
import { signalNumber } from '../../sys/kernel-names.js';
import { SIGTERM } from '../../sys/linux.js';
import { grpcLastAnswersTime } from '../../sys/waiting/time-limits.js';
import type { Procedure, Services } from '../transport/rpc.js';
import { Code, type Decoder, decodeMessage, StatusError } from '../transport/status-code.js';
import { unaryProcedure } from '../transport/unary-method.js';
import { api } from './api-protos.js';
import { ContainerExecs } from './container-execs.js';
import { ContainerExits, keyOf } from './container-exits.js';
import { containerMessage, exitMessage, listMessages } from './container-message.js';
import { ContainerRuns } from './container-runs.js';
import { withDetails } from './error-details.js';
import { type OpenCall, OpenCalls } from './open-calls.js';
import { attachTo, readOpen } from './process-following.js';
import type { Session } from './session.js';
import { Sessions } from './sessions.js';
import { StateWatch } from './state-watch.js';

interface ContainersOptions {
  /** The state root. */
  readonly root: string;
  /** Also log the warnings of `--debug`. */
  readonly debug: boolean;
  /** Deletes a container of the task service; false if that does not have it. @throws RuntError, StatusError */
  readonly deleteTask: (id: string, force: boolean) => Promise<boolean>;
}

export class ContainersService {
  private readonly calls = new OpenCalls();
  private readonly watch: StateWatch;
  private readonly exits: ContainerExits;
  private readonly sessions: Sessions;
  private readonly runs: ContainerRuns;
  private readonly execs: ContainerExecs;

  constructor(private readonly options: ContainersOptions) {
    const { root } = options;
    this.watch = new StateWatch(root);
    this.exits = new ContainerExits(root);
    this.sessions = new Sessions(root);
    const { sessions, exits, watch } = this;
    this.runs = new ContainerRuns({ ...options, sessions, exits, changed: () => watch.changed() });
    this.execs = new ContainerExecs(root, sessions);
  }

  get procedures(): Services {
    const { runs, execs } = this;
    const methods: Readonly<Record<string, Procedure>> = {
      Run: this.streaming(api.RunRequest, (call, r) => runs.run(call, r)),
      Create: unaryProcedure(api.CreateRequest, api.Container, async (r) => {
        await runs.create(r);
        return this.get(r.id);
      }),
      Start: unaryProcedure(api.StartRequest, api.Container, async (r) => {
        await runs.start(r.id);
        return this.get(r.id);
      }),
      Exec: this.streaming(api.ExecRequest, (call, r) => execs.exec(call, r)),
      Attach: {
        streaming: this.calls.handler(async (call) => {
          const { id = '', execId = '' } = await readOpen(call);
          await attachTo(call, this.session(id ?? '', execId ?? ''));
        }),
      },
      List: unaryProcedure(api.ListRequest, api.ListResponse, async () => {
        const warnings: string[] = [];
        const containers = listMessages(this.options.root, (sentence) => warnings.push(sentence));
        return { containers, warnings };
      }),
      Get: unaryProcedure(api.GetRequest, api.Container, async (r) => this.get(r.id)),
      Watch: this.streaming(api.WatchRequest, (call, r) => this.watch.serve(call, r.id)),
      Wait: this.streaming(api.WaitRequest, async (call, r) => {
        const exit = await call.wait(
          r.execId === '' ? this.exits.of(this.record(r.id)) : this.session(r.id, r.execId).exit,
        );
        await call.stream.send(api.Exit.encode(exitMessage(exit)).finish());
      }),
      Kill: unaryProcedure(api.KillRequest, api.KillResponse, async (r) => {
        await this.kill(r);
        return {};
      }),
      Delete: unaryProcedure(api.DeleteRequest, api.DeleteResponse, async (r) => {
        await this.delete(r.id, r.force);
        return {};
      }),
    };
    return new Map(
      Object.entries(methods).map(([name, procedure]) => withDetails([`runt.v1.Containers/${name}`, procedure])),
    );
  }

  /** Takes over what an earlier server has left to do. */
  adopt(): void {
    this.runs.adopt();
  }

  /** Whether a client follows something. */
  get busy(): boolean {
    return this.calls.size > 0;
  }

  /** Ends all streams. Containers go on, but for those that end with their call. */
  async close(): Promise<void> {
    await this.calls.close(grpcLastAnswersTime);
  }

  private streaming<I>(input: Decoder<I>, serve: (call: OpenCall, request: I) => Promise<void>): Procedure {
    return {
      streaming: this.calls.handler(async (call) => {
        const bytes = await call.stream.receive();
        if (!bytes) throw new StatusError(Code.INVALID_ARGUMENT, 'there is no request');
        await serve(call, decodeMessage(input, bytes));
      }),
    };
  }

  private record(id: string): ContainerRecord {
    return loadRecord(this.options.root, id);
  }

  /** A process that this server has started. @throws RuntError ERR_NO_CONTAINER, ERR_NO_PROCESS, ERR_STREAMS */
  private session(id: string, execId: string): Session {
    return this.sessions.find(id, keyOf(this.record(id)), execId);
  }

  private get(id: string): api.Container.$Properties {
    const { root } = this.options;
    return containerMessage(root, state({ root, id }));
  }

  private async kill({ id, execId, signal, all }: api.KillRequest): Promise<void> {
    const { root } = this.options;
    const number = signal === '' ? SIGTERM : signalNumber(signal);
    if (number === undefined) {
      throw new RuntError({
        code: 'ERR_USAGE',
        message: `kill ${id}: unknown signal ${JSON.stringify(signal)}`,
        hint: 'use a name such as TERM or SIGTERM, or a number from 1 to 64',
      });
    }
    if (execId === '') await kill({ root, id, signal: number, all });
    else this.execs.signal(id, execId, number);
    this.watch.changed();
  }

  private async delete(id: string, force: boolean): Promise<void> {
    const { root, deleteTask } = this.options;
    // An id that is none could be another path.
    if (!force) this.record(id);
    if (!(await deleteTask(id, force))) await remove({ root, id, force });
    this.sessions.forget(id);
    this.watch.changed();
  }
}
