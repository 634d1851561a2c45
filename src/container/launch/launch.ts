/** The performance of a plan: the runtime's operations here, the others in runt-init, and the undo on failure. */
import { type Op, ops } from '../../plan/plan-ops.js';
import { append } from '../../sys/append.js';
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { OwnedFd } from '../../sys/fds.js';
import { native } from '../../sys/host.js';
import type { ReportOf, Span } from '../../sys/protocol.js';
import { readableOrPolled } from '../../sys/waiting/loop.js';
import { killedProcessTime } from '../../sys/waiting/time-limits.js';
import { checkOp, OpFailed } from '../failure/op-failed.js';
import type { HookPosition } from '../hooks/hook-failure.js';
import { keepPlanRest } from '../state/plan-rest.js';
import { recorded } from '../state/recorded-process.js';
import { keepConfig, save } from '../state/state-store.js';
import type { Terminal } from '../stdio/foreground-terminal.js';
import { endKilled, endOf } from './child-end.js';
import { type Answers, Conversation, type State } from './conversation.js';
import { adoptExec } from './handlers/clone-handler.js';
import { isRuntimeOp, perform } from './handlers/handler-table.js';
import { type LaunchInput, LaunchResources } from './launch-resources.js';

/** One launch in progress. */
export class Launch {
  readonly made: LaunchResources;
  readonly spans: Span[] = [];
  private conversation: Conversation | undefined;
  /** The runtime's operations before this index are done. */
  private reached = 0;
  /** An undo must run the poststop hooks (runtime.md#lifecycle). */
  private hooksBegun = false;
  private readonly warn = (sentence: string): void => this.input.warn?.(sentence);

  constructor(readonly input: LaunchInput) {
    this.made = new LaunchResources(input);
  }

  get pid(): number {
    return this.made.pid;
  }

  /** The pidfd, which `undo` and `close` close. */
  get pidfd(): number {
    return this.made.process?.pidfd.number ?? -1;
  }

  /**
   * Performs the plan until runt-init waits for start, and saves the status "created".
   * @throws the first error, an OpFailed or a RuntError, after the undo
   */
  async perform(): Promise<void> {
    const { made } = this;
    const { plan, config, root, record, exec } = this.input;
    try {
      const first = plan.ops.findIndex((op) => ops[op.op].by === 'init');
      await this.runtimeOps(first);
      const { channel } = made;
      if (!channel) throw new RuntError({ code: 'ERR_INTERNAL', message: 'the plan starts no runt-init' });
      if (plan.ops.some((op) => op.op === 'sync')) channel.go();
      // While runt-init works.
      if (config) keepConfig(root, record.id, config);
      if (made.startSocket) keepPlanRest(root, record.id, plan);
      this.conversation = new Conversation(channel, this.answers, 'preparing');
      await this.conversation.until('waiting');
      await made.endPlaceholder();
      await this.runtimeOps(plan.ops.length);
      if (!exec) this.saveCreated();
      // Only now: if the runtime is killed earlier, init ends by itself.
      if (made.startSocket) {
        channel.go();
        made.netDevices?.settle();
      }
      made.closeShared();
      if (made.supervisor) (await import('./supervisor.js')).leaveSupervisor(made.supervisor);
      made.supervisor = undefined;
    } catch (error) {
      const cause = made.placeholder?.hasEnded() ? this.placeholderKilled(error) : error;
      await this.undo();
      throw cause;
    }
  }

  /** The kernel killed the scope's placeholder, and systemd removed the scope with it. */
  private placeholderKilled(cause: unknown): RuntError {
    const { command, record, spec } = this.input;
    const limit = spec.linux?.resources?.memory?.limit;
    return new RuntError({
      code: 'ERR_CGROUP',
      message: `${command} ${record.id}: the first process of ${record.unit?.name} was killed, and systemd removed its cgroup`,
      ...(limit !== undefined && { pointer: '/linux/resources/memory/limit', value: limit }),
      hint: 'raise the limit of memory: the kernel killed a process of 100 KB (dmesg shows it)',
      cause,
    });
  }

  /**
   * Starts the process of a plan without a start socket, and waits for execve(2). First passes the master to the
   * terminal.
   * @throws OpFailed, or a RuntError, after the undo
   */
  async start(terminal?: Terminal): Promise<void> {
    const { made, conversation } = this;
    try {
      if (terminal && made.console) await terminal.attach(made.console.release());
      conversation!.start();
      await conversation!.until('ended');
      // The shim keeps running: it would leak one channel for each exec.
      made.channel?.close();
      terminal?.relay();
      made.netDevices?.settle();
    } catch (error) {
      await this.undo();
      throw error;
    }
  }

  /** Closes the pidfd; the process keeps running. */
  close(): void {
    this.made.process?.pidfd.close();
  }

  /** Ends the process and removes what the launch made; warns of what it cannot remove. */
  async undo(): Promise<void> {
    const { made, input } = this;
    const { root, record } = input;
    const hooks = this.hooksBegun;
    this.hooksBegun = false;
    const { takeBack } = await import('../teardown.js');
    await takeBack({
      command: input.command,
      root,
      id: record.id,
      warn: this.warn,
      giveBackDevices: () => made.netDevices?.giveBack(made.pid),
      endProcesses: [
        () => this.endProcess(),
        async () => {
          if (made.executed) await (await import('./supervisor.js')).forgetExec(made.directory, made.executed);
        },
        () => made.endPlaceholder(),
        async () => made.closeAll(),
      ],
      // Without a pid namespace, processes that hooks left in the cgroups outlive init.
      othersInCgroups: hooks && !record.pidNamespace,
      unit: made.unitStarted ? record.unit : undefined,
      cgroups: made.cgroups,
      rdt: made.rdt,
      endSupervisor: async () => {
        if (made.supervisor) await (await import('./supervisor.js')).endSupervisor(made.supervisor);
        made.supervisor = undefined;
      },
      poststop: hooks && record.hooks?.poststop ? record : undefined,
      stateDirectory: made.stateDirectory,
    });
  }

  private async endProcess(): Promise<void> {
    const { process } = this.made;
    if (!process) return;
    this.made.process = undefined;
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
  private async runtimeOps(to: number): Promise<void> {
    const { plan, trace } = this.input;
    for (let index = this.reached; index < to; index++) {
      const op = plan.ops[index] as Op;
      if (!isRuntimeOp(op)) continue;
      const start = trace ? native.monotonic() : 0n;
      const slow = perform(op, this.made);
      if (slow) await slow;
      if (trace) this.spans.push({ index, start, end: native.monotonic() });
    }
    this.reached = to;
  }

  private op(index: number): Op {
    return this.input.plan.ops[index]!;
  }

  /** The answer to each report of runt-init. */
  private readonly answers: Answers<State> = {
    created: () => {},
    exec: () => {},
    trace: ({ spans }) => append(this.spans, spans),
    hooks: () => this.runtimeHooks(),
    pid: (report) => this.succeeded(report),
    await: async ({ index }) => {
      await this.runtimeOps(index);
      this.made.channel!.go();
    },
    slow: async (report) => {
      const { hookAt, hookIsSlow } = await import('../hooks/hook-failure.js');
      const { command, record, spec } = this.input;
      const position = report as HookPosition;
      this.warn(hookIsSlow(`${command} ${record.id}`, position, hookAt(spec.hooks, position)));
    },
    kept: async (report) => {
      const { keptFlags } = await import('../failure/mount-warnings.js');
      this.warn(keptFlags(this.op(report.index), report));
    },
    bound: async ({ index }) => {
      const { boundSysfs } = await import('../failure/mount-warnings.js');
      const warning = boundSysfs(this.op(index), this.input.spec);
      if (warning !== undefined) this.warn(warning);
    },
    stdio: async (report) => {
      const { giveStdio } = await import('../stdio/stdio-owner.js');
      giveStdio(this.op(report.index), report, this.pid, this.pidfd, this.input.stdio ?? [0, 1, 2]);
      this.made.channel!.go();
    },
    listener: async (report) => {
      const { handOver } = await import('./handlers/seccomp-agent.js');
      const { command, record, exec } = this.input;
      await handOver(report, { command, record, status: exec ? 'running' : record.status, pid: this.pid });
      this.made.channel!.go();
    },
    error: (report) => {
      throw this.failed(report);
    },
    eof: async (_report, state) => {
      // execve(2) has closed the channel.
      if (state !== 'executing') throw await this.died();
    },
  };

  /** Runs prestart and createRuntime hooks. Saves the pid first, because a hook may call `state`. */
  private async runtimeHooks(): Promise<void> {
    const { command, record, root, spec, plan, trace } = this.input;
    const { hookState, runPlanHooks } = await import('../hooks/run-hooks.js');
    this.hooksBegun = true;
    this.notePid();
    save(root, record);
    const spans = await runPlanHooks(command, plan, spec, hookState(record, 'creating'), trace, this.warn);
    append(this.spans, spans);
    this.made.channel!.go(this.pid);
  }

  /** Replaces the process, which joined and ended, by its sibling: also a child of ours or of the supervisor. */
  private async succeeded({ index, pid, pidfd }: ReportOf<'pid'>): Promise<void> {
    const { made } = this;
    const { pidfd: joined } = made.process!;
    made.process = undefined;
    try {
      checkOp(this.op(index), pidfd < 0 ? -E.EMFILE : pidfd, 'recvmsg');
      made.process = { pid, pidfd: new OwnedFd(pidfd) };
      if (--made.successors === 0) {
        if (made.supervisor) await (await import('./supervisor.js')).adopt(made.directory, { pid, pidfd });
        await adoptExec(made);
      }
      await readableOrPolled(joined.number, killedProcessTime);
      endOf(joined.number);
    } finally {
      joined.close();
    }
  }

  private failed({ index, errno, syscall, detail }: ReportOf<'error'>): Error {
    const { ops } = this.input.plan;
    const op = ops[index];
    if (op) {
      const filtered = ops.slice(0, index).some((before) => before.op === 'seccomp' && !before.late);
      return new OpFailed({ op, errno, syscall, detail, filtered });
    }
    // It failed before its first operation.
    const { command, record } = this.input;
    const message = `${command} ${record.id}: start runt-init: ${syscall} ${detail}`.trimEnd();
    return new RuntError({ code: 'ERR_INIT', message, errno, syscall });
  }

  private async died(): Promise<Error> {
    const { command, record, spec } = this.input;
    await readableOrPolled(this.pidfd, killedProcessTime);
    // Waiting works only for our own child: for a supervisor's, ask the kernel first.
    const end = (await (await import('../state/exit-records.js')).seenEnd(this.pidfd)) ?? endOf(this.pidfd);
    return end.unexpected(command, record.id, spec);
  }

  private notePid(): void {
    Object.assign(this.input.record, recorded(this.pid));
  }

  private saveCreated(): void {
    const { record, root } = this.input;
    this.notePid();
    this.hooksBegun = true;
    record.status = 'created';
    delete record.creator;
    save(root, record);
  }
}
