/**
 * Performs a plan: the runtime's operations here, the rest by runt-init. Whatever fails, what was made is taken back and
 * the first error is the one that is told.
 */

import { removeCgroups } from '../../cgroup/cgroup-removal.js';
import { type Op, ops } from '../../plan/plan-ops.js';
import { append } from '../../sys/append.js';
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { SIGKILL } from '../../sys/linux.js';
import { readableOrPolled } from '../../sys/waiting/loop.js';
import { killedProcessTime } from '../../sys/waiting/time-limits.js';
import { checkOp, OpFailed } from '../failure/op-failed.js';
import { recorded, signalProcess } from '../state/recorded-process.js';
import { keepConfig, removeStateDir, save } from '../state/state-store.js';
import type { Terminal } from '../stdio/foreground-terminal.js';
import { endOf } from './child-end.js';
import { isRuntimeOp, RuntimeOps } from './handlers/runtime-ops.js';
import type { Span } from './init-channel.js';

const go = new Uint8Array([0x67]);

/** One launch in progress. */
export class Launch extends RuntimeOps {
  /** Operations of the runtime before this one are done. */
  private reached = 0;
  /** From here on a container that is taken back has its poststop hooks run (runtime.md#lifecycle). */
  private hooksBegun = false;
  readonly spans: Span[] = [];
  private readonly warn = (sentence: string): void => this.input.warn?.(sentence);

  /**
   * Performs the plan until runt-init waits for start, and saves the state "created".
   * @throws OpFailed, or a RuntError, after all was undone
   */
  async perform(): Promise<void> {
    const { plan, config, root, record } = this.input;
    try {
      const first = plan.ops.findIndex((op) => ops[op.op].by === 'init');
      await this.runtimeOps(first);
      if (plan.ops.some((op) => op.op === 'sync')) this.told(native.write(this.sync, go), 'sync');
      // While runt-init works.
      if (config) keepConfig(root, record.id, config);
      await this.await('created');
      if (this.placeholder) await this.endPlaceholder();
      await this.runtimeOps(plan.ops.length);
      if (!this.input.exec) this.saveCreated();
      // Only now: an init whose runtime is killed before this ends by itself.
      if (this.startSocket >= 0) this.told(native.write(this.sync, go), 'wait');
      if (this.startSocket >= 0) this.netDevices?.settle();
      this.closeShared();
      if (this.supervisor) (await import('./supervisor.js')).leaveSupervisor(this.supervisor);
      this.supervisor = undefined;
    } catch (error) {
      const cause = this.placeholder?.hasEnded() ? this.noRoom(error) : error;
      await this.undo();
      throw cause;
    }
  }

  /** The process that holds the scope's place was killed, and with it went the scope and its cgroup. */
  private noRoom(cause: unknown): RuntError {
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

  /** Says start to an init without a start socket and waits for the execve; a terminal gets its other end before. */
  async start(terminal?: Terminal): Promise<void> {
    try {
      if (terminal) {
        const socket = this.console;
        this.console = -1;
        await terminal.attach(socket);
      }
      this.told(native.write(this.sync, go), 'wait');
      await this.await('exec');
      const last = await this.reports.next();
      if (last.kind === 'error') throw this.failed(last);
      // The shim lives on: it would keep one for each exec.
      native.close(this.sync);
      this.sync = -1;
      terminal?.relay();
      this.netDevices?.settle();
    } catch (error) {
      await this.undo();
      throw error;
    }
  }

  /** Ends the process and removes cgroups and state; what cannot be removed does not hide the first error. */
  async undo(): Promise<void> {
    this.netDevices?.giveBack(this.pid);
    if (this.pidfd >= 0) {
      signalProcess(this.pidfd, this.pid, SIGKILL);
      await readableOrPolled(this.pidfd, killedProcessTime);
      endOf(this.pidfd);
      native.close(this.pidfd);
      this.pidfd = -1;
    }
    if (this.executed) await (await import('./supervisor.js')).forgetExec(this.directory, this.executed);
    if (this.supervisor) await (await import('./supervisor.js')).endSupervisor(this.supervisor);
    this.supervisor = undefined;
    if (this.placeholder) await this.endPlaceholder();
    this.closeShared();
    if (this.console >= 0) native.close(this.console);
    this.console = -1;
    if (this.notify >= 0) native.close(this.notify);
    this.notify = -1;
    if (this.sync >= 0) native.close(this.sync);
    this.sync = -1;
    try {
      // Without a pid namespace of its own what its hooks left in the cgroups outlives init.
      if (this.hooksBegun && !this.input.record.pidNamespace) {
        const { killAll } = await import('../cgroups/kill-all.js');
        killAll(this.cgroups, SIGKILL);
      }
      if (this.rdt.length > 0) (await import('./handlers/rdt-handler.js')).removeRdt(this.rdt);
      // Without systemd's help the cgroup goes all the same.
      const { unit } = this.input.record;
      if (this.unitStarted && unit)
        await import('../cgroups/systemd-unit.js').then(({ stopUnit }) => stopUnit(unit)).catch(() => {});
      await removeCgroups(this.cgroups);
      if (this.hooksBegun) await this.keepForPoststop();
      if (this.stateDir) removeStateDir(this.input.root, this.input.record.id);
    } catch {
      // The first error is thrown by the caller.
    }
    if (this.hooksBegun) await this.poststop();
  }

  /** Prestart and createRuntime hooks; then runt-init goes on. The record has the pid by now: a hook may ask for the state. */
  private async runtimeHooks(): Promise<void> {
    const { command, record, root, spec, plan, trace } = this.input;
    const { hookState, runPlanHooks } = await import('../hooks/run-hooks.js');
    this.hooksBegun = true;
    this.notePid();
    save(root, record);
    const spans = await runPlanHooks(command, plan, spec, hookState(record, 'creating'), trace, this.warn);
    append(this.spans, spans);
    const word = new Uint8Array(5);
    word.set(go);
    new DataView(word.buffer).setUint32(1, this.pid, true);
    this.told(native.write(this.sync, word), 'awaitHooks');
  }

  /** Poststart hooks; when one fails the container is taken back. @throws RuntError ERR_HOOK, ERR_HOOK_TIMEOUT */
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

  /** To be called before the state is removed. */
  async keepForPoststop(): Promise<void> {
    const { command, root, record, exec } = this.input;
    if (!record.hooks?.poststop || exec) return;
    const { keepForPoststop } = await import('../hooks/poststop-hooks.js');
    await keepForPoststop(command, root, record, this.warn);
  }

  /** Poststop hooks, after all is removed. */
  async poststop(): Promise<void> {
    const { command, root, record, exec } = this.input;
    this.hooksBegun = false;
    if (!record.hooks?.poststop || exec) return;
    const { runPoststop } = await import('../hooks/poststop-hooks.js');
    await runPoststop(command, root, record.id, this.warn);
  }

  /** What runt-init has and the runtime needs no more; with a start socket that is the sync socket too. */
  private closeShared(): void {
    for (const fd of [...this.slots.splice(0), this.startSocket]) if (fd >= 0) native.close(fd);
    if (this.startSocket >= 0) {
      native.close(this.sync);
      this.sync = -1;
    }
    this.startSocket = -1;
  }

  /** Those before `to` that are not done yet. */
  private async runtimeOps(to: number): Promise<void> {
    const { plan, trace } = this.input;
    for (let index = this.reached; index < to; index++) {
      const op = plan.ops[index] as Op;
      if (!isRuntimeOp(op)) continue;
      const start = trace ? native.monotonic() : 0n;
      const slow = this.apply(op);
      if (slow) await slow;
      if (trace) this.spans.push({ index, start, end: native.monotonic() });
    }
    this.reached = to;
  }

  /** Reads reports until the wanted one. */
  private async await(wanted: 'created' | 'exec'): Promise<void> {
    for (;;) {
      const report = await this.reports.next();
      if (report.kind === wanted) return;
      if (report.kind === 'trace') append(this.spans, report.spans);
      else if (report.kind === 'hooks') await this.runtimeHooks();
      else if (report.kind === 'pid') await this.succeeded(report);
      else if (report.kind === 'await') {
        await this.runtimeOps(report.index);
        this.told(native.write(this.sync, go), 'await');
      } else if (report.kind === 'kept') {
        const { keptFlags } = await import('../failure/mount-warnings.js');
        this.warn(keptFlags(this.input.plan.ops[report.index]!, report));
      } else if (report.kind === 'bound') {
        const { boundSysfs } = await import('../failure/mount-warnings.js');
        const warning = boundSysfs(this.input.plan.ops[report.index]!, this.input.spec);
        if (warning !== undefined) this.warn(warning);
      } else if (report.kind === 'slow') {
        const { hookIsSlow, hookNamed } = await import('../hooks/hook-failure.js');
        const { command, record, spec } = this.input;
        this.warn(hookIsSlow(`${command} ${record.id}`, report.hook, hookNamed(spec.hooks, report.hook)));
      } else if (report.kind === 'stdio') {
        const { giveStdio } = await import('../stdio/stdio-owner.js');
        giveStdio(report, this.pid, this.pidfd, this.input.stdio ?? [0, 1, 2]);
        this.told(native.write(this.sync, go), 'await');
      } else if (report.kind === 'listener') {
        const { handOver } = await import('./handlers/seccomp-agent.js');
        const { record, exec } = this.input;
        await handOver(this.reports, report, { record, status: exec ? 'running' : record.status, pid: this.pid });
      } else if (report.kind === 'error') throw this.failed(report);
      else throw await this.died();
    }
  }

  /** The process that joined has ended; the one that it began is a child of ours, or of the supervisor, as well. */
  private async succeeded({ pid, pidfd }: { readonly pid: number; readonly pidfd: number }): Promise<void> {
    const joined = this.pidfd;
    this.pidfd = checkOp({ op: 'fork', at: '' }, pidfd < 0 ? -E.EMFILE : pidfd, 'recvmsg');
    this.pid = pid;
    try {
      if (--this.successors === 0) {
        if (this.supervisor) await (await import('./supervisor.js')).adopt(this.directory, this);
        await this.adoptExec();
      }
      await readableOrPolled(joined, killedProcessTime);
      endOf(joined);
    } finally {
      native.close(joined);
    }
  }

  private failed(report: { index: number; errno: number; syscall: string; detail: string }): Error {
    const op = this.input.plan.ops[report.index];
    if (op) return new OpFailed({ op, errno: report.errno, syscall: report.syscall, detail: report.detail });
    // Before its first operation.
    const { command, record } = this.input;
    const { errno, syscall, detail } = report;
    const message = `${command} ${record.id}: start runt-init: ${syscall} ${detail}`.trimEnd();
    return new RuntError({ code: 'ERR_INIT', message, errno, syscall });
  }

  private async died(): Promise<Error> {
    const { command, record, spec } = this.input;
    await readableOrPolled(this.pidfd, killedProcessTime);
    // Of a supervisor's child only the kernel can tell.
    const end = (await (await import('../state/exit-records.js')).seenEnd(this.pidfd)) ?? endOf(this.pidfd);
    return end.unexpected(command, record.id, spec.linux?.resources?.memory?.limit);
  }

  /** A peer that is gone is no failure of the write: its report, or its end, says more. */
  private told(written: number, what: 'sync' | 'wait' | 'awaitHooks' | 'await'): void {
    if (written < 0 && written !== -E.EPIPE && written !== -E.ECONNRESET) {
      const op = what === 'await' ? ({ op: what, at: '', what: '' } as const) : ({ op: what, at: '' } as const);
      throw new OpFailed({ op, errno: -written, syscall: 'write', detail: '' });
    }
  }

  private notePid(): void {
    const { record } = this.input;
    Object.assign(record, recorded(this.pid));
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
