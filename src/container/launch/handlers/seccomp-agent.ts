/** The agent of SCMP_ACT_NOTIFY, and the listener and state that it receives (runtime-spec config-linux.md#seccomp). */

import { E } from '../../../sys/errno.js';
import { RuntError } from '../../../sys/error.js';
import { fdList } from '../../../sys/fds.js';
import { host, native } from '../../../sys/host.js';
import { connectTo } from '../../../sys/sockets/unix-socket.js';
import type { ContainerRecord, Status } from '../../state/state-store.js';
import type { Report } from '../init-channel.js';

type Listener = Extract<Report, { kind: 'listener' }>;

/** The process whose listener the agent receives. */
interface AgentContext {
  /** The current command, `create` for example. */
  readonly command: string;
  readonly record: ContainerRecord;
  readonly status: Status;
  /** Pid, in the runtime's pid namespace, of the process with the filter: the container's, or one of `exec`. */
  readonly pid: number;
}

/**
 * Sends the listener to its agent: one connection with one message.
 * @throws RuntError ERR_SECCOMP_AGENT; the process must not continue then
 */
export async function handOver(report: Listener, to: AgentContext): Promise<void> {
  const agentError = (errno: number, syscall: string): RuntError =>
    new RuntError({
      code: 'ERR_SECCOMP_AGENT',
      message: `${to.command} ${to.record.id}: ${syscall === 'connect' ? 'failed to connect with seccomp agent' : 'hand the seccomp listener to the agent at'} ${report.agent}`,
      pointer: '/linux/seccomp/listenerPath',
      value: report.agent,
      path: report.agent,
      errno,
      syscall,
      hint:
        errno === E.ETIMEDOUT
          ? 'restart the agent: it listens there and accepts no connection'
          : 'start the agent before the container: it must listen there, with a stream socket',
    });
  try {
    const socket = await connectTo(report.agent);
    if (socket < 0) throw agentError(-socket, 'connect');
    const fds = fdList([report.fd]);
    const sent = native.sendFds(socket, fds, host.encode(JSON.stringify(state(report, to))));
    native.close(socket);
    if (sent < 0) throw agentError(-sent, 'sendmsg');
  } finally {
    native.close(report.fd);
  }
}

/** The ContainerProcessState of the runtime-spec. */
function state(report: Listener, { record, status, pid }: AgentContext): unknown {
  const { ociVersion, id, bundle, annotations } = record;
  return {
    ociVersion,
    fds: ['seccompFd'],
    pid,
    ...(report.metadata !== '' && { metadata: report.metadata }),
    state: { ociVersion, id, status, pid: record.pid || pid, bundle, ...(annotations && { annotations }) },
  };
}
