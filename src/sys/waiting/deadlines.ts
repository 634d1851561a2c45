/** A binary heap of waits, ordered by deadline. */

export interface TimedWait {
  /** Milliseconds on CLOCK_MONOTONIC. */
  readonly deadline: number;
  /** Index in the heap; -1 if outside of it. */
  at: number;
}

/**
 * Adding and removing take O(log n): a busy server has a wait for each stream of each process, and most end before
 * their deadline.
 */
export class Deadlines<T extends TimedWait> {
  private readonly heap: T[] = [];

  /** The wait with the earliest deadline. */
  get first(): T | undefined {
    return this.heap[0];
  }

  add(wait: T): void {
    this.rise(wait, this.heap.length);
  }

  /** Removes a wait, if it is in the heap. */
  remove(wait: T): void {
    const { at } = wait;
    if (at < 0) return;
    wait.at = -1;
    const last = this.heap.pop() as T;
    if (last === wait) return;
    // The last entry replaces it, and may have to move up or down.
    this.rise(last, at);
    this.sink(last, last.at);
  }

  private rise(wait: T, from: number): void {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = this.heap[above] as T;
      if (other.deadline <= wait.deadline) break;
      this.put(other, at);
      at = above;
    }
    this.put(wait, at);
  }

  private sink(wait: T, from: number): void {
    let at = from;
    for (;;) {
      let below = 2 * at + 1;
      const [left, right] = [this.heap[below], this.heap[below + 1]];
      if (right && left && right.deadline < left.deadline) below++;
      const other = this.heap[below];
      if (!other || other.deadline >= wait.deadline) break;
      this.put(other, at);
      at = below;
    }
    this.put(wait, at);
  }

  private put(wait: T, at: number): void {
    this.heap[at] = wait;
    wait.at = at;
  }
}
