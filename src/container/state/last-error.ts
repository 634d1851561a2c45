/** The last failure of a command on a container, kept in its state directory for `runt debug`. Loaded only after one. */
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
  /** The whole report, as on standard error. */
  readonly report: string;
}

/** What says more of the call than of the container. */
const passing = [
  'ERR_USAGE',
  'ERR_UNSUPPORTED',
  'ERR_NO_CONTAINER',
  'ERR_CONTAINER_STATUS',
  'ERR_CONTAINER_ID',
  'ERR_STATE_UNSAFE',
  'ERR_OUTPUT',
];

const file = 'error.json';

/** Keeps it where there is a state directory; that it cannot be written is no second failure. */
export function noteError(root: string, id: string, command: string, error: RuntError): void {
  if (passing.includes(error.code)) return;
  const kept: LastError = { time: timestamp(native.realtime()), command, code: error.code, report: reportOf(error) };
  withState(root, id, (dir) => {
    if (isEntry(dir, 'state.json')) native.replaceFile(dir, file, 0o600, host.encode(JSON.stringify(kept)));
  });
}

/** The last one; undefined when there was none, or it cannot be read. */
export function lastError(root: string, id: string): LastError | undefined {
  try {
    return JSON.parse(withState(root, id, (dir) => entryText(dir, file)) ?? 'null') ?? undefined;
  } catch {
    return undefined;
  }
}
