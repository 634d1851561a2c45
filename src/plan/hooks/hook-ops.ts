/** Operations of hooks. */
import { table, type Word } from '../op-shape.js';

export const hookTable = table({
  hookFile: {
    by: 'runtime',
    phase: 'prepare',
    fields: { path: 'str', slot: 'fd' },
    doc: 'open the file to which the output of hooks is appended, created if missing (0600); runt-init finds it at slot',
  },
  hookOutput: {
    code: 144,
    by: 'init',
    phase: 'prepare',
    fields: { out: 'fd?', err: 'fd?' },
    doc: 'redirect the output of later hooks to the files at these slots; absent: no change',
  },
  awaitHooks: {
    code: 76,
    by: 'init',
    phase: 'root and mounts',
    fields: {},
    doc: 'report "hooks"; await the message, with the pid as the runtime sees it, after its prestart and createRuntime hooks',
  },
  hook: {
    code: 77,
    by: 'init',
    phase: 'start',
    fields: {
      point: 'str' as Word<'createContainer' | 'startContainer'>,
      index: 'int',
      path: 'str',
      args: 'list',
      env: 'list',
      homeOf: 'int?',
      timeout: 'int?',
      beforePid: 'str',
      afterPid: 'str',
      inside: 'bool',
    },
    doc: 'run a hook for at most timeout seconds; point and index are its position in hooks; it reads the state: beforePid, the pid, afterPid; homeOf as for exec; unless inside, before the switch of root, in the directory of the root with umask 022',
  },
  hostHook: {
    by: 'runtime',
    phase: 'start',
    fields: {
      point: 'str' as Word<'prestart' | 'createRuntime' | 'poststart' | 'poststop'>,
      index: 'int',
      path: 'str',
      args: 'list',
      timeout: 'int?',
    },
    doc: 'run a hook in the namespaces of the runtime: prestart and createRuntime while init is in awaitHooks, poststart after the exec, poststop after the delete; point, index and timeout as for hook',
  },
});
