/**
 * The API for scripts of a node's server, on a socket of its own: its streams end with the server, while the keeper
 * has only calls that wait for the next one.
 */
import { native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import { forget } from '../../sys/waiting/loop.js';
import { Health } from '../containers/health-service.js';
import type { GrpcServer } from '../grpc/grpc-interface.js';
import { withReflection } from '../grpc/reflection.js';
import type { CallFacts, Procedure, Services } from '../transport/rpc.js';
import { acceptConnections } from '../transport/ttrpc.js';
import { namespaceHeader } from './namespace-header.js';
import type { NodeServer } from './node-server.js';

/** The namespace of a call without the header, as for `ctr`. */
const defaultNamespace = 'default';

export class NodeApi {
  /** The services of the socket. */
  readonly services: Services;
  private readonly health: Health;

  private constructor(
    private readonly path: string,
    private readonly listener: number,
    private readonly node: NodeServer,
    known: Services,
  ) {
    const procedures = new Map([...known].map(([name, procedure]) => [name, this.inNamespace(name, procedure)]));
    this.health = new Health(procedures);
    this.services = withReflection(new Map([...procedures, ...this.health.procedures]));
  }

  /** @param listener the socket at `path`, which `close` removes */
  static async of(node: NodeServer, path: string, listener: number): Promise<NodeApi> {
    return new NodeApi(path, listener, node, await node.containers(defaultNamespace));
  }

  /** Passes connections to a server of the services. */
  accept(server: GrpcServer): void {
    void acceptConnections(this.listener, (fd) => server.serveConnection(fd, () => {}));
  }

  /** Accepts no more; calls of the health service end. */
  close(): void {
    native.unlinkAt(AT_FDCWD, this.path, 0);
    forget(this.listener);
    native.close(this.listener);
    this.health.close();
  }

  /** The procedure of the namespace that a call names. */
  private inNamespace(name: string, known: Procedure): Procedure {
    // Every namespace has the same procedures.
    const find = async (call: CallFacts): Promise<Procedure | undefined> =>
      (await this.node.containers(call.header(namespaceHeader) ?? defaultNamespace)).get(name);
    if ('unary' in known)
      return { unary: async (request, call) => ((await find(call)) as typeof known).unary(request, call) };
    return { streaming: async (stream) => ((await find(stream)) as typeof known).streaming(stream) };
  }
}
