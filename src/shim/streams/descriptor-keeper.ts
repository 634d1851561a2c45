/** What holds the ends of streams for a server, so that they outlive it (shim/node/keeper.ts). */
export interface DescriptorKeeper {
  /** Holds copies of descriptors, by name. Only warns if that fails: the streams work, but end with the server. */
  hold(descriptors: ReadonlyMap<string, number>): Promise<void>;
  /** A copy of the descriptor of that name; undefined for none. */
  take(name: string): Promise<number | undefined>;
  /** Closes what is held. */
  drop(names: readonly string[]): Promise<void>;
  /** Holds a descriptor in this process's place, which closes it. @throws RuntError ERR_SHIM */
  give(name: string, fd: number): Promise<void>;
}
