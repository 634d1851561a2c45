/** The owner of a process's pipes. */
import type { Process, Spec } from '../../spec/config-types.js';
import { tryReadText } from '../../sys/fs.js';
import type { Owner } from './stdio-streams.js';

/** Reads a config once, and computes the owner for each process of its container. */
export class Owners {
  private readonly spec: Pick<Spec, 'process' | 'linux'>;

  /**
   * @param config path of the config
   * @param gid group of the pipes; 0 for the server's
   */
  constructor(
    config: string,
    private readonly gid: number,
  ) {
    const { process, linux } = parseOrEmpty(tryReadText(config)) as Partial<Spec>;
    // Drop the rest of the document: it may be large.
    const { uidMappings } = linux ?? {};
    this.spec = {
      ...(process && { process: { user: process.user } as Process }),
      ...(uidMappings && { linux: { uidMappings } }),
    };
  }

  /** For the init process, or for a process document in JSON. A uid without a mapping becomes root. */
  of(process?: string): Owner {
    const { user } = (process === undefined ? this.spec.process : (parseOrEmpty(process) as Process)) ?? {};
    const inside = user?.uid ?? 0;
    const { uidMappings } = this.spec.linux ?? {};
    const gid = this.gid || -1;
    if (!uidMappings?.length) return { uid: inside, gid };
    const map = uidMappings.find((m) => inside >= m.containerID && inside < m.containerID + m.size);
    return { uid: map ? map.hostID + inside - map.containerID : 0, gid };
  }
}

/** A JSON object; {} for invalid JSON, because the code that creates the process reports that. */
function parseOrEmpty(text = ''): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
