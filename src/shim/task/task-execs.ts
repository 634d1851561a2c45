/** The exec processes of a task, from Exec to Delete. */
import { startExec } from '../../container/exec.js';
import { type ExecKey, readRunning } from '../../container/state/exit-records.js';
import { HeldProcess, holdProcess } from '../../container/state/recorded-process.js';
import { isId } from '../../container/state/state-store.js';
import { host, native } from '../../sys/host.js';
import { policyOf, type RuntimeOptions } from '../containerd/runtime-options.js';
import type { KeptStreams } from '../streams/kept-streams.js';
import type { LoggedContainer } from '../streams/log-program.js';
import type { Owners } from '../streams/pipe-owner.js';
import type { task } from '../transport/protos.js';
import { Code, StatusError } from '../transport/status-code.js';
import { type ExecRecord, execRecords, removeExecRecord, storeExec } from './recorded-execs.js';
import type { TaskEvents } from './task-events.js';
import { type BeginProcess, Process } from './task-process.js';

/** Facts about the container. */
interface ExecContext {
  /** The state root. */
  readonly root: string;
  readonly id: string;
  readonly bundle: string;
  readonly logged: LoggedContainer;
  readonly owners: Owners;
  readonly events: TaskEvents;
  readonly options: RuntimeOptions;
  /** Whether the execs are recorded for the next server. */
  readonly records: boolean;
  /** The streams of an exec that a keeper holds. */
  readonly kept: (execId: string) => KeptStreams | undefined;
  readonly warn: (what: unknown) => void;
}

export class Execs {
  private readonly processes = new Map<string, Process>();
  private readonly specs = new Map<string, Uint8Array>();
  /** Running processes, until their exit events are published. */
  private readonly running = new Set<Promise<unknown>>();

  constructor(private readonly container: ExecContext) {}

  get(execId: string): Process | undefined {
    return this.processes.get(execId);
  }

  all(): Iterable<Process> {
    return this.processes.values();
  }

  /**
   * Exec of the task service: adds a process, which Start starts. `spec` is a process document in JSON.
   * @throws StatusError ALREADY_EXISTS, INVALID_ARGUMENT
   */
  add(request: task.ExecProcessRequest): void {
    const { execId, terminal, stdin, stdout, stderr, spec } = request;
    if (execId === '') throw new StatusError(Code.INVALID_ARGUMENT, 'Exec has no exec_id');
    // The id becomes part of a path.
    if (!isId(execId)) throw new StatusError(Code.INVALID_ARGUMENT, `invalid exec_id ${JSON.stringify(execId)}`);
    if (!spec) {
      throw new StatusError(
        Code.INVALID_ARGUMENT,
        `Exec of ${execId} has no spec: it is a process of an OCI config, as JSON`,
      );
    }
    if (this.processes.has(execId)) throw new StatusError(Code.ALREADY_EXISTS, `id ${execId} is in use`);
    this.processes.set(execId, new Process(execId, terminal, { stdin, stdout, stderr }));
    const text = spec.value ?? new Uint8Array();
    this.specs.set(execId, text);
    this.record(this.processes.get(execId) as Process, { spec: host.decode(text, text.length) });
    this.container.events.execAdded(execId);
  }

  /** @throws RuntError when the exec fails: the process's exit status is 128 then */
  async start(process: Process): Promise<void> {
    const { root, id, bundle, logged, owners, options, warn } = this.container;
    const spec = this.specs.get(process.execId) as Uint8Array;
    try {
      const owner = owners.of(host.decode(spec, spec.length));
      const begin: BeginProcess = async (stdio, consoleSocket) => {
        const { launch } = await startExec({
          root,
          id,
          processText: spec,
          args: [],
          env: [],
          additionalGids: [],
          capabilities: [],
          terminal: process.terminal,
          ...consoleSocket,
          detach: true,
          stdio,
          ...policyOf(options),
          warn,
        });
        process.pid = launch.pid;
        const held = new HeldProcess({ pid: launch.pid, startTime: '' }, launch.pidfd);
        const key = launch.resources.execKey;
        this.record(process, key ? { key } : {});
        this.watch(process, () => held, key);
      };
      await process.connect(logged, bundle, owner, begin, this.container.kept(process.execId));
    } catch (error) {
      process.recordEnd(128, native.realtime());
      this.record(process, {});
      throw error;
    } finally {
      // Start never needs the document again.
      this.specs.delete(process.execId);
    }
  }

  /** Publishes the exit event, after the start event. */
  private watch(process: Process, look: () => HeldProcess | undefined, executed: ExecKey | undefined): void {
    const { root, id, events, warn } = this.container;
    const over = process
      .watch(look, `${root}/${id}`, warn, executed)
      .then(async (ended) => {
        this.record(process, {});
        await process.starting?.catch(() => {});
        events.exit(process, ended);
      })
      .catch(warn);
    this.running.add(over);
    void over.then(() => this.running.delete(over));
  }

  /** Resolves when all exit events are published. */
  async ended(): Promise<void> {
    await Promise.all(this.running);
  }

  /** Delete of a process that has ended or was never started. */
  delete(execId: string): void {
    const process = this.get(execId);
    process?.rejectWaits();
    this.processes.delete(execId);
    this.specs.delete(execId);
    if (this.container.records) removeExecRecord(this.container.root, this.container.id, execId);
  }

  /** Takes over the execs of an earlier server. Logs and skips unreadable records. */
  async adopt(): Promise<void> {
    const { root, id, warn, kept } = this.container;
    try {
      for (const record of execRecords(root, id)) {
        const { execId, terminal, streams, spec, pid = 0, key, ended } = record;
        const process = new Process(execId, terminal, streams);
        this.processes.set(execId, process);
        if (spec !== undefined) this.specs.set(execId, host.encode(spec));
        process.pid = pid;
        process.started = pid > 0;
        if (ended) process.adoptEnd(ended);
        const held = kept(execId);
        if (held && pid > 0) await process.adoptStreams(held);
        if (pid > 0 && !ended) this.watch(process, () => this.heldProcess(key), key);
      }
    } catch (error) {
      warn(error);
    }
  }

  /** The process of an exec; undefined if it has ended. */
  private heldProcess(key: ExecKey | undefined): HeldProcess | undefined {
    const running = key && readRunning(`${this.container.root}/${this.container.id}`, key);
    return running && holdProcess(running);
  }

  private record({ execId, terminal, streams, pid, ended }: Process, more: Pick<ExecRecord, 'spec' | 'key'>): void {
    const { root, id, records, warn } = this.container;
    if (!records) return;
    try {
      storeExec(root, id, {
        version: 1,
        execId,
        terminal,
        streams,
        ...(pid > 0 && { pid }),
        ...more,
        ...(ended && { ended }),
      });
    } catch (error) {
      warn(error);
    }
  }
}
