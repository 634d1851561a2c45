/** The last failure of a command on a container, kept in its state directory for `runt debug`. Loaded only after one. */
import { E } from '../sys/errno.js';
import type { RuntError } from '../sys/error.js';
import { tryReadText } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD } from '../sys/linux.js';
import { timestamp } from '../sys/time.js';

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
  'ERR_OUTPUT',
];

const file = (root: string, id: string): string => `${root}/${id}/error.json`;

/** Keeps it where there is a state directory; that it cannot be written is no second failure. */
export function noteError(root: string, id: string, command: string, error: RuntError): void {
  if (passing.includes(error.code) || native.access(`${root}/${id}/state.json`, 0) === -E.ENOENT) return;
  const kept: LastError = { time: timestamp(native.realtime()), command, code: error.code, report: error.report() };
  native.replaceFile(AT_FDCWD, file(root, id), 0o600, host.encode(JSON.stringify(kept)));
}

/** The last one; undefined when there was none, or it cannot be read. */
export function lastError(root: string, id: string): LastError | undefined {
  try {
    return JSON.parse(tryReadText(file(root, id)) ?? 'null') ?? undefined;
  } catch {
    return undefined;
  }
}
