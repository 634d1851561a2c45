/** The command line that containerd passes to a shim: flags in Go's syntax, then an action. */
import { RuntError } from '../../sys/error.js';

type Action = 'start' | 'delete' | 'delete-held' | '';

export interface ShimArguments {
  readonly namespace: string;
  readonly id: string;
  /** Path of containerd's socket. */
  readonly address: string;
  readonly bundle: string;
  /** Path of the server's socket, which the server removes when it ends. */
  readonly socket: string;
  /** Number of the descriptor that listens at `holdSocket`; empty for a server without it. */
  readonly holds: string;
  readonly debug: boolean;
  readonly version: boolean;
  readonly info: boolean;
  /** Empty: serve. `delete-held`: delete, and complete the answer of a `delete` (shim/holds/). */
  readonly action: Action;
}

/** `publish-binary`, a program that publishes events, is accepted and ignored: events go over ttrpc. */
const texts = ['namespace', 'id', 'address', 'bundle', 'publish-binary', 'socket', 'holds'] as const;
const switches = ['debug', 'v', 'info'] as const;

/** @throws RuntError ERR_USAGE */
export function parseArguments(list: readonly string[]): ShimArguments {
  const values: Record<string, string> = {};
  const on = new Set<string>();
  let i = 0;
  for (; i < list.length && (list[i] as string).startsWith('-'); i++) {
    const [name = '', ...rest] = (list[i] as string).replace(/^--?/, '').split('=');
    if ((switches as readonly string[]).includes(name)) {
      if (rest.length === 0 || rest[0] === 'true') on.add(name);
    } else if ((texts as readonly string[]).includes(name)) {
      const value = rest.length > 0 ? rest.join('=') : list[++i];
      if (value === undefined) throw usageError(`-${name} needs a value`);
      values[name] = value;
    } else throw usageError(`unknown flag -${name}`);
  }
  const action = (list[i] ?? '') as Action;
  if (!['', 'start', 'delete', 'delete-held'].includes(action)) throw usageError(`unknown action ${action}`);
  return {
    namespace: values.namespace ?? '',
    id: values.id ?? '',
    address: values.address ?? '',
    bundle: values.bundle ?? '',
    socket: values.socket ?? '',
    holds: values.holds ?? '',
    debug: on.has('debug'),
    version: on.has('v'),
    info: on.has('info'),
    action,
  };
}

const usageError = (message: string): RuntError =>
  new RuntError({ code: 'ERR_USAGE', message: `containerd-shim-runt-v1: ${message}` });
