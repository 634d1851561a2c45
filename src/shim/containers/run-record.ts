/** Records of Run, in the state directories of its containers: what is left to do if the server is killed. */
import { names } from '../../container/list.js';
import { isAlive, thisProcess } from '../../container/state/recorded-process.js';
import { entryText, withState } from '../../container/state/state-directory.js';
import type { RecordedProcess } from '../../container/state/state-store.js';
import { check } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { log } from '../shim-log.js';

interface RunRecord {
  readonly version: 1;
  /** The server that does it while that server runs. */
  readonly server: RecordedProcess;
  /** The container stays when it has ended. */
  readonly keep: boolean;
  /** The container ends with the call, and so with the server. */
  readonly killOnDisconnect: boolean;
}

type RunPromise = Pick<RunRecord, 'keep' | 'killOnDisconnect'>;

const file = 'run.json';

/** @throws RuntError ERR_STATE */
export function storeRun(root: string, id: string, { keep, killOnDisconnect }: RunPromise): void {
  const record: RunRecord = { version: 1, server: thisProcess(), keep, killOnDisconnect };
  const path = `${root}/${id}/${file}`;
  const text = host.encode(JSON.stringify(record));
  check(
    withState(root, id, (dir) => (dir < 0 ? dir : native.replaceFile(dir, file, 0o600, text))),
    { code: 'ERR_STATE', message: `record the Run of ${id} in ${path}`, path },
  );
}

/** Takes over the containers below a root whose server has exited. Logs and skips unreadable records. */
export function adoptRuns(root: string): ReadonlyMap<string, RunPromise> {
  const found = new Map<string, RunPromise>();
  for (const id of names(root)) {
    try {
      const text = withState(root, id, (dir) => entryText(dir, file));
      const record = text === undefined ? undefined : (JSON.parse(text) as RunRecord);
      if (record?.version !== 1 || isAlive(record.server)) continue;
      storeRun(root, id, record);
      found.set(id, record);
    } catch (error) {
      log(id, error);
    }
  }
  return found;
}
