/** Iterators that can be ended while they wait. Node.js only. */

/**
 * An iterator whose `return` also ends a `next` that waits; that of a generator would queue behind it.
 * @param make the generator; it ends soon after the signal has aborted
 */
export function endable<T>(
  make: (ended: AbortSignal) => AsyncGenerator<T, void, undefined>,
): AsyncGenerator<T, void, undefined> {
  const end = new AbortController();
  const source = make(end.signal);
  const { return: finish, throw: fail } = source;
  return Object.assign(source, {
    return(value: undefined) {
      end.abort();
      return finish.call(source, value);
    },
    throw(error: unknown) {
      end.abort();
      return fail.call(source, error);
    },
  });
}
