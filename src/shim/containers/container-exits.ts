/** The ends of containers below a root; all calls that wait for one share a pidfd. */
import type { ExitRecord } from '../../container/state/exit-records.js';
import type { ContainerRecord } from '../../container/state/state-store.js';
import { wait } from '../../container/wait.js';
import { Outcome } from './outcome.js';

/** Pid and start time: no other process has both. */
export const keyOf = ({ pid, startTime }: ContainerRecord): string => `${pid}/${startTime}`;

export class ContainerExits {
  private readonly waits = new Map<string, Outcome<ExitRecord>>();

  constructor(private readonly root: string) {}

  /** How a container's process ends; an error if nothing records that. */
  of(record: ContainerRecord): Outcome<ExitRecord> {
    const { id } = record;
    const key = `${id}/${keyOf(record)}`;
    const known = this.waits.get(key);
    if (known) return known;
    const exit = new Outcome(wait({ root: this.root, id }));
    this.waits.set(key, exit);
    const forget = (): void => {
      this.waits.delete(key);
    };
    exit.listen(forget, forget);
    return exit;
  }
}
