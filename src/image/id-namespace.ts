/** The user namespace of the container, for the program that unpacks its files: these get the ids that it maps. */

import { runIdMapHelper } from '../container/launch/handlers/id-map-helper.js';
import { withUserNamespace } from '../container/launch/handlers/id-map-namespace.js';
import { readHostFacts } from '../container/launch/read-host-facts.js';
import { idMapOps } from '../plan/ids/id-map-compile.js';
import type { Spec } from '../spec/config-types.js';
import { check } from '../sys/error.js';
import { fdPair, OwnedFd } from '../sys/fds.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, O_RDONLY } from '../sys/linux.js';

/**
 * Opens the user namespace that the config names, or a new one with its id maps; undefined if it has none.
 * @param name of the bundle, for errors
 * @throws RuntError ERR_ID_MAP
 */
export async function openIdNamespace(spec: Spec, name: string): Promise<OwnedFd | undefined> {
  const user = spec.linux?.namespaces?.find(({ type }) => type === 'user');
  if (!user) return undefined;
  const open = (path: string): OwnedFd =>
    new OwnedFd(
      check(native.openAt(AT_FDCWD, path, O_RDONLY, 0), {
        code: 'ERR_ID_MAP',
        message: `bundle: open the user namespace ${path}`,
        path,
        syscall: 'openat',
      }),
    );
  if (user.path !== undefined) return open(user.path);
  const pair = new Uint8Array(16);
  check(native.socketPair(pair), { code: 'ERR_ID_MAP', message: 'bundle: make a socket pair', syscall: 'socketpair' });
  return withUserNamespace(fdPair(pair), async ({ pid, syscall }) => {
    check(pid, { code: 'ERR_ID_MAP', message: 'bundle: make a user namespace', syscall });
    await writeMaps(spec, pid, name);
    return open(`/proc/${pid}/ns/user`);
  });
}

async function writeMaps(spec: Spec, pid: number, name: string): Promise<void> {
  for (const op of idMapOps(spec, readHostFacts())) {
    if (op.op === 'idMap' && op.helper) {
      await runIdMapHelper(op, op.helper, pid, `bundle ${name}`);
      continue;
    }
    if (op.op !== 'idMap' && op.op !== 'setGroupsPolicy') continue;
    const [file, text] = op.op === 'idMap' ? [`${op.kind}_map`, `${op.lines.join('\n')}\n`] : ['setgroups', op.value];
    check(native.writeFile(AT_FDCWD, `/proc/${pid}/${file}`, 0, 0, host.encode(text)), {
      code: 'ERR_ID_MAP',
      message: `bundle: write ${file} of the user namespace`,
      pointer: op.at,
      syscall: 'write',
    });
  }
}
