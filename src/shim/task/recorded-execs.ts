/** Records of execs, in the state directory of their container: a restarted server knows them by these. */
import type { ExecKey } from '../../container/state/exit-records.js';
import { entryText, withState } from '../../container/state/state-directory.js';
import { listDir } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import type { Streams } from '../streams/stdio-streams.js';
import type { google } from '../transport/protos.js';
import { storeRecord } from './server-records.js';

export interface ExecRecord {
  readonly version: 1;
  readonly execId: string;
  readonly terminal: boolean;
  readonly streams: Streams;
  /** The process document, as JSON; absent once the process was started. */
  readonly spec?: string;
  readonly pid?: number;
  /** Names the supervisor's record of its end. */
  readonly key?: ExecKey;
  readonly ended?: { readonly status: number; readonly at: google.protobuf.Timestamp.$Properties };
}

const prefix = 'task-exec-';
const nameOf = (execId: string): string => `${prefix}${execId}.json`;

/** @throws RuntError ERR_STATE */
export function storeExec(root: string, id: string, record: ExecRecord): void {
  storeRecord(root, id, nameOf(record.execId), record, {
    code: 'ERR_STATE',
    message: `record the exec ${record.execId} in ${root}/${id}`,
  });
}

export function removeExecRecord(root: string, id: string, execId: string): void {
  withState(root, id, (dir) => dir >= 0 && native.unlinkAt(dir, nameOf(execId), 0));
}

/** All records of a container. @throws RuntError, SyntaxError */
export function execRecords(root: string, id: string): readonly ExecRecord[] {
  return withState(root, id, (dir) =>
    (dir < 0 ? [] : listDir('.', dir))
      .filter((name) => name.startsWith(prefix) && name.endsWith('.json'))
      .map((name) => JSON.parse(entryText(dir, name) ?? '{}') as ExecRecord)
      .filter(({ version }) => version === 1),
  );
}
