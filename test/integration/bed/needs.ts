/**
 * What a test needs of the machine. A suite whose needs are not met is skipped, with the reason. If RUNT_SKIPS is set,
 * only the needs that it lists (comma separated, may be empty) may be missing: any other one fails the test (CI).
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { release, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { suite } from 'uvu';
import { programs, runtPath, top } from './place.js';

/** A controller of cgroup v1 that a test uses; v2 always has the freezer and device filters. */
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
  | 'strace'
  | 'bash'
  | 'jq'
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
  | 'cni'
  | 'pasta'
  | 'slirp4netns'
  | 'iptables-save'
  | 'time-namespaces'
  | 'user-namespaces'
  | 'real-time'
  | 'disk'
  | 'numa'
  | 'not-uml'
  | 'at-speed'
  | 'linux32'
  | 'chromium'
  | 'xterm'
  | 'criu'
  | 'grpcurl'
  | 'grpcio-tools'
  | 'dirty-tracking'
  | 'ramdisk'
  | 'kdevtmpfs'
  | 'sys-resource'
  | 'python3'
  | 'acls';

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

/** Whether every user may search a directory and its parents. */
const isOpen = (dir: string): boolean => (statSync(dir).mode & 1) === 1 && (dir === '/' || isOpen(dirname(dir)));

/** Whether a file of sysfs begins with "Y". */
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

/** Whether some controller is a v1 hierarchy, also in the hybrid layout. */
export const hasCgroupV1 = (): boolean => controllers.some(isHierarchy);

/** Whether a container can have that controller. */
export function hasController(controller: Controller): boolean {
  if (hasCgroupV1()) return isHierarchy(controller);
  if (!existsSync('/sys/fs/cgroup/cgroup.controllers')) return false;
  if (controller === 'freezer' || controller === 'devices') return true;
  const name = controller === 'blkio' ? 'io' : controller;
  return readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').trim().split(' ').includes(name);
}

/** Whether cgroup v2 is mounted alone and has the controllers that tests use. */
function hasCgroupV2(): boolean {
  try {
    const have = readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').trim().split(' ');
    return ['cpu', 'io', 'memory', 'pids'].every((controller) => have.includes(controller));
  } catch {
    return false;
  }
}

/** Whether the kernel can make pairs of virtual network devices (veth(4)). */
export function hasVeth(): boolean {
  return spawnSync('unshare', ['-n', 'ip', 'link', 'add', 'type', 'veth'], { stdio: 'ignore' }).status === 0;
}

/** The device number of a whole disk, to which I/O limits apply. */
export function disk(): { major: number; minor: number } | undefined {
  const named = (names: string) =>
    new RegExp(`^ *(\\d+) +(\\d+) +\\d+ +(?:${names})$`, 'm').exec(readFileSync('/proc/partitions', 'utf8'));
  const found = named('(?:v|s|xv|ub)d[a-z]|nvme\\d+n\\d+|mmcblk\\d+') ?? named('(?:zram|loop|ram)\\d+');
  return found ? { major: Number(found[1]), minor: Number(found[2]) } : undefined;
}

/**
 * Whether a process may be real-time: on v1 its cgroup needs real-time runtime; on v2 only without
 * CONFIG_RT_GROUP_SCHED.
 */
function hasRealTime(): boolean {
  if (existsSync('/sys/fs/cgroup/cpu/cpu.rt_runtime_us')) {
    // The parent of a nested cgroup may have no real-time runtime left.
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

/** Whether the process is there and has this name. */
function isNamed(pid: string, name: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8') === `${name}\n`;
  } catch {
    return false;
  }
}

/** Whether the kernel is at least `version`, e.g. "6.15". */
function isLinux(version: string): boolean {
  const [wanted = 0, now = 0] = [version, release()].map((text) => {
    const [major = 0, minor = 0] = text.split('.').map((part) => Number.parseInt(part, 10));
    return major * 1000 + minor;
  });
  return now >= wanted;
}

let criuSaid: string | undefined | null = null;
/** Why criu cannot work here, as "criu check" reports it; undefined if it can. */
function whyNoCriu(): string | undefined {
  if (criuSaid !== null) return criuSaid;
  const { stdout, stderr, status, error } = spawnSync('criu', ['check'], { encoding: 'utf8' });
  const said = `${stdout ?? ''}${stderr ?? ''}`.split('\n').find((line) => line.includes('Error'));
  if (error) criuSaid = 'criu: criu is not in PATH (hack/vm --qemu has it)';
  else criuSaid = status === 0 ? undefined : `criu: "criu check" fails: ${said ?? `status ${status}`}`;
  return criuSaid;
}

/** Why a test can set no POSIX ACLs, or cannot read them; undefined if it can. Not every file system has them. */
function whyNoAcls(): string | undefined {
  const dir = mkdtempSync(join(tmpdir(), 'runt-acls-'));
  const set = `import os, struct, sys
acl = struct.pack('<IHHIHHIHHI', 2, 1, 6, 0xffffffff, 4, 4, 0xffffffff, 32, 4, 0xffffffff)
os.setxattr(sys.argv[1], 'system.posix_acl_access', acl)`;
  const { status, stderr, error } = spawnSync('python3', ['-c', set, dir], { encoding: 'utf8' });
  rmdirSync(dir);
  return status === 0 ? undefined : `acls: ${error?.message ?? stderr.trim().split('\n').at(-1)}`;
}

/** Why a need is not met; undefined if it is met. */
export function missing(need: Need): string | undefined {
  if (need.startsWith('linux-'))
    return isLinux(need.slice('linux-'.length)) ? undefined : `${need}: this is Linux ${release()}`;
  switch (need) {
    case 'apparmor':
      return isOn('/sys/module/apparmor/parameters/enabled') ? undefined : 'apparmor: the kernel does not enable it';
    case 'selinux':
      return existsSync('/etc/selinux.policy') &&
        readFileSync('/proc/self/attr/current', 'latin1').includes(':kernel_t:')
        ? undefined
        : 'selinux: not enabled with the policy of hack/vm --lsm selinux';
    case 'root':
      return process.geteuid?.() === 0 ? undefined : 'root: not root';
    case 'open-checkout':
      return isOpen(top)
        ? undefined
        : 'open-checkout: ordinary users cannot reach the checkout (hack/test.mjs needs mount and unshare to bind it elsewhere)';
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
        : 'cgroup-v2: /sys/fs/cgroup is not v2 with cpu, io, memory and pids (hack/vm has it)';
    case 'programs':
      return existsSync(programs)
        ? undefined
        : `programs: ${programs} does not exist: hack/test.mjs builds it with musl-gcc`;
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
      return hasVeth() ? undefined : 'veth: this kernel cannot make pairs of virtual network devices';
    case 'cni':
      return existsSync('/usr/lib/cni/firewall')
        ? undefined
        : 'cni: no CNI plugins in /usr/lib/cni (Debian: containernetworking-plugins)';
    case 'time-namespaces':
      return existsSync('/proc/self/ns/time') ? undefined : 'time-namespaces: this kernel has none';
    case 'user-namespaces': {
      const caller = process.geteuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
      const { status, stderr, error } = spawnSync('unshare', ['-Ur', 'true'], { ...caller, encoding: 'utf8' });
      const why = error?.message ?? stderr?.trim();
      return status === 0 ? undefined : `user-namespaces: an ordinary user cannot make one: ${why}`;
    }
    case 'real-time':
      return hasRealTime() ? undefined : 'real-time: a cgroup gets no real-time runtime';
    case 'disk':
      return disk() ? undefined : 'disk: /proc/partitions has no disk on which tests can put limits';
    case 'numa':
      return existsSync('/proc/self/numa_maps') ? undefined : 'numa: the kernel was built without NUMA';
    case 'grpcio-tools':
      return spawnSync('python3', ['-c', 'import grpc_tools'], { stdio: 'ignore' }).status === 0
        ? undefined
        : 'grpcio-tools: python3 has no module grpc_tools';
    case 'xterm':
      return existsSync(join(top, 'node_modules/@xterm/xterm')) ? undefined : 'xterm: npm has not installed xterm.js';
    case 'criu':
      return whyNoCriu();
    case 'sys-resource':
      return /^CapEff:\s*[0-9a-f]{9}[13579bdf]/m.test(readFileSync('/proc/self/status', 'utf8'))
        ? undefined
        : 'sys-resource: without CAP_SYS_RESOURCE no pipe holds more than the limit';
    case 'acls':
      return whyNoAcls();
    case 'dirty-tracking':
      return spawnSync('criu', ['check', '--feature', 'mem_dirty_track'], { stdio: 'ignore' }).status === 0
        ? undefined
        : 'dirty-tracking: the kernel does not track for criu which memory has changed';
    case 'ramdisk': {
      // Directories are made there only in a machine of our own.
      const verb = existsSync('/run/vm/ctl') ? 'make' : 'check';
      const args = ['-m', '--propagation', 'private', join(programs, 'ramdisk'), verb];
      return spawnSync('unshare', args, { stdio: 'ignore' }).status === 0
        ? undefined
        : 'ramdisk: the initial root file system of the kernel lacks /dev, /proc, /root or /sys (hack/vm makes them)';
    }
    case 'kdevtmpfs':
      return readdirSync('/proc').some((pid) => /^\d+$/.test(pid) && isNamed(pid, 'kdevtmpfs'))
        ? undefined
        : 'kdevtmpfs: this pid namespace has no kernel threads, or the kernel has no devtmpfs';
    case 'linux32': {
      const machine = spawnSync('setarch', ['linux32', 'uname', '-m'], { encoding: 'utf8' }).stdout?.trim();
      return machine && machine !== 'x86_64'
        ? undefined
        : `linux32: the kernel reports the machine ${machine} there too`;
    }
    default:
      return which(need) ? undefined : `${need}: ${need} is not in PATH`;
  }
}

/** A uvu suite whose tests run only if dist/runt exists and all needs are met. */
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
