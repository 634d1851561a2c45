/** Cgroup hierarchies of the fake kernel: directories that are made with their files. */
import { E } from '../../../src/sys/errno.js';
import { CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, SIGKILL } from '../../../src/sys/linux.js';
import type { FakeKernel } from './fake-kernel.js';
import type { FileHooks, Inode } from './file-tree.js';
import type { FakeProcess } from './processes.js';

interface Hierarchy {
  /** As in /proc/PID/cgroup: `freezer`, `cpu,cpuacct`; empty for v2. */
  readonly controllers: string;
  /** Additional files of each new cgroup, with their initial text. */
  readonly files?: Readonly<Record<string, string>>;
}

/**
 * Mounts a hierarchy, with all processes in its top. A cgroup freezes and kills its processes and those below; its
 * other files are plain files. @returns the top
 */
export function mountCgroups(kernel: FakeKernel, path: string, { controllers, files = {} }: Hierarchy): Inode {
  const v2 = controllers === '';
  const { tree, processes } = kernel;
  const frozen = new Set<Inode>();
  const cgroupOf = (process: FakeProcess): Inode | undefined => process.cgroups.get(top.fs);
  const isFrozen = (cgroup: Inode | undefined): boolean =>
    cgroup !== undefined && (frozen.has(cgroup) || (cgroup !== top && isFrozen(cgroup.parent)));
  const isWithin = (cgroup: Inode | undefined, above: Inode): boolean =>
    cgroup !== undefined && (cgroup === above || (cgroup !== top && isWithin(cgroup.parent, above)));
  const living = (): FakeProcess[] => processes.list.filter((process) => !process.end);
  const within = (above: Inode): FakeProcess[] => living().filter((process) => isWithin(cgroupOf(process), above));

  const freeze = (cgroup: Inode, on: boolean): number => {
    if (on) frozen.add(cgroup);
    else frozen.delete(cgroup);
    for (const process of within(cgroup)) if (!process.frozen()) process.thawed();
    return 0;
  };
  const move = (cgroup: Inode, text: string): number => {
    const pid = Number(text);
    const process = pid === 0 ? processes.own : processes.get(pid);
    if (!process || process.end) return -E.ESRCH;
    process.cgroups.set(cgroup.fs, cgroup);
    return 0;
  };
  const enter = (process: FakeProcess): void => {
    if (!cgroupOf(process)) process.cgroups.set(top.fs, top);
    // A frozen process of v2 can be killed, one of v1 receives no signal.
    if (!v2 && controllers.includes('freezer')) process.frozen = () => isFrozen(cgroupOf(process));
  };
  const hooks = (cgroup: Inode): Record<string, FileHooks> => {
    const member = {
      read: () =>
        living()
          .filter((process) => cgroupOf(process) === cgroup)
          .map((process) => `${process.pid}\n`)
          .join(''),
      write: (text: string) => move(cgroup, text),
    };
    if (!v2 && !controllers.includes('freezer')) return { 'cgroup.procs': member, tasks: member };
    if (!v2) {
      const state = {
        read: () => (isFrozen(cgroup) ? 'FROZEN\n' : 'THAWED\n'),
        write: (text: string) => freeze(cgroup, text.trim() === 'FROZEN'),
      };
      return { 'cgroup.procs': member, tasks: member, 'freezer.state': state };
    }
    if (cgroup.covered) return { 'cgroup.procs': member };
    const events = () => `populated ${Number(within(cgroup).length > 0)}\nfrozen ${Number(isFrozen(cgroup))}\n`;
    const kill = () => {
      for (const process of within(cgroup)) process.signal(SIGKILL);
      return 0;
    };
    return {
      'cgroup.procs': member,
      'cgroup.events': { read: events },
      'cgroup.freeze': {
        read: () => `${Number(frozen.has(cgroup))}\n`,
        write: (text) => freeze(cgroup, text.trim() === '1'),
      },
      'cgroup.kill': { write: kill },
    };
  };

  const top = tree.mount(path, {
    magic: BigInt(v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC),
    hierarchy: controllers,
    made(cgroup) {
      for (const [name, hook] of Object.entries(hooks(cgroup))) tree.file(`${cgroup.path}/${name}`, hook, 0o644);
      for (const [name, text] of Object.entries(files)) tree.file(`${cgroup.path}/${name}`, text, 0o644);
    },
    removable(cgroup) {
      const below = [...(cgroup.entries?.values() ?? [])].some((inode) => inode.entries);
      return below || within(cgroup).length > 0 ? -E.EBUSY : 0;
    },
  });
  for (const process of living()) enter(process);
  processes.onChange.push((process, gone) => {
    if (!gone) enter(process);
  });
  return top;
}
