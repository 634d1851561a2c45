/** What one launch has made so far, and what its operations need to know. */
import type { HostFacts } from '../../plan/host-facts.js';
import type { Op, Plan } from '../../plan/plan-ops.js';
import type { Spec } from '../../spec/config-types.js';
import { OwnedFd } from '../../sys/fds.js';
import type { Placeholder } from '../cgroups/systemd-unit.js';
import type { Executed } from '../state/exit-records.js';
import type { ContainerRecord } from '../state/state-store.js';
import type { NetDevices } from './handlers/network-handler.js';
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
  /** The config as it was read, to be kept. */
  readonly config?: Uint8Array;
  readonly trace: boolean;
  readonly preserveFds: number;
  /** The cgroup that systemd has to move the process into, because its user may not. */
  readonly unitCgroup?: string;
  /** `exec`: the container is there, its record stays as it is. */
  readonly exec?: boolean;
  /** Receives a poststop hook's failure, and what an undo could not remove. */
  readonly warn?: (sentence: string) => void;
  /** Where the kernel counts the processes that it killed for memory; empty for nowhere. */
  readonly oomFile: string;
  /** Descriptors that become 0, 1 and 2; those of this process when absent. Only a supervisor can pass them. */
  readonly stdio?: Stdio;
  /** The container has a supervisor, which starts this process. */
  readonly supervised?: boolean;
}

/** runt-init, or the process that it goes on as. */
interface InitProcess {
  readonly pid: number;
  readonly pidfd: OwnedFd;
}

/** Whether a process ends with this operation, and a sibling that it makes goes on. */
const goesOn = ({ op }: Op): boolean => op === 'fork' || op === 'cgroupFork';

export class LaunchResources {
  process: InitProcess | undefined;
  channel: InitChannel | undefined;
  /** Receives the terminal's master, unless a console socket does (op `consolePair`). */
  console: OwnedFd | undefined;
  /** The socket on which the process says that it is ready (op `notifyDirectory`). */
  notify: OwnedFd | undefined;
  startSocket: OwnedFd | undefined;
  /** By slot number. */
  readonly slots: (OwnedFd | undefined)[] = [];
  /** The state directory is there. */
  stateDirectory = false;
  supervisor: Supervisor | undefined;
  netDevices: NetDevices | undefined;
  placeholder: Placeholder | undefined;
  /** systemd has started the record's unit. */
  unitStarted = false;
  /** The cgroup that systemd moves the process into; '' when the process enters by itself. */
  unitCgroup: string;
  /** Cgroups that were made, children last. */
  readonly cgroups: string[] = [];
  /** resctrl groups that were made, those below first. */
  readonly rdt: string[] = [];
  /** How many times the process will still go on as a sibling. */
  successors: number;
  /** Of an exec that a supervisor records: the key of its record. */
  executed: Executed | undefined;

  constructor(readonly input: LaunchInput) {
    this.successors = input.plan.ops.filter(goesOn).length;
    this.unitCgroup = input.unitCgroup ?? '';
  }

  /** The pid of runt-init, of which there is one once the operation `clone` is done. */
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

  /** Closes what runt-init has and the runtime needs no more; with a start socket that is the channel, too. */
  closeShared(): void {
    for (const fd of this.slots.splice(0)) fd?.close();
    if (this.startSocket) this.channel?.close();
    this.startSocket?.close();
    this.startSocket = undefined;
  }

  /** Closes every descriptor of the launch but the pidfd. */
  closeAll(): void {
    this.closeShared();
    for (const owned of [this.channel, this.console, this.notify]) owned?.close();
  }

  /** Ends the process that holds the scope's cgroup: the container's process is in the scope by now, or never will be. */
  async endPlaceholder(): Promise<void> {
    const { placeholder } = this;
    this.placeholder = undefined;
    await placeholder?.end();
  }
}
