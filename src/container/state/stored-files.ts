/** Writes of the files of a state directory, and the stored config. */
import { host, native } from '../../sys/host.js';
import { O_CREAT, O_EXCL } from '../../sys/linux.js';
import { configPath } from './config-path.js';
import { withState } from './state-directory.js';
import { type ContainerRecord, configFile, isEntry, stateError, stateFile } from './state-store.js';

/** Writes state.json atomically. */
export function saveRecord(root: string, record: ContainerRecord): void {
  const r = withState(root, record.id, (dir) => writeState(dir, record));
  const path = `${root}/${record.id}/${stateFile}`;
  if (r < 0) throw stateError('write the state', path, r);
}

/** Writes the record into a directory; 0 or -errno. */
export function writeState(dir: number, record: ContainerRecord): number {
  return dir < 0 ? dir : native.replaceFile(dir, stateFile, 0o600, host.encode(JSON.stringify(record)));
}

/** Stores the config of a container that is being created. @throws RuntError ERR_STATE */
export function storeConfig(root: string, id: string, text: Uint8Array): void {
  storeFile(root, id, configFile, text, 'store the config in');
}

/** Writes a file of a container that is being created. @throws RuntError ERR_STATE, whose message begins with `verb` */
export function storeFile(root: string, id: string, name: string, data: Uint8Array, verb: string): void {
  const r = withState(root, id, (dir) => (dir < 0 ? dir : native.writeFile(dir, name, O_CREAT | O_EXCL, 0o600, data)));
  if (r < 0) throw stateError(verb, `${root}/${id}/${name}`, r);
}

/** Path of the stored config; the bundle's for a container of an older runt, which stored none. */
export function storedConfigPath(root: string, record: ContainerRecord): string {
  const isStored = withState(root, record.id, (dir) => isEntry(dir, configFile));
  return isStored ? `${root}/${record.id}/${configFile}` : configPath(record);
}
