/** Signals that the process under test reads from a signalfd(2). */
import { E } from '../../../src/sys/errno.js';
import { OpenFile } from './descriptors.js';
import type { FakeKernel } from './fake-kernel.js';

const INFO_SIZE = 128;

class SignalFd extends OpenFile {
  readonly shown = 'signalfd';
  readonly queue: { readonly signal: number; readonly from: number }[] = [];

  get readable(): boolean {
    return this.queue.length > 0;
  }

  override read(data: Uint8Array): number {
    const next = this.queue.shift();
    if (!next) return -E.EAGAIN;
    const view = new DataView(data.buffer, data.byteOffset);
    view.setUint32(0, next.signal, true);
    view.setUint32(12, next.from, true);
    return INFO_SIZE;
  }
}

/** Adds signalfd(2) to the kernel. @returns a function that sends the process a signal from a pid */
export function catchSignals(kernel: FakeKernel): (signal: number, from?: number) => void {
  const file = new SignalFd();
  kernel.on('signalFd', () => kernel.descriptors.open(file));
  return (signal, from = 1) => void file.queue.push({ signal, from });
}
