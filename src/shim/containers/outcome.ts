/** A result that many calls wait for. Unlike a promise, it does not keep the memory of those that have given up. */

interface Listener<T> {
  readonly settle: (value: T) => void;
  readonly fail: (error: unknown) => void;
}

export class Outcome<T> {
  private readonly listeners = new Set<Listener<T>>();
  /** Passes the result on, once there is one. */
  private give: ((listener: Listener<T>) => void) | undefined;

  constructor(work: Promise<T>) {
    const end = (give: (listener: Listener<T>) => void): void => {
      this.give = give;
      for (const listener of this.listeners) give(listener);
      this.listeners.clear();
    };
    work.then(
      (value) => end(({ settle }) => settle(value)),
      (error: unknown) => end(({ fail }) => fail(error)),
    );
  }

  get isKnown(): boolean {
    return this.give !== undefined;
  }

  /** Passes the result to `listener` when it is known. Returns a function that prevents that. */
  listen(settle: (value: T) => void, fail: (error: unknown) => void): () => void {
    const listener = { settle, fail };
    if (this.give) this.give(listener);
    else this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }
}
