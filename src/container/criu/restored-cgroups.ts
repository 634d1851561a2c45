/** The cgroups of a restored container, made as in a create, and criu's entry into them. */
import { indexOfOp, type Plan } from '../../plan/op-list.js';
import type { Op } from '../../plan/plan-ops.js';
import { check, RuntError } from '../../sys/error.js';
import { exists, readText } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import { OpFailed } from '../failure/op-failed.js';
import { applyCgroupOp, type CgroupOp } from '../launch/handlers/cgroup-handler.js';
import type { ContainerRecord } from '../state/state-store.js';

export class RestoredCgroups {
  /** Directories, in the order of their creation. */
  readonly made: string[] = [];
  unitStarted = false;

  constructor(
    private readonly what: string,
    private readonly plan: Plan,
    private readonly record: ContainerRecord,
    /** Refuse cgroups that exist already. */
    private readonly strict: boolean,
  ) {}

  /** Whether they belong to a systemd unit, which starts with a process in it. */
  get isInUnit(): boolean {
    return indexOfOp(this.plan.ops, 'systemdScope') >= 0;
  }

  /** Makes all cgroups with their limits, before criu restores into them. Puts the process into those of a unit. */
  async make(pid: number): Promise<void> {
    const existing = this.strict ? this.record.cgroups.find(exists) : undefined;
    if (existing !== undefined) {
      throw new RuntError({
        code: 'ERR_CGROUP',
        message: `${this.what}: the cgroup exists already, which --manage-cgroups-mode strict forbids`,
        path: existing,
      });
    }
    for (const op of this.plan.ops) {
      if (op.op === 'systemdScope') {
        await (await import('../cgroups/systemd-unit.js')).startScope(op, this.record.unit?.bus, pid);
        this.unitStarted = true;
        this.made.push(op.path);
      }
      if (!isCgroupOp(op)) continue;
      const failed = applyCgroupOp(op, this.made);
      if (failed) throw new OpFailed(failed);
      // A parent must be empty before it can enable controllers.
      if (op.op === 'cgroupCreate' && pid >= 0) this.enter(op.path, pid);
    }
  }

  private enter(directory: string, pid: number): void {
    const path = `${directory}/cgroup.procs`;
    check(native.writeFile(AT_FDCWD, path, 0, 0, host.encode(String(pid))), {
      code: 'ERR_CGROUP',
      message: `${this.what}: put criu into the container's cgroup: write ${path}`,
      path,
      syscall: 'write',
    });
  }

  /** Moves criu into the process's cgroups, where its children start. @returns their paths as in /proc */
  enterAll(pid: number): { ctrl?: string; path: string }[] {
    const { record, plan } = this;
    const cloneCgroup = cloneCgroupOf(plan);
    for (const directory of record.cgroups)
      this.enter(cloneCgroup.startsWith(`${directory}/`) ? cloneCgroup : directory, pid);
    if (record.cgroups.length === 0) return [];
    const lines = readText(`/proc/${pid}/cgroup`)
      .split('\n')
      .map((line) => /^[0-9]+:([^:]*):(.*)$/.exec(line))
      .filter((m) => m !== null);
    // criu identifies each controller of a hierarchy by name. The path without one (v2) is for all unnamed controllers.
    // Without it, criu on a hybrid host would make the checkpoint's cgroup again and leave it.
    return lines.flatMap(([, ctrl = '', path = '']) =>
      ctrl ? ctrl.split(',').map((c) => ({ ctrl: c, path })) : [{ path }],
    );
  }
}

/** The v2 cgroup in which a new process would start; '' if none. */
function cloneCgroupOf({ ops }: Plan): string {
  for (const op of ops) {
    if (op.op === 'clone' && op.cgroup) return op.cgroup;
    if (op.op === 'cgroupFork') return op.path;
    if (op.op === 'cgroupEnter' && op.path.endsWith('/cgroup.procs')) return op.path.slice(0, -'/cgroup.procs'.length);
  }
  return '';
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
