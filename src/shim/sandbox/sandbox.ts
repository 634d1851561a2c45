/** One pod: the namespaces that its containers join, held by a first process of our own, and the pod's files. */
import type { Namespace, Spec } from '../../spec/config-types.js';
import { check, RuntError } from '../../sys/error.js';
import { readText } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { SIGKILL, SIGTERM } from '../../sys/linux.js';
import { replaceFile } from '../../sys/replace-file.js';
import { withTimeout } from '../../sys/waiting/loop.js';
import { killedProcessTime } from '../../sys/waiting/time-limits.js';
import { Publisher } from '../containerd/event-publisher.js';
import { runtimeOptions, withSystemd } from '../containerd/runtime-options.js';
import { log } from '../shim-log.js';
import { taskRecords } from '../task/recorded-tasks.js';
import { Task } from '../task/task.js';
import type { RecordedExit } from '../task/task-process.js';
import { task } from '../transport/protos.js';
import type { UnaryCall } from '../transport/rpc.js';
import { Code, StatusError } from '../transport/status-code.js';
import { makePauseRoot } from './pause-program.js';
import { type ContainerdDirectories, PodFiles } from './pod-files.js';
import { podLabels } from './pod-labels.js';
import type { sandboxes } from './pod-protos.js';
import { pod } from './pod-protos.js';
import { podSeccomp } from './pod-seccomp.js';
import { namespaceModes, podOomScore, podSpec } from './pod-spec.js';
import type { SandboxDirectory, SandboxRecord } from './sandbox-record.js';

/** Where the pods of a containerd namespace are. */
export interface SandboxPlace {
  /** The state root of the pods' first processes, and of their containers. */
  readonly root: string;
  readonly directory: SandboxDirectory;
  readonly containerd: ContainerdDirectories;
  readonly namespace: string;
  /** systemd makes the cgroups, whatever the options say. */
  readonly systemdCgroup: boolean;
  /** Also log the warnings of `--debug`. */
  readonly debug: boolean;
}

const metadataExtension = 'metadata';

export class Sandbox {
  /** The calls that change this pod, one after another. */
  private last: Promise<unknown> = Promise.resolve();
  private readonly files: PodFiles;
  /** An earlier server made it. */
  private isAdopted = false;

  private constructor(
    private readonly place: SandboxPlace,
    readonly id: string,
    readonly record: SandboxRecord,
    /** The first process; undefined before Start. */
    private first: Task | undefined,
  ) {
    this.files = new PodFiles(place.containerd, id);
  }

  /**
   * Writes the pod's bundle and files; Start makes the process. Undoes all of it if that fails.
   * @param isUsed whether another pod has this SELinux level
   * @throws StatusError, RuntError
   */
  static async create(
    place: SandboxPlace,
    request: sandboxes.ControllerCreateRequest,
    config: pod.PodSandboxConfig,
    isUsed: (level: string) => boolean,
  ): Promise<Sandbox> {
    const { sandboxId: id, netnsPath: netns, sandbox } = request;
    const context = config.linux?.securityContext ?? {};
    const modes = namespaceModes(config);
    if (modes.network !== pod.NamespaceMode.NODE && netns === '')
      throw new StatusError(Code.INVALID_ARGUMENT, `Create of ${id} has neither a netns_path nor the host's network`);
    const options = withSystemd(await runtimeOptions(sandbox?.runtime?.options), place.systemdCgroup);
    for (const note of options.notes) log(id, note);
    if (context.apparmor) log(id, 'the AppArmor profile of a pod has no effect: each of its containers has one');
    const labels = context.privileged ? undefined : podLabels(context.selinuxOptions, isUsed);
    const seccomp = podSeccomp(context);
    const spec = podSpec(config, {
      id,
      netns,
      ...(seccomp && { seccomp }),
      ...(labels && { labels }),
      oomScoreAdj: oomScore(),
    });
    const metadata = sandbox?.extensions?.[metadataExtension]?.value ?? new Uint8Array();
    const record: SandboxRecord = {
      version: 1,
      createdAt: String(native.realtime()),
      netns,
      cgroupParent: config.linux?.cgroupParent ?? '',
      processLabel: labels?.process ?? '',
      runtimeType: sandbox?.runtime?.name ?? '',
      metadata: host.decode(metadata, metadata.length),
      options,
    };
    const made = new Sandbox(place, id, record, undefined);
    try {
      const bundle = place.directory.make(id);
      makePauseRoot(`${bundle}/rootfs`);
      replaceFile(`${bundle}/config.json`, JSON.stringify(spec));
      made.files.make(config);
      place.directory.store(id, record);
    } catch (error) {
      await made.undo();
      throw error;
    }
    return made;
  }

  /** A pod of an earlier server. */
  static adopted(place: SandboxPlace, id: string, record: SandboxRecord, first: Task | undefined): Sandbox {
    const adopted = new Sandbox(place, id, record, first);
    adopted.isAdopted = true;
    return adopted;
  }

  /** Removes the files of a pod whose server was killed in `create`. @throws RuntError ERR_IO, ERR_MOUNT */
  static removeUnfinished(place: SandboxPlace, id: string): void {
    new PodFiles(place.containerd, id).remove();
    place.directory.remove(id);
  }

  /** Whether an earlier server may have been killed before it answered Create. */
  get isUnansweredCreate(): boolean {
    return this.isAdopted && this.first === undefined;
  }

  /** ns since 1970. */
  get createdAt(): bigint {
    return BigInt(this.record.createdAt);
  }

  /** 0 before Start. */
  get pid(): number {
    return this.first?.init.pid ?? 0;
  }

  /** Whether the first process runs. */
  get ready(): boolean {
    const init = this.first?.init;
    return init?.started === true && !init.ended;
  }

  /** How the first process ended; undefined while it runs, and before Start. */
  get ended(): RecordedExit | undefined {
    return this.first?.init.ended;
  }

  /** The config of the first process, as JSON. @throws RuntError ERR_IO */
  get config(): string {
    return readText(`${this.bundle}/config.json`);
  }

  private get bundle(): string {
    return this.place.directory.bundle(this.id);
  }

  /** Makes and starts the first process; undoes Create, too, if that fails. @throws RuntError, StatusError */
  start(): Promise<void> {
    return this.exclusively(async () => {
      const { started, ended } = this.first?.init ?? {};
      if (started || ended) {
        if (ended || !this.isAdopted)
          throw new StatusError(Code.FAILED_PRECONDITION, `sandbox ${this.id} was started before`);
        // Again: the server that started it was killed before it could answer.
        if (this.joinsOwner) this.setUserNamespace(`/proc/${this.pid}/ns/user`);
        return;
      }
      // That server was killed before it had started the process.
      await this.first?.delete('');
      this.first = undefined;
      const held = this.joinOwner();
      const { root, namespace, debug } = this.place;
      const request = new task.CreateTaskRequest({ id: this.id, bundle: this.bundle });
      try {
        // CRI has its own way to learn that a pod has ended, Wait: events of its first process would name no container.
        const publisher = new Publisher('', namespace);
        const options = { publisher, debug, records: taskRecords };
        this.first = await Task.create(root, request, this.record.options, options);
        await this.first.start('');
        if (held.length > 0) this.setUserNamespace(`/proc/${this.pid}/ns/user`);
      } catch (error) {
        await this.undo();
        throw error;
      } finally {
        for (const fd of held) native.close(fd);
      }
    });
  }

  /**
   * A network namespace belongs to the user namespace that it was made in, and only that one can configure it: the pod
   * joins it. @returns descriptors to close when the process is made
   */
  private joinOwner(): readonly number[] {
    if (!this.joinsOwner) return [];
    const { netns } = this.record;
    const facts = { code: 'ERR_SANDBOX', message: `find the user namespace of the network namespace ${netns}` };
    const network = check(native.namespaceOpen(netns, new Uint8Array(24)), { ...facts, path: netns });
    const owner = native.userNamespaceOf(network);
    native.close(network);
    check(owner, { ...facts, path: netns, syscall: 'ioctl' });
    this.setUserNamespace(`/proc/${native.pid()}/fd/${owner}`);
    return [owner];
  }

  private get joinsOwner(): boolean {
    return this.record.netns !== '' && userNamespaceIn(JSON.parse(this.config) as Spec) !== undefined;
  }

  private setUserNamespace(path: string): void {
    const spec = JSON.parse(this.config) as Spec;
    const user = userNamespaceIn(spec);
    if (user) user.path = path;
    replaceFile(`${this.bundle}/config.json`, JSON.stringify(spec));
  }

  /** Resolves at the end of the first process. @throws StatusError FAILED_PRECONDITION, CANCELLED */
  async wait(call?: UnaryCall): Promise<RecordedExit> {
    if (!this.first) throw new StatusError(Code.FAILED_PRECONDITION, `sandbox ${this.id} was not started`);
    return this.first.init.waitForEnd(call);
  }

  /** Ends the first process, and unmounts what its containers share. @param seconds for it to end by SIGTERM */
  stop(seconds: number): Promise<void> {
    return this.exclusively(() => this.end(seconds));
  }

  /** Removes the pod; stops it first. */
  shutdown(): Promise<void> {
    return this.exclusively(async () => {
      await this.end(0);
      await this.remove();
    });
  }

  private async end(seconds: number): Promise<void> {
    const { first } = this;
    if (first && !first.init.ended) {
      if (seconds > 0) {
        await this.signal(first, SIGTERM);
        await withTimeout(first.init.waitForEnd(), 1000 * seconds);
      }
      await this.signal(first, SIGKILL);
      await withTimeout(first.init.waitForEnd(), killedProcessTime);
      if (!first.init.ended)
        throw new RuntError({ code: 'ERR_SANDBOX', message: `stop sandbox ${this.id}: its process does not end` });
    }
    this.files.unmount();
  }

  private async signal(first: Task, signal: number): Promise<void> {
    try {
      await first.kill('', signal, false);
    } catch (error) {
      if (!(error instanceof StatusError && error.code === Code.NOT_FOUND)) throw error;
    }
  }

  private async remove(): Promise<void> {
    await this.first?.delete('');
    this.first = undefined;
    this.files.remove();
    this.place.directory.remove(this.id);
  }

  /** Removes what a failed call has made. */
  private async undo(): Promise<void> {
    for (const step of [() => this.end(0), () => this.remove()]) {
      try {
        await step();
      } catch (error) {
        log(this.id, error);
      }
    }
  }

  private exclusively<T>(f: () => Promise<T>): Promise<T> {
    const done = this.last.then(f);
    this.last = done.catch(() => {});
    return done;
  }
}

const userNamespaceIn = (spec: Spec): Namespace | undefined =>
  spec.linux?.namespaces?.find(({ type }) => type === 'user');

const mayLower = 1n << 24n;

/** Without CAP_SYS_RESOURCE the score cannot be lower than our own. */
function oomScore(): number {
  const capabilities = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(readText('/proc/self/status'))?.[1] ?? '0'}`);
  if (capabilities & mayLower) return podOomScore;
  return Math.max(podOomScore, Number(readText('/proc/self/oom_score_adj')));
}
