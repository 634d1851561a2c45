/** UTF-8 check: decoding writes U+FFFD for invalid bytes, which would silently change a path. */
import { RuntError } from '../../sys/error.js';
import { host } from '../../sys/host.js';

/** The requirement on every JSON document, as the clause of a violation. */
export const notUtf8 = { pointer: '', expected: 'be encoded in UTF-8', see: 'RFC 8259 §8.1' } as const;

/** Whether `text` is the exact decoding of the bytes, which can contain U+FFFD themselves. */
export function isUtf8(bytes: Uint8Array, text: string): boolean {
  if (!text.includes('\ufffd')) return true;
  const again = host.encode(text);
  return again.length === bytes.length && again.every((byte, i) => byte === bytes[i]);
}

/** Decodes a JSON document; `name` is its name in errors. @throws RuntError ERR_SPEC_INVALID when it is not UTF-8 */
export function utf8Text(bytes: Uint8Array, name: string): string {
  const text = host.decode(bytes, bytes.length);
  if (isUtf8(bytes, text)) return text;
  throw new RuntError({
    code: 'ERR_SPEC_INVALID',
    message: `${name} is not UTF-8`,
    path: name,
    document: name,
    violations: [notUtf8],
  });
}
