/** One restore in progress: its cgroups, its root, criu's notifications, and the undo. */
import { hierarchyDirectory } from '../../cgroup/cgroup-facts.js';
import { oomFile, shownCgroup } from '../../cgroup/cgroup-paths.js';
import { errnoName } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { makeDir, tryReadText } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, AT_REMOVEDIR } from '../../sys/linux.js';
import { endKilled } from '../launch/child-end.js';
import type { CompiledBundle } from '../launch/compile-bundle.js';
import { withSubmounts } from '../launch/handlers/bind-submounts.js';
import type { Supervisor } from '../launch/supervisor.js';
import { claimId } from '../state/claim-id.js';
import { claimLayer } from '../state/layer-record.js';
import { openProcess, recordProcess } from '../state/recorded-process.js';
import { type ContainerRecord, criuRoot } from '../state/state-store.js';
import { saveRecord, storeConfig } from '../state/stored-files.js';
import type { Terminal } from '../stdio/foreground-terminal.js';
import { descriptorsFile, readLog } from './criu-directory.js';
import { bindMounts, cgroupMounts, externalNamespaces, isInheritable } from './criu-external.js';
import { Type } from './criu-messages.js';
import { restoreOptions } from './criu-options.js';
import { Criu, type FoundCriu, firstPassedFd, type Notification, refusalError } from './criu-process.js';
import type { RestoreOptions } from './restore-options.js';
import { RestoredCgroups } from './restored-cgroups.js';
import { makeMountPoints } from './restored-mount-points.js';

/** criu's names of the namespaces that it joins by itself. */
const joinNames: Readonly<Record<string, string>> = { ipc: 'ipc', uts: 'uts', time: 'time' };

export class Restoration {
  pidfd = -1;
  private supervisor: Supervisor | undefined;
  private stateDir = false;
  private rootMounted = false;
  private hooksStarted = false;
  private cgroups: RestoredCgroups | undefined;
  private readonly opened: number[] = [];

  constructor(
    private readonly what: string,
    private readonly o: RestoreOptions,
    private readonly compiled: CompiledBundle,
    readonly record: ContainerRecord,
    private readonly found: FoundCriu,
    private readonly terminal: Terminal | undefined,
  ) {}

  private get directory(): string {
    return `${this.o.root}/${this.o.id}`;
  }

  private get rootPath(): string {
    return `${this.directory}/${criuRoot}`;
  }

  /** @throws RuntError ERR_CRIU, ERR_CONTAINER_EXISTS, ERR_CGROUP_*, ERR_HOOK …; OpFailed */
  async perform(facts: { imageFd: number; workFd: number; configFile: string | undefined }): Promise<void> {
    const { o, record, compiled, what } = this;
    claimId(o.root, record, () => {
      this.stateDir = true;
    });
    storeConfig(o.root, o.id, compiled.text);
    for (const op of compiled.plan.ops)
      if (op.op === 'claimLayer') await claimLayer(op, { command: 'restore', ...o, record });
    if (o.supervise) await this.startSupervisor();
    const strict = o.manageCgroupsMode === 'strict';
    const cgroups = new RestoredCgroups(what, compiled.plan, record, strict);
    this.cgroups = cgroups;
    if (!cgroups.isInUnit) await cgroups.make(-1);
    this.mountRoot();
    const { inherited, joined } = this.openExternal();
    const criu = await this.startCriu();
    if (o.early) criu.endWith(o.early);
    try {
      // systemd starts a scope with a process in it: criu, which ends when the restored processes exist.
      if (cgroups.isInUnit) await cgroups.make(criu.pid);
      const cgroupRoots = cgroups.enterAll(criu.pid);
      const binds = withSubmounts([...bindMounts(compiled.spec, o.bundle), ...this.hierarchyMounts()]);
      const mounts = binds.map(({ name, source }) => ({ key: name, val: source }));
      const opts = restoreOptions(
        o,
        { ...facts, rootfs: this.rootPath },
        { mounts, inherited: inherited.map((i) => this.withCriuFd(i)), joined, cgroups: cgroupRoots },
      );
      const answer = await criu.call({ type: Type.RESTORE, opts: opts as never }, (n) => this.handleNotification(n));
      const log = `${o.workPath ?? o.imagePath}/restore.log`;
      if (!answer.success || !answer.restore) throw refusalError(what, this.found.path, answer, log, readLog(log));
      this.recordPid(answer.restore.pid);
      // If it has ended already, its supervisor has recorded that; without one it is a zombie of ours.
      this.pidfd = this.supervisor
        ? openProcess(record)
        : check(native.pidfdOpen(record.pid), {
            code: 'ERR_CRIU',
            message: `${what}: the restored process has ended`,
            syscall: 'pidfd_open',
          });
      record.status = 'created';
      delete record.creator;
      saveRecord(o.root, record);
      if (this.supervisor) (await import('../launch/start-mode.js')).releaseMode(this.supervisor);
      this.supervisor = undefined;
    } finally {
      await criu.close();
      this.unmountRoot();
      for (const fd of this.opened.splice(0)) native.close(fd);
    }
  }

  private async startSupervisor(): Promise<void> {
    const { startSupervisor } = await import('../launch/supervisor.js');
    this.supervisor = await startSupervisor(this.directory);
    const { pid } = this.supervisor;
    this.record.supervisor = recordProcess(pid);
    saveRecord(this.o.root, this.record);
  }

  private async startCriu(): Promise<Criu> {
    const { what, o, found, compiled, record } = this;
    const passedFds = [...this.opened];
    if (!this.supervisor) return Criu.start(what, found.path, passedFds, o.stdio);
    const file = oomFile(compiled.cgroups, record.unit?.name);
    return Criu.startSupervised(what, found.path, passedFds, o.stdio ?? [0, 1, 2], this.directory, file);
  }

  private hierarchyMounts() {
    const { cgroups, facts, spec } = this.compiled;
    if (facts.cgroup.layout === 'v2') return [];
    const shown = cgroups.v1.map((c) => ({ directory: hierarchyDirectory(c.hierarchy), source: shownCgroup(c) }));
    return cgroupMounts(spec, shown);
  }

  /** With the descriptor's number in criu. */
  private withCriuFd(i: { readonly key: string; readonly fd: number }): { key: string; fd: number } {
    const at = this.opened.indexOf(i.fd);
    return this.supervisor && at >= 0 ? { key: i.key, fd: firstPassedFd + at } : i;
  }

  /** Ends the restored processes and removes what was made; warns of what it cannot remove. */
  async undo(): Promise<void> {
    const { o, record, cgroups } = this;
    const made = cgroups?.made ?? [];
    const { teardownAfterError } = await import('../teardown.js');
    await teardownAfterError({
      command: 'restore',
      root: o.root,
      id: o.id,
      warn: o.warn,
      endProcesses: [() => this.endProcess()],
      // Processes of a failed criu are in these cgroups, or criu has killed them.
      othersInCgroups: made.length > 0,
      unit: cgroups?.unitStarted ? record.unit : undefined,
      cgroups: made,
      endSupervisor: async () => {
        if (this.supervisor) await (await import('../launch/supervisor.js')).endSupervisor(this.supervisor);
        this.supervisor = undefined;
      },
      poststop: this.hooksStarted && record.hooks?.poststop ? record : undefined,
      stateDirectory: this.stateDir,
    });
  }

  private async endProcess(): Promise<void> {
    const { pidfd, record } = this;
    if (pidfd < 0) return;
    this.pidfd = -1;
    await endKilled(pidfd, record.pid);
  }

  private mountRoot(): void {
    const { what, record } = this;
    const path = this.rootPath;
    makeDir(path, 0o700);
    const facts = {
      code: 'ERR_CRIU',
      message: `${what}: mount the root ${record.rootfs} for criu`,
      path: record.rootfs,
    };
    check(native.mountBind(record.rootfs, 1, 0, path), facts);
    this.rootMounted = true;
    makeMountPoints(what, path, this.compiled.spec, this.o.bundle);
  }

  /** The mount is in the host's namespace: it must not outlive the restore. */
  private unmountRoot(): void {
    if (!this.rootMounted) return;
    this.rootMounted = false;
    const r = native.unmount(this.rootPath);
    if (r < 0) this.o.warn(`${this.what}: unmount the root for criu, ${this.rootPath}: ${errnoName(-r)}`);
    native.unlinkAt(AT_FDCWD, this.rootPath, AT_REMOVEDIR);
  }

  /** Opens the existing external resources: stdio, and namespaces joined by path. */
  private openExternal(): {
    inherited: { key: string; fd: number }[];
    joined: { ns: string; ns_file: string }[];
  } {
    const inherited: { key: string; fd: number }[] = [];
    this.readDescriptors().forEach((key, fd) => {
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
        message: `${this.what}: open the ${type} namespace ${path}`,
        path,
        pointer: `/linux/namespaces/${i}/path`,
      });
      this.opened.push(fd);
      inherited.push({ key: known.key, fd });
    }
    return { inherited, joined };
  }

  /** The targets of descriptors 0 to 2 at the checkpoint; none if it did not record them. */
  private readDescriptors(): readonly unknown[] {
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

  private async handleNotification({ script, pid, fd }: Notification): Promise<void> {
    const { record, o } = this;
    if (script === 'orphan-pts-master' && fd >= 0) {
      const { passMaster } = await import('./restore-terminal.js');
      return passMaster(this.what, fd, this.terminal, o.consoleSocket);
    }
    if (fd >= 0) native.close(fd);
    if (script === 'setup-namespaces') {
      this.recordPid(pid);
      // From now on, the end of this process is the container's, whatever else criu makes.
      await this.adoptBySupervisor(pid);
      if (this.compiled.spec.linux?.namespaces?.some((n) => n.type === 'network' && !n.path)) {
        (await import('./loopback.js')).setLoopbackUp(this.what, pid);
      }
      await this.runNetworkHooks();
    } else if (script === 'post-restore') {
      this.recordPid(pid);
      saveRecord(o.root, record);
    }
  }

  private async adoptBySupervisor(pid: number): Promise<void> {
    if (!this.supervisor) return;
    const { adopt } = await import('../launch/supervisor.js');
    const facts = { code: 'ERR_CRIU', message: `${this.what}: open the restored process`, syscall: 'pidfd_open' };
    const pidfd = check(native.pidfdOpen(pid), facts);
    try {
      await adopt(this.directory, { pid, pidfd });
    } finally {
      native.close(pidfd);
    }
  }

  private recordPid(pid: number): void {
    Object.assign(this.record, recordProcess(pid));
  }

  /** Runs the hooks that set up the network, in the namespaces that criu has just made. */
  private async runNetworkHooks(): Promise<void> {
    const { prestart, createRuntime } = this.compiled.spec.hooks ?? {};
    if (!prestart?.length && !createRuntime?.length) return;
    const { hookState, runHooks } = await import('../hooks/run-hooks.js');
    this.hooksStarted = true;
    saveRecord(this.o.root, this.record);
    const state = hookState(this.record, 'creating');
    await runHooks('restore', 'prestart', prestart, state, this.o.warn);
    await runHooks('restore', 'createRuntime', createRuntime, state, this.o.warn);
  }
}
