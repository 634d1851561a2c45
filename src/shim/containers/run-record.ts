/** Records of Run, in the state directories of its containers: what is left to do if the server is killed. */
import { thisProcess } from '../../container/state/recorded-process.js';
import { log } from '../shim-log.js';
import { recordsLeft, type ServerRecord, storeRecord } from '../task/server-records.js';

interface RunRecord extends ServerRecord {
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
  storeRecord(root, id, file, record, {
    code: 'ERR_STATE',
    message: `record the Run of ${id} in ${root}/${id}/${file}`,
  });
}

/** Takes over the containers below a root whose server has exited. Logs and skips unreadable records. */
export function adoptRuns(root: string): ReadonlyMap<string, RunPromise> {
  const found = new Map<string, RunPromise>();
  for (const [id, record] of recordsLeft<RunRecord>(root, file)) {
    try {
      storeRun(root, id, record);
      found.set(id, record);
    } catch (error) {
      log(id, error);
    }
  }
  return found;
}
