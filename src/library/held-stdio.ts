/** The standard streams of the containers that this program has created. Node.js only. */
import type { Writable } from 'node:stream';
import type { ContainerRecord } from '../container/state/state-store.js';
import { RuntError } from '../sys/error.js';
import type { OutputPipe, Streams } from './process-streams.js';
import type { TerminalStream } from './terminal-stream.js';

/** What this program has of the standard streams of a container. */
export interface HeldStdio {
  readonly stdin: Writable | null;
  readonly stdout: OutputPipe | null;
  readonly stderr: OutputPipe | null;
  readonly terminal: TerminalStream | null;
  /** Absolute paths of the streams that are files. */
  readonly files: readonly (string | undefined)[];
}

/** By state directory, with the time of the container's creation: another container may have its id later. */
const held = new Map<string, { readonly created: string; readonly stdio: HeldStdio }>();

const key = ({ root, id }: { readonly root: string; readonly id: string }): string => `${root}/${id}`;

type Created = Pick<ContainerRecord, 'id' | 'created'>;

/** Holds the streams of a container that was just created. */
export function hold(root: string, { id, created }: Created, streams: Streams, terminal: TerminalStream | null): void {
  const { stdin, stdout, stderr, files } = streams;
  held.set(key({ root, id }), { created, stdio: { stdin, stdout, stderr, terminal, files } });
}

/**
 * The function that forgets the streams of a container, for after its removal: another container may have the id then.
 * What it wrote can be read afterwards.
 */
export function releaser(root: string, id: string): () => void {
  const found = held.get(key({ root, id }));
  return () => {
    if (!found) return;
    if (held.get(key({ root, id })) === found) held.delete(key({ root, id }));
    settleStreams(found.stdio);
  };
}

/** The process of these streams has ended: frees the descriptors, without losing output. */
export function settleStreams({ stdin, stdout, stderr, terminal }: Omit<HeldStdio, 'files'>): void {
  stdin?.destroy();
  for (const output of [stdout, stderr, terminal]) output?.drain();
}

/** The streams of a container; undefined if this program has not created it. */
export function heldStdio(root: string, { id, created }: Created): HeldStdio | undefined {
  const found = held.get(key({ root, id }));
  return found?.created === created ? found.stdio : undefined;
}

/** The error for streams that this program does not have. */
export const streamsError = (message: string, hint: string): RuntError =>
  new RuntError({ code: 'ERR_STREAMS', message, hint });
