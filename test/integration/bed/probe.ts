/**
 * What a container sees of itself: one shell script that runs inside, and its output as values that can be compared.
 */
import { readlinkSync } from 'node:fs';

/** Prints every fact in a section of its own. Reads process 1 where possible, not the children of the shell. */
export const probeScript = `
section() { echo "%% $1"; }
section mountinfo; cat /proc/1/mountinfo
section status; cat /proc/1/status
section limits; cat /proc/1/limits
section environ; tr '\\0' '\\n' </proc/1/environ
section devices; cd /dev; for f in $(find . ! -path './shm/*' ! -path './pts/[0-9]*' | sort); do stat -c '%n|%F|%t:%T|%a|%u:%g' "$f"; done
section links; for f in $(find . -type l | sort); do echo "$f $(readlink "$f")"; done; cd /
section cgroup; cat /proc/1/cgroup
section cgroupTree; ls /sys/fs/cgroup 2>/dev/null
section namespaces; for n in cgroup ipc mnt net pid user uts; do readlink /proc/1/ns/$n; done
section maps; cat /proc/1/uid_map /proc/1/gid_map /proc/1/setgroups
section stat; sed 's/.*) //' /proc/1/stat | cut -d' ' -f2-4
section fds; ls /proc/1/fd
section cwd; readlink /proc/1/cwd
section exe; readlink /proc/1/exe; readlink /proc/1/root
section umask; umask
section id; id
section hostname; hostname
section oom; cat /proc/1/oom_score_adj
section links-up; cat /sys/class/net/lo/operstate /sys/class/net/lo/flags; ls /sys/class/net
section masked; for p in /proc/acpi /proc/asound /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/timer_stats /proc/sched_debug /sys/firmware /proc/scsi; do
  if [ -d $p ]; then echo "$p directory $(ls $p 2>&1 | wc -l)"; elif [ -e $p ]; then echo "$p $(wc -c <$p 2>&1)"; else echo "$p missing"; fi; done
section write; for p in /x /dev/x /dev/shm/x /proc/sys/kernel/domainname /proc/sysrq-trigger /sys/x /sys/fs/cgroup/x /tmp/x; do
  if ( : >>$p ) 2>/dev/null; then echo "$p writable"; else echo "$p no"; fi; done
section sysctl; cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ping_group_range /proc/sys/kernel/msgmax
section end
`;

export type Value = string | number | Value[] | { [key: string]: Value };

/** Names that differ from run to run, each with its replacement. */
interface Stand {
  [text: string]: string;
}

function sections(output: string): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  let lines: string[] = [];
  for (const line of output.split('\n')) {
    if (line.startsWith('%% ')) {
      lines = [];
      found[line.slice(3)] = lines;
    } else if (line !== '') lines.push(line);
  }
  if (!found.end) throw new Error(`the probe did not reach its end:\n${output}`);
  return found;
}

/** Mount options that no config requested: the kernel sets them by its configuration, and for SELinux. */
const byTheKernel = new Set(['inode64', 'seclabel']);

/** One line of mountinfo (proc(5)) as a target and its facts; peer group numbers are left out. */
export function parseMount(line: string): { target: string; facts: { [key: string]: Value } } {
  const dash = line.indexOf(' - ');
  const [, , , root, target, flags, ...optional] = line.slice(0, dash).split(' ');
  const [type, source, superOptions] = line.slice(dash + 3).split(' ');
  return {
    target: target!,
    facts: {
      root: root!,
      type: type!,
      source: source!,
      flags: flags!.split(',').sort(),
      options: (superOptions ?? '')
        .split(',')
        .filter((word) => !byTheKernel.has(word))
        .sort(),
      propagation: optional.map((o) => o.split(':')[0]!).sort(),
    },
  };
}

/** Lines of /proc/pid/status that a runtime decides; the others are memory, times and pids. */
const STATUS =
  /^(Uid|Gid|Groups|Cap\w+|NoNewPrivs|Seccomp\w*|Sig(Blk|Ign|Cgt)|Umask|Threads|NSpid|NSpgid|NSsid|Speculation_Store_Bypass):/;

/**
 * Drops signals 32 and 33, which belong to the C library: whether they are ignored depends on what started the tests.
 */
function withoutLibrarySignals(line: string): string {
  return line.replace(/^(SigIgn:\s*)(\w+)$/, (_, name, mask) => {
    return name + (BigInt(`0x${mask}`) & ~(3n << 31n)).toString(16).padStart(16, '0');
  });
}

/** The output of the script as one value; `stand` replaces names that always differ. */
export function parseProbe(output: string, stand: Stand = {}): { [key: string]: Value } {
  let text = output;
  for (const [what, name] of Object.entries(stand)) text = text.replaceAll(what, name);
  const s = sections(text);
  const mounts: { [key: string]: Value } = {};
  for (const line of s.mountinfo!) {
    const { target, facts } = parseMount(line);
    let key = target;
    for (let n = 2; key in mounts; n++) key = `${target} (${n})`;
    mounts[key] = facts;
  }
  const byFirst = (lines: string[], separator: string): { [key: string]: Value } =>
    Object.fromEntries(
      lines.map((line) => {
        const at = line.indexOf(separator);
        return [line.slice(0, at), line.slice(at + separator.length).trim()];
      }),
    );
  return {
    mounts,
    status: byFirst(s.status!.filter((line) => STATUS.test(line)).map(withoutLibrarySignals), ':'),
    limits: Object.fromEntries(
      s.limits!.slice(1).map((line) => [line.slice(0, 26).trim(), line.slice(26).trim().split(/ +/)]),
    ),
    environ: [...s.environ!].sort(),
    devices: byFirst(s.devices!, '|'),
    links: byFirst(s.links!, ' '),
    cgroup: Object.fromEntries(s.cgroup!.map((line) => [line.split(':')[1]!, line.split(':').slice(2).join(':')])),
    cgroupTree: s.cgroupTree!,
    namespaces: Object.fromEntries(
      s.namespaces!.map((link) => {
        const kind = link.split(':')[0]!;
        return [kind, link === readlinkSync(`/proc/self/ns/${kind}`) ? 'of the host' : 'new'];
      }),
    ),
    maps: s.maps!.map((line) => line.trim().replaceAll(/ +/g, ' ')),
    stat: s.stat!,
    fds: s.fds!,
    cwd: s.cwd!,
    exe: s.exe!,
    umask: s.umask!,
    id: s.id!,
    hostname: s.hostname!,
    oom: s.oom!,
    lo: s['links-up']!,
    masked: byFirst(s.masked!, ' '),
    write: byFirst(s.write!, ' '),
    sysctl: s.sysctl!,
  };
}

/** A path at which two values differ; a missing value is undefined. */
export interface Difference {
  at: string;
  a?: Value;
  b?: Value;
}

/** All differences of two values, by path; lists are compared as a whole. */
export function differences(a: Value | undefined, b: Value | undefined, at = ''): Difference[] {
  const isMap = (v: Value | undefined): v is { [key: string]: Value } => typeof v === 'object' && !Array.isArray(v);
  if (isMap(a) && isMap(b)) {
    return [...new Set([...Object.keys(a), ...Object.keys(b)])]
      .sort()
      .flatMap((key) => differences(a[key], b[key], at === '' ? key : `${at} ${key}`));
  }
  if (JSON.stringify(a) === JSON.stringify(b)) return [];
  return [{ at, ...(a === undefined ? {} : { a }), ...(b === undefined ? {} : { b }) }];
}
