/** The container's group in the resctrl file system, with schemata as the kernel prints them: `L3:0=7f0;1=1f`. */
import type { Op } from '../../../plan/plan-ops.js';
import { E } from '../../../sys/errno.js';
import { RuntError } from '../../../sys/error.js';
import { tryReadText } from '../../../sys/fs.js';
import { host, native } from '../../../sys/host.js';
import { AT_FDCWD, AT_REMOVEDIR, O_CREAT } from '../../../sys/linux.js';
import { checkOp, OpFailed } from '../../failure/op-failed.js';

export type RdtOp = Extract<Op, { op: 'rdtGroup' | 'rdtMonitor' | 'rdtAssign' }>;

/** Performs one operation for the process `pid`. Prepends the directories it makes to `made`. @throws OpFailed */
export function applyRdt(op: RdtOp, pid: number, made: string[]): void {
  switch (op.op) {
    case 'rdtGroup':
      makeGroup(op, made);
      break;
    case 'rdtMonitor':
      checkOp(op, native.mkdirAt(AT_FDCWD, op.path, 0o755), 'mkdir', lastStatus(op.path));
      made.unshift(op.path);
      break;
    case 'rdtAssign':
      for (const path of op.paths) write(op, `${path}/tasks`, `${pid}\n`);
  }
}

function makeGroup(op: Extract<RdtOp, { op: 'rdtGroup' }>, made: string[]): void {
  const isNew = op.make !== 'there' && native.mkdirAt(AT_FDCWD, op.path, 0o755);
  if (isNew === 0) {
    made.unshift(op.path);
    if (op.schemata.length > 0) write(op, `${op.path}/schemata`, `${op.schemata.join('\n')}\n`);
    return;
  }
  if (isNew !== false && (isNew !== -E.EEXIST || op.make === 'new')) checkOp(op, isNew, 'mkdir', lastStatus(op.path));
  checkOp(op, native.access(`${op.path}/tasks`, 0), 'access');
  if (op.schemata.length === 0) return;
  const differs = difference(op.schemata, tryReadText(`${op.path}/schemata`) ?? '');
  if (differs) throw new OpFailed({ op, errno: E.EEXIST, syscall: 'schemata', detail: differs });
}

/** O_CREAT is for tests, whose tree has plain files: in resctrl the kernel makes a directory's files. */
function write(op: RdtOp, path: string, text: string): void {
  const r = native.writeFile(AT_FDCWD, path, O_CREAT, 0o644, host.encode(text));
  if (r < 0) throw new OpFailed({ op, errno: -r, syscall: 'write', detail: lastStatus(path) || path });
}

/** The kernel's last error message: `info/last_cmd_status` of the root, which is above `path`. */
export function lastStatus(path: string): string {
  for (let dir = path; dir.length > 1; dir = dir.slice(0, dir.lastIndexOf('/'))) {
    const status = tryReadText(`${dir}/info/last_cmd_status`);
    if (status !== undefined) return status.trim() === 'ok' ? '' : status.trim();
  }
  return '';
}

/** The first domain whose value differs from the wanted one; '' if none does. */
export function difference(wanted: readonly string[], schemata: string): string {
  const current = new Map(schemata.split('\n').flatMap((line) => domains(line)));
  for (const [domain, value] of wanted.flatMap((line) => domains(line))) {
    if (current.get(domain) !== value) return `${domain} is ${current.get(domain) ?? 'not there'}, not ${value}`;
  }
  return '';
}

/** `L3:0=07f0;1=1f` → L3:0 → 7f0, L3:1 → 1f. */
function domains(line: string): [string, string][] {
  const colon = line.indexOf(':');
  if (colon < 0) return [];
  const resource = line.slice(0, colon).trim();
  return line
    .slice(colon + 1)
    .split(';')
    .map((part) => {
      const [domain = '', value = ''] = part.split('=', 2);
      return [
        `${resource}:${domain.trim()}`,
        value
          .trim()
          .toLowerCase()
          .replace(/^0+(?=.)/, ''),
      ];
    });
}

/** Removes groups; a missing one is not an error. @throws RuntError ERR_RDT */
export function removeRdt(paths: readonly string[]): void {
  for (const path of paths) {
    const r = native.unlinkAt(AT_FDCWD, path, AT_REMOVEDIR);
    if (r < 0 && r !== -E.ENOENT) {
      throw new RuntError({
        code: 'ERR_RDT',
        message: `remove the resctrl group ${path}`,
        path,
        errno: -r,
        syscall: 'rmdir',
      });
    }
  }
}
