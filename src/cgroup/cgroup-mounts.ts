/** The cgroup mounts in /proc/self/mountinfo (proc_pid_mountinfo(5)). */

export interface CgroupMount {
  readonly id: string;
  readonly parent: string;
  readonly root: string;
  readonly mountPoint: string;
  readonly type: string;
  readonly options: readonly string[];
}

/**
 * The cgroup mounts that a path can reach, those below /sys/fs/cgroup first. mountinfo still lists mounts that a later
 * one covers (a tmpfs over /sys/fs/cgroup leaves the old hierarchies in it). Parses only lines of interest: a host with
 * many containers has thousands.
 */
export function visibleCgroupMounts(mountinfo: string): CgroupMount[] {
  const cgroups = linesWith(mountinfo, ' - cgroup').map(parseMount);
  if (cgroups.length === 0) return [];
  const above = linesWith(mountinfo, ' /sys').map(parseMount);
  const byId = new Map([...above, ...cgroups].map((m) => [m.id, m]));
  // Path resolution goes from each mount to the next one of the chain (m and its parents). A mount between a member of
  // the chain and the next one's mount point, or over m itself, leads elsewhere.
  const isCovered = (m: CgroupMount): boolean => {
    const next = new Map<string, string>([[m.id, `${m.mountPoint}/`]]);
    for (let c = m, parent = byId.get(c.parent); ; c = parent, parent = byId.get(c.parent)) {
      if (next.has(c.parent)) break;
      next.set(c.parent, c.mountPoint);
      if (!parent) break;
    }
    return above.some((n) => {
      const prefix = next.get(n.parent);
      return prefix !== undefined && isBelow(prefix, n.mountPoint);
    });
  };
  const visible = cgroups.filter((m) => (m.type === 'cgroup' || m.type === 'cgroup2') && !isCovered(m));
  const isUsual = (m: CgroupMount) => m.mountPoint === '/sys/fs/cgroup' || isBelow(m.mountPoint, '/sys/fs/cgroup');
  return [...visible.filter(isUsual), ...visible.filter((m) => !isUsual(m))];
}

export const isBelow = (path: string, directory: string): boolean => path.startsWith(`${directory}/`);

/** The lines that contain `needle`, found by native search. */
function linesWith(text: string, needle: string): string[] {
  const lines: string[] = [];
  for (let at = text.indexOf(needle); at >= 0; ) {
    const start = text.lastIndexOf('\n', at) + 1;
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline;
    lines.push(text.slice(start, end));
    at = text.indexOf(needle, end);
  }
  return lines;
}

function parseMount(line: string): CgroupMount {
  const fields = line.split(' ');
  const dash = fields.indexOf('-', 6);
  return {
    id: fields[0] ?? '',
    parent: fields[1] ?? '',
    root: unescapeField(fields[3] ?? ''),
    mountPoint: unescapeField(fields[4] ?? ''),
    type: fields[dash + 1] ?? '',
    options: (fields[dash + 3] ?? '').split(','),
  };
}

/** The kernel escapes space, tab, newline and backslash as three octal digits. */
function unescapeField(field: string): string {
  if (!field.includes('\\')) return field;
  const [head, ...rest] = field.split('\\');
  return head + rest.map((r) => String.fromCharCode(Number.parseInt(r.slice(0, 3), 8)) + r.slice(3)).join('');
}
