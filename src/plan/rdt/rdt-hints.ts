/** Known causes of failures of resctrl groups; the detail is the kernel's own message, if it has one. */
import { E } from '../../sys/errno.js';
import { type Failure, type Failures, type Hint, hintOf } from '../failure/known-cause.js';
import type { rdtTable } from './rdt-ops.js';

export const rdtFailures: Failures<keyof typeof rdtTable> = {
  rdtGroup: { code: 'ERR_RDT', hint: rdtHint },
  rdtMonitor: { code: 'ERR_RDT', hint: rdtHint },
  rdtAssign: { code: 'ERR_RDT', hint: rdtHint },
};

function rdtHint(f: Failure): Hint | undefined {
  const see = 'runtime-spec config-linux.md#intelrdt';
  if (f.syscall === 'schemata') {
    return hintOf(
      'correct the schema, or use another closID: the class that it names is there already, with another schema',
      see,
    );
  }
  switch (f.errno) {
    case E.ENOENT:
      return hintOf('make the class of closID first, or give a schema: the class does not exist', see);
    case E.EEXIST:
      return hintOf(
        'remove the group with rmdir, or use another name: a group of this name is there, of another container or left by one',
        see,
      );
    case E.ENOSPC:
      return hintOf('remove unused resctrl groups: the CPU has no more classes or monitoring ids', see);
    case E.EINVAL:
      return hintOf(
        'correct the schema: the CPU does not take it (info/ of the resctrl file system shows what it has)',
        see,
      );
    case E.EACCES:
    case E.EPERM:
      return hintOf('run runt as root of the host: nobody else may change the resctrl file system', see);
    default:
      return undefined;
  }
}
