/** Input and resources of one launch. */
import type { HostFacts } from '../../plan/host-facts.js';
import { opsNamed, type Plan } from '../../plan/op-list.js';
import type { Op } from '../../plan/plan-ops.js';
import type { Spec } from '../../spec/config-types.js';
import { OwnedFd } from '../../sys/fds.js';
import type { Placeholder } from '../cgroups/systemd-unit.js';
import type { ExecKey } from '../state/exit-records.js';
import type { ContainerRecord } from '../state/state-store.js';
import type { NetDevices } from './handlers/network-handler.js';
import { ValueFile } from './handlers/value-file.js';
import type { InitChannel } from './init-channel.js';
import type { Stdio } from './spawn-init.js';
import type { Supervisor } from './supervisor.js';

export interface LaunchInput {
  readonly command: string;
  readonly root: string;
  readonly record: ContainerRecord;
  readonly spec: Spec;
  readonly facts: HostFacts;
  readonly plan: Plan;
  /** The config file's content, to be stored. */
  readonly config?: Uint8Array;
  readonly trace: boolean;
  readonly preserveFds: number;
  /** The cgroup that systemd must move the process into, because the user may not. */
  readonly unitCgroup?: string;
  /** `exec`: the container exists; do not change its record. Called when the process waits; throws to undo. */
  readonly exec?: (resources: LaunchResources) => void;
  /** Receives failures of poststop hooks and of an undo. */
  readonly warn?: (sentence: string) => void;
  /** Receives each operation that is done. */
  readonly onDone?: (op: Op) => void;
  /** File in which the kernel counts OOM kills; empty for none. */
  readonly oomFile: string;
  /** Descriptors that become 0, 1 and 2; this process's when absent. Only a supervisor can pass them. */
  readonly stdio?: Stdio;
  /** Pidfds of the processes that the container ends with. Needs the operation `supervise`. */
  readonly followed?: readonly number[];
  /** The container has a supervisor, which starts this process. */
  readonly supervised?: boolean;
}

/** runt-init, or its successor. */
interface InitProcess {
  readonly pid: number;
  readonly pidfd: OwnedFd;
}

export class LaunchResources {
  process: InitProcess | undefined;
  channel: InitChannel | undefined;
  /** Receives the terminal's master if there is no console socket (op `consolePair`). */
  console: OwnedFd | undefined;
  /** The socket on which the process reports its readiness (op `notifyDirectory`). */
  notify: OwnedFd | undefined;
  startSocket: OwnedFd | undefined;
  /** By slot number. */
  readonly slots: (OwnedFd | undefined)[] = [];
  /** The state directory exists. */
  stateDirectory = false;
  supervisor: Supervisor | undefined;
  netDevices: NetDevices | undefined;
  placeholder: Placeholder | undefined;
  /** systemd has started the record's unit. */
  unitStarted = false;
  /** The cgroup that systemd moves the process into; '' if the process enters its cgroup itself. */
  unitCgroup: string;
  /** Closed before the clone, and once the cgroups are written. */
  readonly valueFile = new ValueFile();
  /** Cgroups that the launch made, children last. */
  readonly cgroups: string[] = [];
  /** resctrl groups that the launch made, children first. */
  readonly rdt: string[] = [];
  /** Directories of fresh layers that the launch may have made. */
  readonly layers: string[] = [];
  /** How many more siblings will replace the process. */
  successors: number;
  /** Key of an exec's exit record, if the supervisor records it. */
  execKey: ExecKey | undefined;

  constructor(readonly input: LaunchInput) {
    this.successors = opsNamed(input.plan.ops, 'fork').length + opsNamed(input.plan.ops, 'cgroupFork').length;
    this.unitCgroup = input.unitCgroup ?? '';
  }

  /** The pid of runt-init; 0 before the operation `clone`. */
  get pid(): number {
    return this.process?.pid ?? 0;
  }

  /** Path of the state directory. */
  get directory(): string {
    return `${this.input.root}/${this.input.record.id}`;
  }

  fillSlot(slot: number | bigint, fd: number): void {
    this.slots[Number(slot)] = fd >= 0 ? new OwnedFd(fd) : undefined;
  }

  /** Closes what runt-init has and the runtime no longer needs; with a start socket, the channel too. */
  closeShared(): void {
    for (const fd of this.slots.splice(0)) fd?.close();
    if (this.startSocket) this.channel?.close();
    this.startSocket?.close();
    this.startSocket = undefined;
  }

  /** Closes every descriptor of the launch except the pidfd. */
  closeAll(): void {
    this.valueFile.close();
    this.closeShared();
    for (const owned of [this.channel, this.console, this.notify]) owned?.close();
  }

  /** Ends the placeholder of the scope: the container's process is in the scope by now, or never will be. */
  async endPlaceholder(): Promise<void> {
    const { placeholder } = this;
    this.placeholder = undefined;
    await placeholder?.end();
  }
}
