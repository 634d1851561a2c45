/** What QuickJS lacks and libraries want: only what they use, by the host's own functions. */
import { host } from './host.js';

/** UTF-8 only. `fatal` is not taken: who asks for it looks at the text by itself. */
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
