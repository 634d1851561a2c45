/** Known causes of failures of resctrl groups; the detail is the kernel's own message, if it has one. */
import { E } from '../../sys/errno.js';
import { because, type Failure, type Failures, type Hint } from '../failure/known-cause.js';
import type { rdtTable } from './rdt-ops.js';

export const rdtFailures: Failures<keyof typeof rdtTable> = {
  rdtGroup: { code: 'ERR_RDT', hint: rdtHint },
  rdtMonitor: { code: 'ERR_RDT', hint: rdtHint },
  rdtAssign: { code: 'ERR_RDT', hint: rdtHint },
};

function rdtHint(f: Failure): Hint | undefined {
  const see = 'runtime-spec config-linux.md#intelrdt';
  if (f.syscall === 'schemata') {
    return because(
      'the class that closID names is there with another schema: correct one of them, or use another class',
      see,
    );
  }
  switch (f.errno) {
    case E.ENOENT:
      return because(
        'closID names a class that is not there, and no schema to make it with is given: make it first',
        see,
      );
    case E.EEXIST:
      return because(
        'a group of this name is there: another container has it, or one that is gone left it (rmdir it)',
        see,
      );
    case E.ENOSPC:
      return because('the CPU has no more classes or monitoring ids: remove groups that are not used', see);
    case E.EINVAL:
      return because('the CPU does not take this schema: see info/ of the resctrl file system for what it has', see);
    case E.EACCES:
    case E.EPERM:
      return because('only root of the host may change the resctrl file system', see);
    default:
      return undefined;
  }
}
