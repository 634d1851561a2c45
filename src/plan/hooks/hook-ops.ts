/** Operations of hooks. */
import { table, type Word } from '../op-shape.js';

export const hookTable = table({
  hookFile: {
    by: 'runtime',
    phase: 'prepare',
    fields: { path: 'str', slot: 'fd' },
    doc: 'open the file that what hooks write is appended to, made when missing (0600); runt-init finds it at slot',
  },
  hookOutput: {
    code: 144,
    by: 'init',
    phase: 'prepare',
    fields: { out: 'fd?', err: 'fd?' },
    doc: 'hooks write to the files at these slots from here on; absent: where they wrote before',
  },
  awaitHooks: {
    code: 76,
    by: 'init',
    phase: 'root and mounts',
    fields: {},
    doc: 'report "hooks"; await the word, with the pid that the runtime sees, once its prestart and createRuntime hooks have run',
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
    doc: 'run a hook to its end, for timeout seconds at most; point and index are its place in hooks; it reads the state, beforePid and afterPid with the pid between them; homeOf as for exec; unless inside, before the switch of root, in the directory of the root with umask 022',
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
