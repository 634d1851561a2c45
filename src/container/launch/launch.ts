/** The performance of a plan: the runtime's operations here, the others in runt-init, and the undo on failure. */
import { afterMade, entriesOf, indexOfOp, makersOf, opsNamed } from '../../plan/op-list.js';
import { type Op, ops } from '../../plan/plan-ops.js';
import { append } from '../../sys/append.js';
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { OwnedFd } from '../../sys/fds.js';
import { host, native } from '../../sys/host.js';
import type { ReportOf, Span } from '../../sys/protocol.js';
import { timestamp } from '../../sys/timestamp.js';
import { readableOrPolled } from '../../sys/waiting/loop.js';
import { killedProcessTime } from '../../sys/waiting/time-limits.js';
import { checkOp, OpFailed } from '../failure/op-failed.js';
import type { HookPosition } from '../hooks/hook-failure.js';
import { storePlanRest } from '../state/plan-rest.js';
import { recordProcess } from '../state/recorded-process.js';
import { saveRecord, storeConfig } from '../state/stored-files.js';
import type { Terminal } from '../stdio/foreground-terminal.js';
import { endKilled, endOf } from './child-end.js';
import { Conversation, type ReportHandlers, type State } from './conversation.js';
import { adoptExec } from './handlers/clone-handler.js';
import { isRuntimeOp, perform } from './handlers/handler-table.js';
import { type LaunchInput, LaunchResources } from './launch-resources.js';

/** One launch in progress. */
export class Launch {
  readonly resources: LaunchResources;
  readonly spans: Span[] = [];
  private conversation: Conversation | undefined;
  /** The index of the first operation that is not done, if it is the runtime's. */
  private next = 0;
  /** Those of runt-init that are reported as done. */
  private readonly reported = new Set<number>();
  /** An undo must run the poststop hooks (runtime.md#lifecycle). */
  private hooksStarted = false;
  private readonly warn = (sentence: string): void => this.input.warn?.(sentence);

  constructor(readonly input: LaunchInput) {
    this.resources = new LaunchResources(input);
  }

  get pid(): number {
    return this.resources.pid;
  }

  /** The pidfd, which `undo` and `close` close. */
  get pidfd(): number {
    return this.resources.process?.pidfd.number ?? -1;
  }

  /**
   * Performs the plan until runt-init waits for start, and saves the status "created".
   * @throws the first error, an OpFailed or a RuntError, after the undo
   */
  async perform(): Promise<void> {
    const { resources } = this;
    const { plan, config, root, record, exec } = this.input;
    try {
      // The first operation of runt-init is none of a mount.
      const first = entriesOf(plan.ops).findIndex((entry) => typeof entry !== 'number' && ops[entry.op].by === 'init');
      await this.performUntil(first);
      resources.valueFile.close();
      const { channel } = resources;
      if (!channel) throw new RuntError({ code: 'ERR_INTERNAL', message: 'the plan does not start runt-init' });
      if (opsNamed(plan.ops, 'sync').length > 0) channel.sendGo();
      if (host.turn) await host.turn();
      // While runt-init works.
      if (config) storeConfig(root, record.id, config);
      if (resources.startSocket) storePlanRest(root, record.id, plan);
      this.conversation = new Conversation(channel, this.handlers, 'preparing');
      await this.conversation.readUntil('waiting');
      await resources.endPlaceholder();
      await this.performUntil(plan.ops.length);
      if (exec) exec(resources);
      else this.saveCreated();
      // Only now: if the runtime is killed earlier, init ends by itself.
      if (resources.startSocket) {
        channel.sendGo();
        resources.netDevices?.release();
      }
      resources.closeShared();
      if (resources.supervisor) (await import('./start-mode.js')).releaseMode(resources.supervisor);
      resources.supervisor = undefined;
    } catch (error) {
      const cause = resources.placeholder?.hasEnded() ? this.placeholderError(error) : await this.causeOf(error);
      await this.undo();
      throw cause;
    }
  }

  /** The kernel killed the scope's placeholder, and systemd removed the scope with it. */
  private placeholderError(cause: unknown): RuntError {
    const { command, record, spec } = this.input;
    const limit = spec.linux?.resources?.memory?.limit;
    return new RuntError({
      code: 'ERR_CGROUP',
      message: `${command} ${record.id}: the first process of ${record.unit?.name} was killed, and systemd removed its cgroup`,
      ...(limit !== undefined && { pointer: '/linux/resources/memory/limit', value: limit }),
      hint: 'raise the limit of memory: the kernel killed this process, which needs 100 KB (dmesg shows it)',
      cause,
    });
  }

  /**
   * Starts the process of a plan without a start socket, and waits for execve(2). First passes the master to the
   * terminal.
   * @throws OpFailed, or a RuntError, after the undo
   */
  async start(terminal?: Terminal): Promise<void> {
    const { resources, conversation } = this;
    try {
      if (terminal && resources.console) await terminal.attach(resources.console.release());
      conversation!.start();
      await conversation!.readUntil('ended');
      // The shim keeps running: it would leak one channel for each exec.
      resources.channel?.close();
      terminal?.relay();
      resources.netDevices?.release();
    } catch (error) {
      const cause = await this.causeOf(error);
      await this.undo();
      throw cause;
    }
  }

  /** The failure, or the deletion of the container that led to it. Before the undo, which removes the state. */
  private async causeOf(error: unknown): Promise<unknown> {
    const { command, root, record, exec } = this.input;
    if (exec || !this.resources.stateDirectory) return error;
    const { causeOf } = await import('../state/cancellation.js');
    return causeOf(`${command} ${record.id}`, root, record, error);
  }

  /** Undoes the launch if what follows the start fails: a process without its foreground command would run on. */
  async orUndo(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      const cause = await this.causeOf(error);
      await this.undo();
      throw cause;
    }
  }

  /** Closes the pidfd; the process keeps running. */
  close(): void {
    this.resources.process?.pidfd.close();
  }

  /** Ends the process and removes what the launch made; warns of what it cannot remove. */
  async undo(): Promise<void> {
    const { resources, input } = this;
    const { root, record } = input;
    const hooks = this.hooksStarted;
    this.hooksStarted = false;
    const { teardownAfterError } = await import('../teardown.js');
    await teardownAfterError({
      command: input.command,
      root,
      id: record.id,
      warn: this.warn,
      returnDevices: () => resources.netDevices?.returnAll(resources.pid),
      endProcesses: [
        () => this.endProcess(),
        async () => {
          if (resources.execKey)
            await (await import('./supervisor.js')).forgetExec(resources.directory, resources.execKey);
        },
        () => resources.endPlaceholder(),
        async () => resources.closeAll(),
      ],
      // Without a pid namespace, processes that hooks left in the cgroups outlive init.
      othersInCgroups: hooks && !record.pidNamespace,
      unit: resources.unitStarted ? record.unit : undefined,
      cgroups: resources.cgroups,
      rdt: resources.rdt,
      layers: resources.layers,
      endSupervisor: async () => {
        if (resources.supervisor) await (await import('./supervisor.js')).endSupervisor(resources.supervisor);
        resources.supervisor = undefined;
      },
      poststop: hooks && record.hooks?.poststop ? record : undefined,
      stateDirectory: resources.stateDirectory,
    });
  }

  private async endProcess(): Promise<void> {
    const { process } = this.resources;
    if (!process) return;
    this.resources.process = undefined;
    await endKilled(process.pidfd.release(), process.pid);
  }

  /** Runs poststart hooks; if one fails, undoes the launch. @throws RuntError ERR_HOOK, ERR_HOOK_TIMEOUT */
  async poststart(): Promise<void> {
    const { command, record, spec } = this.input;
    if (!spec.hooks?.poststart?.length) return;
    const { hookState, runHooks } = await import('../hooks/run-hooks.js');
    try {
      await runHooks(command, 'poststart', spec.hooks.poststart, hookState(record, 'running'), this.warn);
    } catch (error) {
      await this.undo();
      throw error;
    }
  }

  /** Performs the runtime's operations before `to` that are not done yet. */
  private async performUntil(to: number): Promise<void> {
    const { plan, trace } = this.input;
    const entries = entriesOf(plan.ops);
    const makers = makersOf(plan.ops);
    for (; this.next < to; this.next++) {
      const index = this.next;
      const after = makers ? afterMade(entries, makers, index) : index;
      if (after !== index) {
        this.next = after - 1;
        continue;
      }
      const op = makers ? this.opAt(index) : (entries[index] as Op);
      if (!isRuntimeOp(op)) continue;
      const start = trace ? native.monotonic() : 0n;
      const slow = perform(op, this.resources) ?? host.turn?.();
      if (slow) await slow;
      this.input.onDone?.(op);
      if (trace) this.spans.push({ index, start, end: native.monotonic() });
    }
  }

  /** Reports the operations of runt-init before `to`, which has passed them. `executed`: a late filter is loaded. */
  private passInit(to: number, executed = false): void {
    const { onDone } = this.input;
    if (!onDone) return;
    for (let i = 0; i < to; i++) {
      const op = this.opAt(i);
      const isLater = op.op === 'seccomp' && op.late && !executed;
      if (ops[op.op].by !== 'init' || isLater || this.reported.has(i)) continue;
      this.reported.add(i);
      onDone(op);
    }
  }

  private opAt(index: number): Op {
    return this.input.plan.ops.at(index)!;
  }

  /** The answer to each report of runt-init. */
  private readonly handlers: ReportHandlers<State> = {
    created: () => {
      const { plan, onDone } = this.input;
      if (onDone) this.passInit(indexOfOp(plan.ops, 'wait') + 1);
    },
    exec: () => this.passInit(this.input.plan.ops.length, true),
    trace: ({ spans }) => append(this.spans, spans),
    hooks: () => this.runPlanHooks(),
    pid: (report) => this.replaceProcess(report),
    await: async ({ index }) => {
      await this.performUntil(index);
      this.resources.channel!.sendGo();
    },
    slow: async (report) => {
      const { hookAt, slowHookWarning } = await import('../hooks/hook-failure.js');
      const { command, record, spec } = this.input;
      const position = report as HookPosition;
      this.warn(slowHookWarning(`${command} ${record.id}`, position, hookAt(spec.hooks, position)));
    },
    kept: async (report) => {
      const { lockedFlags } = await import('../failure/mount-warnings.js');
      const warning = lockedFlags(this.opAt(report.index), report, this.input.spec);
      if (warning !== undefined) this.warn(warning);
    },
    bound: async ({ index }) => {
      const { boundSysfs } = await import('../failure/mount-warnings.js');
      const warning = boundSysfs(this.opAt(index), this.input.spec);
      if (warning !== undefined) this.warn(warning);
    },
    stdio: async (report) => {
      const { chownStdio } = await import('../stdio/stdio-owner.js');
      chownStdio(this.opAt(report.index), report, this.pid, this.pidfd, this.input.stdio ?? [0, 1, 2]);
      this.resources.channel!.sendGo();
    },
    listener: async (report) => {
      const { handOver } = await import('./handlers/seccomp-agent.js');
      const { command, record, exec } = this.input;
      await handOver(report, { command, record, status: exec ? 'running' : record.status, pid: this.pid });
      this.resources.channel!.sendGo();
    },
    error: (report) => {
      throw this.opError(report);
    },
    eof: async (_report, state) => {
      // execve(2) has closed the channel.
      if (state !== 'executing') throw await this.endError();
    },
  };

  /** Runs prestart and createRuntime hooks. Saves the pid first, because a hook may call `state`. */
  private async runPlanHooks(): Promise<void> {
    const { command, record, root, spec, plan, trace } = this.input;
    const { hookState, runPlanHooks } = await import('../hooks/run-hooks.js');
    this.hooksStarted = true;
    this.recordPid();
    saveRecord(root, record);
    const spans = await runPlanHooks(command, plan, spec, hookState(record, 'creating'), trace, this.warn);
    append(this.spans, spans);
    this.resources.channel!.sendGo(this.pid);
  }

  /** Replaces the process, which joined and ended, by its sibling: also a child of ours or of the supervisor. */
  private async replaceProcess({ index, pid, pidfd }: ReportOf<'pid'>): Promise<void> {
    const { resources } = this;
    const { pidfd: joined } = resources.process!;
    resources.process = undefined;
    try {
      checkOp(this.opAt(index), pidfd < 0 ? -E.EMFILE : pidfd, 'recvmsg');
      resources.process = { pid, pidfd: new OwnedFd(pidfd) };
      if (--resources.successors === 0) {
        if (resources.supervisor) await (await import('./supervisor.js')).adopt(resources.directory, { pid, pidfd });
        await adoptExec(resources);
      }
      await readableOrPolled(joined.number, killedProcessTime);
      endOf(joined.number);
    } finally {
      joined.close();
    }
  }

  private opError({ index, errno, syscall, detail }: ReportOf<'error'>): Error {
    const { ops } = this.input.plan;
    const op = ops.at(index);
    if (op) {
      this.passInit(index);
      const filtered = opsNamed(ops, 'seccomp').some(
        (filter) => !filter.late && entriesOf(ops).indexOf(filter) < index,
      );
      return new OpFailed({ op, errno, syscall, detail, filtered });
    }
    // It failed before its first operation.
    const { command, record } = this.input;
    const message = `${command} ${record.id}: start runt-init: ${syscall} ${detail}`.trimEnd();
    return new RuntError({ code: 'ERR_INIT', message, errno, syscall });
  }

  private async endError(): Promise<Error> {
    const { command, record, spec } = this.input;
    await readableOrPolled(this.pidfd, killedProcessTime);
    // Waiting works only for our own child: for a supervisor's, ask the kernel first.
    const end = (await (await import('../state/exit-records.js')).observedEnd(this.pidfd)) ?? endOf(this.pidfd);
    return end.unexpectedError(command, record.id, spec);
  }

  private recordPid(): void {
    Object.assign(this.input.record, recordProcess(this.pid));
  }

  private saveCreated(): void {
    const { record, root } = this.input;
    this.recordPid();
    this.hooksStarted = true;
    record.status = 'created';
    // Without a start socket the start follows at once.
    if (!this.resources.startSocket) record.started = timestamp(native.realtime());
    delete record.creator;
    saveRecord(root, record);
  }
}
