/** newuidmap and newgidmap, the setuid helpers that write id maps for an ordinary user (newuidmap(1)). */

import type { Op } from '../../../plan/plan-ops.js';
import { RuntError } from '../../../sys/error.js';
import { fdPair } from '../../../sys/fds.js';
import { callApart, host, native } from '../../../sys/host.js';
import { nulList } from '../../../sys/nul-list.js';
import { readableOrPolled } from '../../../sys/waiting/loop.js';
import { idMapHelperTime } from '../../../sys/waiting/time-limits.js';
import { signalProcess } from '../../state/recorded-process.js';
import { endOf } from '../child-end.js';

/**
 * Runs the helper of an idMap operation.
 * @param what begins the error: the command and its container or bundle
 * @throws RuntError ERR_ID_MAP with the helper's output
 */
export async function runIdMapHelper(
  op: Extract<Op, { op: 'idMap' }>,
  helper: string,
  pid: number,
  what: string,
): Promise<void> {
  const fail = (why: string, errno?: number): RuntError =>
    new RuntError({
      code: 'ERR_ID_MAP',
      message: `${what}: write ${op.kind}_map with ${helper}: ${why}`,
      op: op.op,
      path: helper,
      pointer: op.at,
      ...(errno !== undefined && { errno }),
      hint: `install ${helper.slice(helper.lastIndexOf('/') + 1)} (package uidmap), and give these ids to the user in /etc/sub${op.kind}`,
      see: 'newuidmap(1), subuid(5)',
    });
  if (!helper.startsWith('/')) throw fail('it is not installed');
  const args = nulList([helper, pid, ...op.lines.flatMap((line) => line.split(' '))]);
  const pair = new Uint8Array(16);
  if (native.socketPair(pair) < 0) throw fail('socketpair(2) failed');
  const [ours, theirs] = fdPair(pair);
  const pidfdOut = new Uint8Array(8);
  const child = await callApart('spawn', helper, args, new Uint8Array(0), -1, -1, theirs, pidfdOut);
  native.close(theirs);
  if (child < 0) {
    native.close(ours);
    throw fail('it cannot be run', -child);
  }
  const pidfd = new DataView(pidfdOut.buffer).getInt32(0, true);
  const ended = await readableOrPolled(pidfd, idMapHelperTime);
  if (!ended) signalProcess(pidfd, child, 9);
  if (!ended) await readableOrPolled(pidfd, idMapHelperTime);
  const end = endOf(pidfd);
  const output = new Uint8Array(4096);
  // The helper has ended, so one read gets all its output.
  const n = native.read(ours, output);
  native.close(ours);
  native.close(pidfd);
  if (!ended) throw fail('it did not end in time');
  if (end.status !== 0) throw fail(n > 0 ? host.decodeRaw(output, n).trim() : `it ended with status ${end.status}`);
}
