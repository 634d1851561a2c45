/** D-Bus messages as bytes (dbus-specification, "Message Protocol"): writes little-endian, reads both byte orders. */
import { RuntError } from '../../sys/error.js';
import { host } from '../../sys/host.js';
import { types, type Value, type Variant } from './variant.js';

export const CALL = 1;
export const REPLY = 2;
export const ERROR = 3;
export const SIGNAL = 4;
/** Maximum message length in the specification. */
const maxMessage = 1 << 27;

/** Codes of the header's fields. */
const fieldCodes = {
  path: 1,
  interface: 2,
  member: 3,
  error: 4,
  replySerial: 5,
  destination: 6,
  sender: 7,
  signature: 8,
} as const;

export interface Message {
  readonly type: number;
  readonly serial: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  /** Name of the D-Bus error. */
  readonly error?: string;
  readonly replySerial?: number;
  readonly destination?: string;
  readonly signature: string;
  readonly body: readonly Value[];
}

const sizes: { readonly [type: string]: number } = {
  y: 1,
  n: 2,
  q: 2,
  b: 4,
  i: 4,
  u: 4,
  h: 4,
  x: 8,
  t: 8,
  d: 8,
  s: 4,
  o: 4,
  g: 1,
  v: 1,
  a: 4,
  '(': 8,
  '{': 8,
};
const alignment = (type: string): number => sizes[type[0]!] ?? 1;

export function encodeMessage(m: Omit<Message, 'body'> & { readonly body: readonly Value[] }): Uint8Array {
  const body = new Writer();
  for (const [i, type] of types(m.signature).entries()) body.put(type, m.body[i]!);
  const fields: Value[] = [];
  const field = (code: number, signature: string, value: Value | undefined) => {
    if (value !== undefined && value !== '') fields.push([BigInt(code), { signature, value }]);
  };
  field(fieldCodes.path, 'o', m.path);
  field(fieldCodes.interface, 's', m.interface);
  field(fieldCodes.member, 's', m.member);
  field(fieldCodes.error, 's', m.error);
  field(fieldCodes.replySerial, 'u', m.replySerial === undefined ? undefined : BigInt(m.replySerial));
  field(fieldCodes.destination, 's', m.destination);
  field(fieldCodes.signature, 'g', m.signature);
  const head = new Writer();
  for (const byte of [0x6c, m.type, 0, 1]) head.put('y', BigInt(byte));
  head.put('u', BigInt(body.length));
  head.put('u', BigInt(m.serial));
  head.put('a(yv)', fields);
  head.align(8);
  const out = new Uint8Array(head.length + body.length);
  out.set(head.bytes());
  out.set(body.bytes(), head.length);
  return out;
}

/** Length of the message that begins with these 16 bytes. @throws RuntError ERR_SYSTEMD */
export function messageLength(head: Uint8Array): number {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const little = isLittleEndian(head);
  const length = 16 + Math.ceil(view.getUint32(12, little) / 8) * 8 + view.getUint32(4, little);
  if (head[3] !== 1 || length > maxMessage) throw malformedError();
  return length;
}

/** Reads one whole message. @throws RuntError ERR_SYSTEMD */
export function decodeMessage(bytes: Uint8Array): Message {
  try {
    const reader = new Reader(bytes, isLittleEndian(bytes));
    reader.at = 8;
    const serial = Number(reader.get('u'));
    const found: { [code: string]: Value } = {};
    for (const [code, variant] of reader.get('a(yv)') as readonly [bigint, Variant][])
      found[String(code)] = variant.value;
    reader.align(8);
    const signature = (found[fieldCodes.signature] ?? '') as string;
    const body = types(signature).map((type) => reader.get(type));
    const text = (key: 'path' | 'interface' | 'member' | 'error' | 'destination') => {
      const value = found[fieldCodes[key]];
      return value === undefined ? {} : { [key]: value as string };
    };
    const replySerial = found[fieldCodes.replySerial];
    return {
      type: bytes[1]!,
      serial,
      ...text('path'),
      ...text('interface'),
      ...text('member'),
      ...text('error'),
      ...text('destination'),
      ...(replySerial !== undefined && { replySerial: Number(replySerial) }),
      signature,
      body,
    };
  } catch (error) {
    if (error instanceof RuntError) throw error;
    throw malformedError();
  }
}

function isLittleEndian(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0x6c && bytes[0] !== 0x42) throw malformedError();
  return bytes[0] === 0x6c;
}

const malformedError = (): RuntError =>
  new RuntError({ code: 'ERR_SYSTEMD', message: 'read from D-Bus: the message is malformed' });

class Writer {
  private buffer = new Uint8Array(512);
  length = 0;

  bytes(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }

  align(n: number): void {
    this.room(Math.ceil(this.length / n) * n - this.length);
  }

  put(type: string, value: Value): void {
    this.align(alignment(type));
    const t = type[0]!;
    if (t === 'a') {
      this.array(type.slice(1), value as readonly Value[]);
      return;
    }
    if (t === '(' || t === '{') {
      for (const [i, inner] of types(type.slice(1, -1)).entries()) this.put(inner, (value as readonly Value[])[i]!);
      return;
    }
    if (t === 'v') {
      const variant = value as Variant;
      this.put('g', variant.signature);
      this.put(variant.signature, variant.value);
      return;
    }
    if (t === 's' || t === 'o' || t === 'g') {
      const text = host.encode(value as string);
      this.put(t === 'g' ? 'y' : 'u', BigInt(text.length));
      const at = this.room(text.length + 1);
      this.buffer.set(text, at);
      return;
    }
    const size = sizes[t]!;
    const at = this.room(size);
    const view = new DataView(this.buffer.buffer);
    if (t === 'd') {
      view.setFloat64(at, value as number, true);
      return;
    }
    const n = typeof value === 'boolean' ? (value ? 1n : 0n) : (value as bigint);
    if (size === 1) view.setUint8(at, Number(n));
    else if (size === 2) view.setUint16(at, Number(BigInt.asUintN(16, n)), true);
    else if (size === 4) view.setUint32(at, Number(BigInt.asUintN(32, n)), true);
    else view.setBigUint64(at, BigInt.asUintN(64, n), true);
  }

  /** The length counts the elements only, not the padding before the first. */
  private array(element: string, values: readonly Value[]): void {
    const at = this.room(4);
    this.align(alignment(element));
    const start = this.length;
    for (const value of values) this.put(element, value);
    new DataView(this.buffer.buffer).setUint32(at, this.length - start, true);
  }

  private room(n: number): number {
    const at = this.length;
    if (at + n > this.buffer.length) {
      const larger = new Uint8Array(2 * (at + n));
      larger.set(this.buffer);
      this.buffer = larger;
    }
    this.length += n;
    return at;
  }
}

class Reader {
  at = 0;
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly little: boolean,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  align(n: number): void {
    this.at = Math.ceil(this.at / n) * n;
  }

  get(type: string): Value {
    this.align(alignment(type));
    const t = type[0]!;
    switch (t) {
      case 'a': {
        const end = Number(this.get('u'));
        const element = type.slice(1);
        this.align(alignment(element));
        const stop = this.at + end;
        if (stop > this.bytes.length) throw malformedError();
        const list: Value[] = [];
        while (this.at < stop) list.push(this.get(element));
        return list;
      }
      case '(':
      case '{':
        return types(type.slice(1, -1)).map((inner) => this.get(inner));
      case 'v': {
        const signature = this.get('g') as string;
        if (types(signature).length !== 1) throw malformedError();
        return { signature, value: this.get(signature) };
      }
      case 's':
      case 'o':
      case 'g': {
        const length = Number(this.get(t === 'g' ? 'y' : 'u'));
        const start = this.take(length + 1);
        return host.decode(this.bytes.subarray(start, start + length), length);
      }
      case 'b':
        return this.view.getUint32(this.take(4), this.little) === 1;
      case 'd':
        return this.view.getFloat64(this.take(8), this.little);
      case 'y':
        return BigInt(this.view.getUint8(this.take(1)));
      case 'n':
        return BigInt(this.view.getInt16(this.take(2), this.little));
      case 'q':
        return BigInt(this.view.getUint16(this.take(2), this.little));
      case 'i':
        return BigInt(this.view.getInt32(this.take(4), this.little));
      case 'u':
      case 'h':
        return BigInt(this.view.getUint32(this.take(4), this.little));
      case 'x':
        return this.view.getBigInt64(this.take(8), this.little);
      case 't':
        return this.view.getBigUint64(this.take(8), this.little);
      default:
        throw malformedError();
    }
  }

  private take(n: number): number {
    const at = this.at;
    if (at + n > this.bytes.length) throw malformedError();
    this.at += n;
    return at;
  }
}
