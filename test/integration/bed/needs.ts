/**
 * What a test needs of the machine. A suite whose needs are not met is skipped with the reason. With RUNT_SKIPS set,
 * only the needs that it lists (comma separated, may be empty) may be missing: any other one fails the test (CI).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { suite } from 'uvu';
import { programs, runtPath, top } from './place.js';

/** A controller of cgroup v1 that a test uses; on v2 the kernel always has the freezer and the devices. */
export type Controller = 'cpu' | 'cpuset' | 'memory' | 'pids' | 'blkio' | 'freezer' | 'devices' | 'hugetlb';

const controllers: readonly Controller[] = ['cpu', 'cpuset', 'memory', 'pids', 'blkio', 'freezer', 'devices'];

type Need =
  | 'root'
  | 'runc'
  | 'crun'
  | 'newuidmap'
  | 'open-checkout'
  | 'mount'
  | 'prlimit'
  | 'unshare'
  | 'nsenter'
  | 'useradd'
  | 'flock'
  | 'bash'
  | 'musl-gcc'
  | 'cgroups'
  | 'cgroup-v1'
  | 'cgroup-v2'
  | Controller
  | 'setpriv'
  | `linux-${number}.${number}`
  | 'systemctl'
  | 'systemd'
  | 'programs'
  | 'apparmor'
  | 'apparmor_parser'
  | 'selinux'
  | 'dpkg'
  | 'npm'
  | 'aarch64-linux-gnu-gcc'
  | 'qemu-aarch64-static'
  | 'own-clock'
  | 'ip'
  | 'veth'
  | 'time-namespaces'
  | 'user-namespaces'
  | 'real-time'
  | 'disk'
  | 'numa'
  | 'not-uml'
  | 'at-speed'
  | 'linux32'
  | 'criu'
  | 'dirty-tracking'
  | 'ramdisk'
  | 'sys-resource';

/** An id that owns nothing (user_namespaces(7), /proc/sys/kernel/overflowuid). */
export const nobody = 65534;

/** The full path of a program in PATH, or undefined. */
export function which(name: string): string | undefined {
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(dir || '.', name);
    if (existsSync(path)) return path;
  }
  return undefined;
}

/** Whether every user may go into a directory. */
const isOpen = (dir: string): boolean => (statSync(dir).mode & 1) === 1 && (dir === '/' || isOpen(dirname(dir)));

/** Whether a file says yes. */
function isOn(path: string): boolean {
  try {
    return readFileSync(path, 'utf8').startsWith('Y');
  } catch {
    return false;
  }
}

/** Whether the v1 hierarchy of a controller is mounted where tests look for it. */
function isHierarchy(controller: Controller): boolean {
  try {
    return statfsSync(`/sys/fs/cgroup/${controller}`).type === 0x27e0eb;
  } catch {
    return false;
  }
}

/** Whether controllers are v1 hierarchies, also in the hybrid layout. */
export const hasCgroupV1 = (): boolean => controllers.some(isHierarchy);

/** Whether a container can have that controller. */
export function hasController(controller: Controller): boolean {
  if (hasCgroupV1()) return isHierarchy(controller);
  if (!existsSync('/sys/fs/cgroup/cgroup.controllers')) return false;
  if (controller === 'freezer' || controller === 'devices') return true;
  const name = controller === 'blkio' ? 'io' : controller;
  return readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').trim().split(' ').includes(name);
}

/** Whether cgroup v2 is alone and has the controllers that matter. */
function hasCgroupV2(): boolean {
  try {
    const have = readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').trim().split(' ');
    return ['cpu', 'io', 'memory', 'pids'].every((controller) => have.includes(controller));
  } catch {
    return false;
  }
}

/** Whether the kernel has the driver of virtual network devices in pairs. */
function hasVeth(): boolean {
  return spawnSync('unshare', ['-n', 'ip', 'link', 'add', 'type', 'veth'], { stdio: 'ignore' }).status === 0;
}

/** The numbers of a whole disk, which takes limits. */
export function disk(): { major: number; minor: number } | undefined {
  const named = (names: string) =>
    new RegExp(`^ *(\\d+) +(\\d+) +\\d+ +(?:${names})$`, 'm').exec(readFileSync('/proc/partitions', 'utf8'));
  const found = named('(?:v|s|xv|ub)d[a-z]|nvme\\d+n\\d+|mmcblk\\d+') ?? named('(?:zram|loop|ram)\\d+');
  return found ? { major: Number(found[1]), minor: Number(found[2]) } : undefined;
}

/** Whether a process may be real-time: on v1 its cgroup can be given time, on v2 only without CONFIG_RT_GROUP_SCHED. */
function hasRealTime(): boolean {
  if (existsSync('/sys/fs/cgroup/cpu/cpu.rt_runtime_us')) {
    // A nested cgroup may have none to give away.
    const made = `/sys/fs/cgroup/cpu/runt-tests-${process.pid}`;
    try {
      mkdirSync(made);
      writeFileSync(join(made, 'cpu.rt_runtime_us'), '20000');
      return true;
    } catch {
      return false;
    } finally {
      if (existsSync(made)) rmdirSync(made);
    }
  }
  return spawnSync('chrt', ['-f', '10', 'true'], { stdio: 'ignore' }).status === 0;
}

/** Whether the kernel is that old or newer: "6.15". */
function isLinux(version: string): boolean {
  const [wanted = 0, now = 0] = [version, release()].map((text) => {
    const [major = 0, minor = 0] = text.split('.').map((part) => Number.parseInt(part, 10));
    return major * 1000 + minor;
  });
  return now >= wanted;
}

let criuSaid: string | undefined | null = null;
/** Why criu cannot work here: "criu check" tells. */
function whyNoCriu(): string | undefined {
  if (criuSaid !== null) return criuSaid;
  const { stdout, stderr, status, error } = spawnSync('criu', ['check'], { encoding: 'utf8' });
  const said = `${stdout ?? ''}${stderr ?? ''}`.split('\n').find((line) => line.includes('Error'));
  if (error) criuSaid = 'criu: criu is not in PATH (hack/vm --qemu has it)';
  else criuSaid = status === 0 ? undefined : `criu: "criu check" fails: ${said ?? `status ${status}`}`;
  return criuSaid;
}

/** Why a need is not met; undefined when it is. */
export function missing(need: Need): string | undefined {
  if (need.startsWith('linux-'))
    return isLinux(need.slice('linux-'.length)) ? undefined : `${need}: this is Linux ${release()}`;
  switch (need) {
    case 'apparmor':
      return isOn('/sys/module/apparmor/parameters/enabled') ? undefined : 'apparmor: the kernel has it not on';
    case 'selinux':
      return existsSync('/etc/selinux.policy') &&
        readFileSync('/proc/self/attr/current', 'latin1').includes(':kernel_t:')
        ? undefined
        : 'selinux: not on with the policy of hack/vm --lsm selinux';
    case 'root':
      return process.geteuid?.() === 0 ? undefined : 'root: not root';
    case 'open-checkout':
      return isOpen(top)
        ? undefined
        : 'open-checkout: ordinary users do not reach the checkout (hack/test.mjs needs mount and unshare to bind it elsewhere)';
    case 'own-clock':
      return existsSync('/run/vm/ctl')
        ? undefined
        : 'own-clock: the clock is set only in a machine of its own (hack/vm)';
    case 'cgroups':
      return hasCgroupV1() || hasCgroupV2() ? undefined : 'cgroups: neither v1 hierarchies nor v2 with its controllers';
    case 'cgroup-v1': {
      const absent = controllers.filter((controller) => !isHierarchy(controller));
      const all = absent.length === controllers.length;
      if (absent.length === 0) return undefined;
      return `cgroup-v1: ${all ? 'there are no v1 hierarchies' : `no v1 hierarchy at /sys/fs/cgroup/${absent[0]}`}`;
    }
    case 'cpu':
    case 'cpuset':
    case 'memory':
    case 'pids':
    case 'blkio':
    case 'freezer':
    case 'devices':
    case 'hugetlb':
      return hasController(need) ? undefined : `${need}: no cgroup has this controller`;
    case 'cgroup-v2':
      return hasCgroupV2()
        ? undefined
        : 'cgroup-v2: /sys/fs/cgroup is not v2 with cpu, io, memory and pids (hack/vm is)';
    case 'programs':
      return existsSync(programs)
        ? undefined
        : `programs: ${programs} is not there: hack/test.mjs builds it with musl-gcc`;
    case 'systemd':
      return existsSync('/run/systemd/private') ? undefined : 'systemd: it does not run here (hack/vm has it)';
    case 'not-uml':
      return readFileSync('/proc/cpuinfo', 'utf8').includes('User Mode Linux')
        ? 'not-uml: User Mode Linux panics when a fork is interrupted'
        : undefined;
    case 'at-speed':
      return /User Mode Linux|QEMU TCG/.test(readFileSync('/proc/cpuinfo', 'utf8'))
        ? 'at-speed: system calls, or all that a program does, take ten times as long in this machine'
        : undefined;
    case 'veth':
      return hasVeth() ? undefined : 'veth: this kernel makes no pair of virtual network devices';
    case 'time-namespaces':
      return existsSync('/proc/self/ns/time') ? undefined : 'time-namespaces: this kernel has none';
    case 'user-namespaces': {
      const caller = process.geteuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
      const { status, stderr, error } = spawnSync('unshare', ['-Ur', 'true'], { ...caller, encoding: 'utf8' });
      const why = error?.message ?? stderr?.trim();
      return status === 0 ? undefined : `user-namespaces: an ordinary user may make none: ${why}`;
    }
    case 'real-time':
      return hasRealTime() ? undefined : 'real-time: a cgroup gets no time for real-time processes';
    case 'disk':
      return disk() ? undefined : 'disk: /proc/partitions has no disk on which tests can put limits';
    case 'numa':
      return existsSync('/proc/self/numa_maps') ? undefined : 'numa: the kernel was built without NUMA';
    case 'criu':
      return whyNoCriu();
    case 'sys-resource':
      return /^CapEff:\s*[0-9a-f]{9}[13579bdf]/m.test(readFileSync('/proc/self/status', 'utf8'))
        ? undefined
        : 'sys-resource: without CAP_SYS_RESOURCE no pipe holds more than the limit';
    case 'dirty-tracking':
      return spawnSync('criu', ['check', '--feature', 'mem_dirty_track'], { stdio: 'ignore' }).status === 0
        ? undefined
        : 'dirty-tracking: the kernel does not tell criu which memory has changed';
    case 'ramdisk': {
      // Only a machine of our own gets directories there.
      const verb = existsSync('/run/vm/ctl') ? 'make' : 'check';
      const args = ['-m', '--propagation', 'private', join(programs, 'ramdisk'), verb];
      return spawnSync('unshare', args, { stdio: 'ignore' }).status === 0
        ? undefined
        : 'ramdisk: the root file system that the kernel began with lacks /dev, /proc, /root or /sys (hack/vm makes them)';
    }
    case 'linux32': {
      const machine = spawnSync('setarch', ['linux32', 'uname', '-m'], { encoding: 'utf8' }).stdout?.trim();
      return machine && machine !== 'x86_64' ? undefined : `linux32: the kernel calls itself ${machine} to it too`;
    }
    default:
      return which(need) ? undefined : `${need}: ${need} is not in PATH`;
  }
}

/** A uvu suite whose tests run only when dist/runt is there and all needs are met. */
export function needing(name: string, ...needs: Need[]): ReturnType<typeof suite> {
  const test = suite(name);
  const reasons = needs.map(missing).filter((reason) => reason !== undefined);
  if (!existsSync(runtPath)) reasons.unshift(`runt: ${runtPath} is not built`);
  if (reasons.length === 0) return test;
  const allowed = process.env.RUNT_SKIPS?.split(',');
  const unexpected = allowed && reasons.filter((reason) => !allowed.includes(reason.split(':')[0]!));
  if (unexpected && unexpected.length > 0) {
    test(`needs ${unexpected.join('; ')}`, () => {
      throw new Error(`skip not expected (RUNT_SKIPS=${process.env.RUNT_SKIPS}): ${unexpected.join('; ')}`);
    });
    return Object.assign(() => {}, test, { run: test.run, skip: () => {}, only: () => {} }) as unknown as typeof test;
  }
  process.stdout.write(`# skip ${name}: ${reasons.join('; ')}\n`);
  return Object.assign((title: string) => test.skip(title), test, { only: test.skip }) as unknown as typeof test;
}
