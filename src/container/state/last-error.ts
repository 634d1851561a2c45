/** The last failure of a command on a container, stored for `runt debug`; loaded only after a failure. */
import type { RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { reportOf } from '../../sys/report/error-report.js';
import { timestamp } from '../../sys/timestamp.js';
import { entryText, withState } from './state-directory.js';
import { isEntry } from './state-store.js';

export interface LastError {
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly command: string;
  readonly code: string;
  /** The whole report, as on stderr. */
  readonly report: string;
}

/** Codes that are about the call rather than the container. */
const callErrors = [
  'ERR_USAGE',
  'ERR_UNSUPPORTED',
  'ERR_NO_CONTAINER',
  'ERR_CONTAINER_STATUS',
  'ERR_CONTAINER_ID',
  'ERR_STATE_UNSAFE',
  'ERR_OUTPUT',
];

const file = 'error.json';

/** Stores it if a state directory exists. A failure to write it is ignored. */
export function storeLastError(root: string, id: string, command: string, error: RuntError): void {
  if (callErrors.includes(error.code)) return;
  const lastError: LastError = {
    time: timestamp(native.realtime()),
    command,
    code: error.code,
    report: reportOf(error),
  };
  withState(root, id, (dir) => {
    if (isEntry(dir, 'state.json')) native.replaceFile(dir, file, 0o600, host.encode(JSON.stringify(lastError)));
  });
}

/** The stored failure; undefined if there is none or it is unreadable. */
export function lastError(root: string, id: string): LastError | undefined {
  try {
    return JSON.parse(withState(root, id, (dir) => entryText(dir, file)) ?? 'null') ?? undefined;
  } catch {
    return undefined;
  }
}
