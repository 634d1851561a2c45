/** Base64 (RFC 4648, section 4), which QuickJS does not have. */
import '../transport/protobuf-setup.js';
import protobuf from 'protobufjs/minimal.js';

const { base64 } = protobuf.util;

/** The bytes of a text with its padding. */
export function base64Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(base64.length(text));
  base64.decode(text, bytes, 0);
  return bytes;
}

/** Bytes as text without padding. */
export const base64Text = (bytes: Uint8Array): string => base64.encode(bytes, 0, bytes.length).replace(/=+$/, '');
