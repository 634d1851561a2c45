/** Whom the pipes of a process belong to. */
import type { Process, Spec } from '../../spec/config-types.js';
import { tryReadText } from '../../sys/fs.js';
import type { Owner } from './stdio-streams.js';

/** Reads the config of a bundle once; then tells the owner for a process in its container. */
export class Owners {
  private readonly spec: Pick<Spec, 'process' | 'linux'>;

  constructor(
    bundle: string,
    private readonly gid: number,
  ) {
    const { process, linux } = parsed(tryReadText(`${bundle}/config.json`)) as Partial<Spec>;
    // The rest of the document is not kept.
    const { uidMappings } = linux ?? {};
    this.spec = {
      ...(process && { process: { user: process.user } as Process }),
      ...(uidMappings && { linux: { uidMappings } }),
    };
  }

  /** For the init process, or for one whose document is given as JSON. A user that the container does not have: root. */
  of(process?: string): Owner {
    const { user } = (process === undefined ? this.spec.process : (parsed(process) as Process)) ?? {};
    const inside = user?.uid ?? 0;
    const { uidMappings } = this.spec.linux ?? {};
    const gid = this.gid || -1;
    if (!uidMappings?.length) return { uid: inside, gid };
    const map = uidMappings.find((m) => inside >= m.containerID && inside < m.containerID + m.size);
    return { uid: map ? map.hostID + inside - map.containerID : 0, gid };
  }
}

/** A document, or nothing of it: what is wrong with it is said by whoever makes the process. */
function parsed(text = ''): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
