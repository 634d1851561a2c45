/** Cgroups of an existing container, from its record. */
import type { CgroupFacts } from './cgroup-facts.js';
import type { LiveCgroup } from './settings/setting.js';
import { tryRead } from './stats/cgroup-stats.js';
import type { ReadFile } from './stats/stats-types.js';

/** The directories of a container, by controller. */
export class LiveCgroups implements LiveCgroup {
  constructor(
    readonly facts: CgroupFacts,
    /** `cgroups` of the container's record. */
    readonly directories: readonly string[],
    private readonly file: ReadFile = tryRead,
  ) {}

  /** The directory with a controller's files; undefined if the container has no cgroup there. */
  directory(controller: string): string | undefined {
    const { facts } = this;
    if (facts.layout === 'v2') return this.directories[0];
    const mountPoint = facts.v1.find((h) => h.controllers.includes(controller))?.mountPoint;
    return mountPoint === undefined ? undefined : this.directoryBelow(mountPoint);
  }

  /** The directory of the v2 hierarchy, alone or beside v1. */
  unified(): string | undefined {
    return this.facts.unified === undefined ? undefined : this.directoryBelow(this.facts.unified.mountPoint);
  }

  read(file: string): string {
    const path = this.directory(file.slice(0, file.indexOf('.')));
    return path === undefined ? '' : (this.file(`${path}/${file}`) ?? '').trim();
  }

  private directoryBelow(mountPoint: string): string | undefined {
    return this.directories.find((path) => path.startsWith(`${mountPoint}/`));
  }
}
