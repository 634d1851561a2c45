/** What a server records of containers in their state directories, for the next one. */
import { names } from '../../container/list.js';
import { isAlive } from '../../container/state/recorded-process.js';
import { entryText, withState } from '../../container/state/state-directory.js';
import type { RecordedProcess } from '../../container/state/state-store.js';
import { check, type ErrorFacts } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { log } from '../shim-log.js';

export interface ServerRecord {
  readonly version: 1;
  /** The server that has the container while that server runs. */
  readonly server: RecordedProcess;
}

/** Writes a record whole or not at all. @throws RuntError with these facts */
export function storeRecord(root: string, id: string, file: string, record: object, facts: ErrorFacts): void {
  const text = host.encode(JSON.stringify(record));
  check(
    withState(root, id, (dir) => (dir < 0 ? dir : native.replaceFile(dir, file, 0o600, text))),
    { ...facts, path: `${root}/${id}/${file}` },
  );
}

/** The records below a root, by id, whose server has exited. Logs and skips unreadable ones. */
export function recordsLeft<T extends ServerRecord>(root: string, file: string): ReadonlyMap<string, T> {
  const left = new Map<string, T>();
  for (const id of names(root)) {
    try {
      const text = withState(root, id, (dir) => entryText(dir, file));
      const record = text === undefined ? undefined : (JSON.parse(text) as T);
      if (record?.version === 1 && !isAlive(record.server)) left.set(id, record);
    } catch (error) {
      log(id, error);
    }
  }
  return left;
}
