/** Calls of containerd's, passed on to the server of the node. They wait while there is none, and outlive it. */
import { task } from '../transport/protos.js';
import type { Procedure, Services, UnaryCall } from '../transport/rpc.js';
import { Code, cancelledError, StatusError } from '../transport/status-code.js';
import type { Connection } from '../transport/ttrpc.js';
import { namespaceHeader, ttrpcNamespaceHeader } from './namespace-header.js';

/**
 * The calls, with those that have the same effect twice: a server that was killed may have made them already. The next
 * one removes what such a server created and had not recorded, and answers Create of what it had.
 */
const methods: Readonly<Record<string, { readonly once: readonly string[]; readonly repeatable: readonly string[] }>> =
  {
    'containerd.task.v3.Task': {
      once: ['Start', 'Delete', 'Kill', 'Exec', 'Pause', 'Resume', 'Checkpoint'],
      repeatable: ['Create', 'State', 'Pids', 'Wait', 'Connect', 'Stats', 'Update', 'ResizePty', 'CloseIO', 'Shutdown'],
    },
    'containerd.services.sandbox.v1.Controller': {
      once: ['Shutdown'],
      repeatable: ['Create', 'Start', 'Platform', 'Wait', 'Status', 'Stop', 'Metrics', 'Update'],
    },
  };

const pathsOf = (kind: 'once' | 'repeatable'): readonly string[] =>
  Object.entries(methods).flatMap(([service, names]) => names[kind].map((name) => `${service}/${name}`));
const repeatable = new Set(pathsOf('repeatable'));
/** All of them, as `package.Service/Method`. */
export const relayedPaths: readonly string[] = [...repeatable, ...pathsOf('once')];

/** A wait that any number of calls share, so that a client that begins and cancels many of them costs nothing. */
interface SharedWait {
  readonly calls: Set<PendingCall>;
}

interface PendingCall {
  readonly settle: (answer: Uint8Array) => void;
  readonly fail: (error: unknown) => void;
}

/** Sees the calls, but for waits. */
interface CallWatcher {
  calling(path: string, namespace: string, request: Uint8Array): void;
  /** The answer is undefined if the call failed. */
  called(path: string, namespace: string, request: Uint8Array, answer?: Uint8Array): void;
}

export class Relay {
  private server: Connection | undefined;
  /** What waits for a server. */
  private readonly waiting = new Set<() => void>();
  private readonly shared = new Map<string, SharedWait>();
  private calls = 0;
  private watcher: CallWatcher | undefined;

  /** Whether a server is connected. */
  get attached(): boolean {
    return this.server !== undefined;
  }

  /** Whether no call is waiting. */
  get idle(): boolean {
    return this.calls === 0 && this.shared.size === 0;
  }

  /** Passes the calls to this server until its connection ends; calls `onEnd` then. */
  attach(server: Connection, onEnd: () => void): void {
    this.server = server;
    void server.serve().then(() => {
      if (this.server === server) this.server = undefined;
      onEnd();
    });
    for (const resume of [...this.waiting]) resume();
  }

  watch(watcher: CallWatcher): void {
    this.watcher = watcher;
  }

  /** Whether the server has a container. */
  async has(namespace: string, id: string): Promise<boolean> {
    try {
      await this.send('containerd.task.v3.Task/State', namespace, task.StateRequest.encode({ id }).finish());
      return true;
    } catch (error) {
      if (error instanceof StatusError && error.code === Code.NOT_FOUND) return false;
      throw error;
    }
  }

  procedures(): Services {
    return new Map(
      relayedPaths.map((path): [string, Procedure] => [path, { unary: (r, call) => this.pass(path, r, call) }]),
    );
  }

  private async pass(path: string, request: Uint8Array, call: UnaryCall): Promise<Uint8Array> {
    const namespace = call.header(namespaceHeader) ?? call.header(ttrpcNamespaceHeader) ?? '';
    if (path.endsWith('/Wait')) return this.wait(path, namespace, request, call);
    this.calls++;
    let answer: Uint8Array | undefined;
    this.watcher?.calling(path, namespace, request);
    try {
      answer = await this.send(path, namespace, request, call.cancelled);
      return answer;
    } finally {
      this.calls--;
      this.watcher?.called(path, namespace, request, answer);
    }
  }

  private async send(path: string, namespace: string, request: Uint8Array, cancelled?: Promise<void>) {
    const [service = '', method = ''] = path.split('/');
    for (;;) {
      const server = this.server ?? (await this.nextServer(cancelled));
      try {
        return await server.call(`${namespace}/${service}`, method, request);
      } catch (error) {
        if (error instanceof StatusError) throw error;
        // The connection ended, so the server did.
        if (this.server === server) this.server = undefined;
        if (!repeatable.has(path))
          throw new StatusError(
            Code.UNAVAILABLE,
            `the server ended during ${method}: it is not known if that was done`,
          );
      }
    }
  }

  private nextServer(cancelled?: Promise<void>): Promise<Connection> {
    return new Promise((settle, fail) => {
      const resume = () => {
        if (!this.server) return;
        this.waiting.delete(resume);
        settle(this.server);
      };
      this.waiting.add(resume);
      void cancelled?.then(() => {
        if (this.waiting.delete(resume)) fail(cancelledError());
      });
    });
  }

  private wait(path: string, namespace: string, request: Uint8Array, client: UnaryCall): Promise<Uint8Array> {
    const key = `${path} ${namespace} ${request.join()}`;
    return new Promise((settle, fail) => {
      const call = { settle, fail };
      let shared = this.shared.get(key);
      if (!shared) {
        shared = { calls: new Set() };
        this.shared.set(key, shared);
        void this.begin(key, shared, path, namespace, request);
      }
      const { calls } = shared;
      calls.add(call);
      client.onCancel = () => {
        if (calls.delete(call)) fail(cancelledError());
      };
    });
  }

  private async begin(key: string, shared: SharedWait, path: string, namespace: string, request: Uint8Array) {
    const finish = (end: (call: PendingCall) => void) => {
      this.shared.delete(key);
      for (const call of shared.calls) end(call);
      shared.calls.clear();
    };
    try {
      const answer = await this.send(path, namespace, request);
      finish(({ settle }) => settle(answer));
    } catch (error) {
      finish(({ fail }) => fail(error));
    }
  }
}
