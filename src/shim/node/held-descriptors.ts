/** Descriptors that outlive the server of a node: the ends of its containers' streams, by name. */
import { native } from '../../sys/host.js';

export class HeldDescriptors {
  private readonly held = new Map<string, number>();

  get size(): number {
    return this.held.size;
  }

  /** Takes a descriptor over, in place of an earlier one of that name. */
  hold(name: string, fd: number): void {
    this.drop(name);
    this.held.set(name, fd);
  }

  /** The descriptor, which stays open here. */
  get(name: string): number | undefined {
    return this.held.get(name);
  }

  drop(name: string): void {
    const fd = this.held.get(name);
    if (fd === undefined) return;
    this.held.delete(name);
    native.close(fd);
  }
}
