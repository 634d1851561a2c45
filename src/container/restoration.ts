/** One restore in progress: the cgroups and the root that it makes, criu's questions, and how all of it is taken back. */
import { removeCgroups } from '../cgroup/remove.js';
import type { Op } from '../plan/ops.js';
import { check, RuntError } from '../sys/error.js';
import { exists, makeDir, readText, tryReadText } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, AT_REMOVEDIR } from '../sys/linux.js';
import { readable } from '../sys/loop.js';
import { applyCgroupOp, type CgroupOp } from './cgroup.js';
import type { CompiledBundle } from './compile-bundle.js';
import { Criu, type FoundCriu, type Notification, refusal } from './criu.js';
import { descriptorsFile, readLog } from './criu-directory.js';
import { Type } from './criu-messages.js';
import { restoreOptions } from './criu-options.js';
import { bindMounts, externalNamespaces, isInheritable } from './external.js';
import { killAll } from './kill.js';
import { makeMountPoints } from './mount-points.js';
import { OpFailed } from './op-failed.js';
import { endOf, processStat } from './process.js';
import type { RestoreOptions } from './restore.js';
import { type ContainerRecord, criuRoot, keepConfig, makeStateDir, removeStateDir, save } from './store.js';
import { withSubmounts } from './submounts.js';
import type { Terminal } from './terminal.js';

const SIGKILL = 9;
const endDeadline = 10_000;
/** criu's words for the namespaces that it joins by itself. */
const joinNames: Readonly<Record<string, string>> = { ipc: 'ipc', uts: 'uts', time: 'time' };

export class Restoration {
  pidfd = -1;
  private stateDir = false;
  private rooted = false;
  private hooked = false;
  private unitStarted = false;
  private readonly made: string[] = [];
  private readonly opened: number[] = [];

  constructor(
    private readonly what: string,
    private readonly o: RestoreOptions,
    private readonly compiled: CompiledBundle,
    readonly record: ContainerRecord,
    private readonly found: FoundCriu,
    private readonly terminal: Terminal | undefined,
  ) {}

  private get rootPath(): string {
    return `${this.o.root}/${this.o.id}/${criuRoot}`;
  }

  /** @throws RuntError ERR_CRIU, ERR_CONTAINER_EXISTS, ERR_CGROUP_*, ERR_HOOK …; OpFailed */
  async perform(facts: { imageFd: number; workFd: number; configFile: string | undefined }): Promise<void> {
    const { o, record, compiled, what } = this;
    makeStateDir(o.root, o.id);
    this.stateDir = true;
    save(o.root, record);
    keepConfig(o.root, o.id, compiled.text);
    const scope = compiled.plan.ops.some(({ op }) => op === 'systemdScope');
    if (!scope) await this.makeCgroups(-1);
    this.makeRoot();
    const { inherited, joined } = this.external();
    const keep = [...this.opened];
    const criu = Criu.start(what, this.found.path, keep, o.stdio);
    try {
      // systemd starts a scope with a process in it: with criu, which ends when what it has made is there.
      if (scope) await this.makeCgroups(criu.pid);
      const cgroups = this.enterCgroups(criu.pid);
      const binds = withSubmounts(bindMounts(compiled.spec, o.bundle));
      const mounts = binds.map(({ name, source }) => ({ key: name, val: source }));
      const opts = restoreOptions(o, { ...facts, rootfs: this.rootPath }, { mounts, inherited, joined, cgroups });
      const answer = await criu.ask({ type: Type.RESTORE, opts: opts as never }, (n) => this.notified(n));
      const log = `${o.workPath ?? o.imagePath}/restore.log`;
      if (!answer.success || !answer.restore) throw refusal(what, this.found.path, answer, log, readLog(log));
      this.adopt(answer.restore.pid);
      this.pidfd = check(native.pidfdOpen(record.pid), {
        code: 'ERR_CRIU',
        message: `${what}: the restored process has ended`,
        syscall: 'pidfd_open',
      });
      record.status = 'created';
      delete record.creator;
      save(o.root, record);
    } finally {
      await criu.close();
      this.leaveRoot();
      for (const fd of this.opened.splice(0)) native.close(fd);
    }
  }

  /** Ends what was restored and removes what was made; what cannot be removed does not hide the first error. */
  async undo(): Promise<void> {
    if (this.pidfd >= 0) {
      native.pidfdSignal(this.pidfd, SIGKILL);
      await readable(this.pidfd, endDeadline);
      endOf(this.pidfd);
      native.close(this.pidfd);
      this.pidfd = -1;
    }
    const { o, record } = this;
    const poststop = this.hooked && record.hooks?.poststop ? await import('./poststop.js') : undefined;
    try {
      // What criu had made when it failed is in these cgroups, or has been ended by it.
      if (this.made.length > 0) killAll(record.cgroups, SIGKILL);
      if (this.unitStarted) await (await import('./systemd.js')).endUnit(record.unit!);
      await removeCgroups(this.made);
      await poststop?.keepForPoststop('restore', o.root, record, o.warn);
      if (this.stateDir) removeStateDir(o.root, o.id);
    } catch {
      // The first error is thrown by the caller.
    }
    await poststop?.runPoststop('restore', o.root, o.id, o.warn);
  }

  /** All of the container's cgroups, with their limits, before anything is restored into them; those of a unit with the process in them. */
  private async makeCgroups(pid: number): Promise<void> {
    const there = this.o.manageCgroupsMode === 'strict' ? this.record.cgroups.find(exists) : undefined;
    if (there !== undefined) {
      throw new RuntError({
        code: 'ERR_CGROUP',
        message: `${this.what}: the cgroup is there already, which --manage-cgroups-mode strict forbids`,
        path: there,
      });
    }
    for (const op of this.compiled.plan.ops) {
      if (op.op === 'systemdScope') {
        await (await import('./systemd.js')).startScope(op, this.record.unit?.bus, pid);
        this.unitStarted = true;
        this.made.push(op.path);
      }
      if (!isCgroupOp(op)) continue;
      const failed = applyCgroupOp(op, this.made);
      if (failed) throw new OpFailed(failed);
      // What is above has to be empty before it can give controllers.
      if (op.op === 'cgroupCreate' && pid >= 0) this.enter(op.path, pid);
    }
  }

  private enter(directory: string, pid: number): void {
    const path = `${directory}/cgroup.procs`;
    check(native.writeFile(AT_FDCWD, path, 0, 0, host.encode(String(pid))), {
      code: 'ERR_CGROUP',
      message: `${this.what}: put criu into the container's cgroup`,
      path,
      syscall: 'write',
    });
  }

  /** Puts criu where the process was to be, so that what it makes begins there. @returns the places as the kernel names them */
  private enterCgroups(pid: number): { ctrl?: string; path: string }[] {
    const { record, compiled } = this;
    const birth = compiled.plan.ops.find((op) => op.op === 'clone')?.cgroup ?? '';
    for (const directory of record.cgroups) this.enter(birth.startsWith(`${directory}/`) ? birth : directory, pid);
    if (record.cgroups.length === 0) return [];
    const lines = readText(`/proc/${pid}/cgroup`)
      .split('\n')
      .map((line) => /^[0-9]+:([^:]*):(.*)$/.exec(line))
      .filter((m) => m !== null);
    const v2 = lines.every(([, ctrl]) => ctrl === '');
    // On a hybrid host the v2 hierarchy has no controllers, and a path without a controller would be that of all.
    return lines.flatMap(([, ctrl = '', path = '']) => (ctrl ? [{ ctrl, path }] : v2 ? [{ path }] : []));
  }

  private makeRoot(): void {
    const { what, record } = this;
    const path = this.rootPath;
    makeDir(path, 0o700);
    const facts = { code: 'ERR_CRIU', message: `${what}: mount the root for criu`, path: record.rootfs };
    check(native.mountBind(record.rootfs, 1, 0, path), facts);
    this.rooted = true;
    makeMountPoints(what, path, this.compiled.spec, this.o.bundle);
  }

  /** The mount is the host's: it must not outlive the restore. */
  private leaveRoot(): void {
    if (!this.rooted) return;
    this.rooted = false;
    native.unmount(this.rootPath);
    native.unlinkAt(AT_FDCWD, this.rootPath, AT_REMOVEDIR);
  }

  /** Opens what is external and is there already: stdio, namespaces joined by path. */
  private external(): {
    inherited: { key: string; fd: number }[];
    joined: { ns: string; ns_file: string }[];
  } {
    const inherited: { key: string; fd: number }[] = [];
    this.descriptors().forEach((key, fd) => {
      if (isInheritable(key) && !inherited.some((i) => i.key === key)) inherited.push({ key, fd });
    });
    const joined: { ns: string; ns_file: string }[] = [];
    for (const [i, { type, path }] of (this.compiled.spec.linux?.namespaces ?? []).entries()) {
      if (!path) continue;
      const known = externalNamespaces[type];
      const ns = joinNames[type];
      if (ns !== undefined) joined.push({ ns, ns_file: path });
      if (!known) continue;
      const fd = check(native.openAt(AT_FDCWD, path, 0, 0), {
        code: 'ERR_NAMESPACE',
        message: `${this.what}: open the ${type} namespace`,
        path,
        pointer: `/linux/namespaces/${i}/path`,
      });
      this.opened.push(fd);
      inherited.push({ key: known.key, fd });
    }
    return { inherited, joined };
  }

  /** What 0, 1 and 2 were when the images were written; nothing when that was not noted. */
  private descriptors(): readonly unknown[] {
    const path = `${this.o.imagePath}/${descriptorsFile}`;
    const text = tryReadText(path);
    let list: unknown = [];
    try {
      if (text !== undefined) list = JSON.parse(text);
    } catch {
      list = undefined;
    }
    if (Array.isArray(list) && list.length <= 3) return list;
    throw new RuntError({
      code: 'ERR_CRIU',
      message: `${this.what}: ${descriptorsFile} of the images is damaged`,
      path,
    });
  }

  private async notified({ script, pid, fd }: Notification): Promise<void> {
    const { record, o } = this;
    if (script === 'orphan-pts-master' && fd >= 0) {
      const { passMaster } = await import('./restore-terminal.js');
      return passMaster(this.what, fd, this.terminal, o.consoleSocket);
    }
    if (fd >= 0) native.close(fd);
    if (script === 'setup-namespaces') {
      this.adopt(pid);
      if (this.compiled.spec.linux?.namespaces?.some((n) => n.type === 'network' && !n.path)) {
        (await import('./loopback.js')).setLoopbackUp(this.what, pid);
      }
      await this.hooks();
    } else if (script === 'post-restore') {
      this.adopt(pid);
      save(o.root, record);
    }
  }

  private adopt(pid: number): void {
    this.record.pid = pid;
    this.record.startTime = processStat(pid)?.startTime ?? '';
  }

  /** Those that make the network, in the namespaces that criu has just made. */
  private async hooks(): Promise<void> {
    const { prestart, createRuntime } = this.compiled.spec.hooks ?? {};
    if (!prestart?.length && !createRuntime?.length) return;
    const { hookState, runHooks } = await import('./hooks.js');
    this.hooked = true;
    save(this.o.root, this.record);
    const state = hookState(this.record, 'creating');
    await runHooks('restore', 'prestart', prestart, state);
    await runHooks('restore', 'createRuntime', createRuntime, state);
  }
}

const isCgroupOp = (op: Op): op is CgroupOp => op.op.startsWith('cgroup') && cgroupOps.includes(op.op);
const cgroupOps: readonly string[] = [
  'cgroupCreate',
  'cgroupWrite',
  'cgroupWriteFirst',
  'cgroupRealtime',
  'cgroupInherit',
  'cgroupControllers',
  'cgroupDevices',
  'cgroupOwner',
];
