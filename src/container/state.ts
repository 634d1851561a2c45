/** `state`: the state document of a container (runtime.md#query-state). */
import { host, native } from '../sys/host.js';
import { AT_FDCWD } from '../sys/linux.js';
import { statusOf } from './state/recorded-process.js';
import { type ContainerRecord, loadRecord, type Status } from './state/state-store.js';

interface StateOptions {
  readonly root: string;
  readonly id: string;
}

/** The state document, in runc's field order. */
export interface ContainerState {
  readonly ociVersion: string;
  readonly id: string;
  /** 0 if stopped. */
  readonly pid: number;
  readonly status: Status;
  readonly bundle: string;
  readonly rootfs: string;
  /** RFC 3339, UTC. */
  readonly created: string;
  readonly annotations?: { readonly [key: string]: string };
  /** Name of the user who created it; empty if the uid has none. */
  readonly owner: string;
}

/** @throws RuntError ERR_CONTAINER_ID, ERR_NO_CONTAINER, ERR_STATE, ERR_STATE_CORRUPT */
export function state(o: StateOptions): ContainerState {
  return describe(o.root, loadRecord(o.root, o.id));
}

export function describe(root: string, record: ContainerRecord): ContainerState {
  const status = statusOf(root, record);
  const { ociVersion, id, bundle, rootfs, created, annotations, owner } = record;
  return {
    ociVersion,
    id,
    pid: status === 'stopped' ? 0 : record.pid,
    status,
    bundle,
    rootfs,
    created,
    ...(annotations && { annotations }),
    owner: userName(owner),
  };
}

/** Name of a host user, from /etc/passwd (passwd(5)). */
function userName(uid: number): string {
  if (uid === 0) return 'root';
  const buffer = new Uint8Array(1 << 20);
  const n = native.readFile(AT_FDCWD, '/etc/passwd', buffer);
  const lines = n > 0 ? host.decode(buffer, n).split('\n') : [];
  return lines.find((line) => line.split(':')[2] === String(uid))?.split(':')[0] ?? '';
}
