/** Globals that libraries need and QuickJS lacks, reduced to what they use. */
import { host } from './host.js';

/** UTF-8 only. Refuses `fatal`: protobufjs falls back to its loose decoder. */
class TextDecoder {
  constructor(label = 'utf-8', options: { fatal?: boolean } = {}) {
    if (!/^utf-?8$/i.test(label) || options.fatal) throw new RangeError('only TextDecoder("utf-8") is there');
  }

  decode(bytes: Uint8Array = new Uint8Array()): string {
    return host.decode(bytes, bytes.length);
  }
}

class TextEncoder {
  encode(text = ''): Uint8Array {
    return host.encode(text);
  }
}

const here = globalThis as Record<string, unknown>;
here.TextDecoder ??= TextDecoder;
here.TextEncoder ??= TextEncoder;
