/** Containers and exits as messages. */
import { list } from '../../container/list.js';
import { type ExitRecord, exitRecord, readExit } from '../../container/state/exit-records.js';
import type { ContainerState } from '../../container/state.js';
import { RuntError } from '../../sys/error.js';
import { timestampOf } from '../containerd/proto-timestamp.js';
import { api } from './api-protos.js';
import { nanosecondsOf } from './rfc3339.js';

/** A time of a record; none if the text is damaged. */
function time(text: string): ReturnType<typeof timestampOf> | null {
  const ns = nanosecondsOf(text);
  return ns === undefined ? null : timestampOf(ns);
}

export function exitMessage({ status, signal, oom, exitedAt }: ExitRecord): api.Exit.$Properties {
  return { status, signal, oom, exitedAt: time(exitedAt) };
}

/** @throws RuntError ERR_STATE_CORRUPT for a damaged exit record */
export function containerMessage(root: string, state: ContainerState): api.Container.$Properties {
  const { id, status, pid, bundle, rootfs, created, annotations, owner } = state;
  const exit = status === 'stopped' ? readExit(`${root}/${id}`) : undefined;
  return {
    id,
    status: statuses[status],
    pid,
    bundle,
    rootfs,
    createdAt: time(created),
    annotations: { ...annotations },
    owner,
    ...(exit && { exit: exitMessage(exitRecord(exit)) }),
  };
}

const { Status } = api.Container;
const statuses: { readonly [S in ContainerState['status']]: api.Container.Status } = {
  creating: Status.CREATING,
  created: Status.CREATED,
  running: Status.RUNNING,
  paused: Status.PAUSED,
  stopped: Status.STOPPED,
};

/** All containers below a root, by id. @throws RuntError ERR_STATE if the root is unreadable */
export function listMessages(root: string, warn: (sentence: string) => void): api.Container.$Properties[] {
  const found: api.Container.$Properties[] = [];
  for (const state of list({ root, warn, unknown: ({ message }) => warn(message) })) {
    try {
      found.push(containerMessage(root, state));
    } catch (error) {
      if (!(error instanceof RuntError)) throw error;
      warn(error.message);
    }
  }
  return found;
}
