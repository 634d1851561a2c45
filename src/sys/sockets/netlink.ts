/** The encoding of rtnetlink(7): requests to the kernel and its answers. Pure. */
import { host } from '../host.js';

export const RTM_NEWLINK = 16;
export const RTM_GETLINK = 18;
export const RTM_NEWADDR = 20;
export const RTM_GETADDR = 22;

export const NLM_F_DUMP = 0x300;
export const NLM_F_CREATE_EXCL = 0x600;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_ACK_TLVS = 0x200;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSGERR_ATTR_MSG = 1;

export const IFLA_IFNAME = 3;
export const IFLA_NET_NS_FD = 28;
export const IFF_UP = 0x1;

export const IFA_LABEL = 3;
export const IFA_CACHEINFO = 6;
export const IFA_FLAGS = 8;
export const IFA_F_PERMANENT = 0x80;
export const RT_SCOPE_UNIVERSE = 0;

const HEADER = 16;
const align = (n: number): number => (n + 3) & ~3;

/** Type and value; the value of a nested attribute is not decoded. */
type Attribute = readonly [type: number, value: Uint8Array];

/** One message of the kernel: its type, and the bytes after the header. */
export interface Message {
  readonly type: number;
  readonly body: Uint8Array;
}

/** The kernel's answer to a request. */
export interface Answer {
  readonly messages: readonly Message[];
  /** Positive; 0 for success. */
  readonly errno: number;
  /** The kernel's error text (NLMSGERR_ATTR_MSG); may be empty. */
  readonly errorText: string;
  /** Whether this is the last part of the answer. */
  readonly done: boolean;
}

/** A request, which the kernel acknowledges. @param fixed the structure at the start of its type */
export function encodeRequest(
  type: number,
  flags: number,
  fixed: Uint8Array,
  attributes: readonly Attribute[] = [],
): Uint8Array {
  const size = attributes.reduce((n, [, value]) => n + align(4 + value.length), HEADER + align(fixed.length));
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, size, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags | NLM_F_REQUEST | NLM_F_ACK, true);
  bytes.set(fixed, HEADER);
  let at = HEADER + align(fixed.length);
  for (const [kind, value] of attributes) {
    view.setUint16(at, 4 + value.length, true);
    view.setUint16(at + 2, kind, true);
    bytes.set(value, at + 4);
    at += align(4 + value.length);
  }
  return bytes;
}

/** Decodes one datagram. */
export function decodeAnswer(bytes: Uint8Array): Answer {
  const messages: Message[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const length = view.getUint32(at, true);
    if (length < HEADER || at + length > bytes.length) break;
    const type = view.getUint16(at + 4, true);
    const body = bytes.subarray(at + HEADER, at + length);
    if (type === NLMSG_ERROR || type === NLMSG_DONE) {
      const errno = body.length < 4 ? 0 : -view.getInt32(at + HEADER, true);
      const hasAttributes = type === NLMSG_ERROR && (view.getUint16(at + 6, true) & NLM_F_ACK_TLVS) !== 0;
      // With NETLINK_CAP_ACK the kernel repeats only the header of the request.
      const errorText = hasAttributes
        ? parseAttributes(body, 4 + HEADER).find(([kind]) => kind === NLMSGERR_ATTR_MSG)?.[1]
        : undefined;
      return { messages, errno, errorText: errorText ? text(errorText) : '', done: true };
    }
    messages.push({ type, body });
    at += align(length);
  }
  return { messages, errno: 0, errorText: '', done: false };
}

/** The attributes of a message, after its structure of `offset` bytes. */
export function parseAttributes(body: Uint8Array, offset: number): Attribute[] {
  const found: Attribute[] = [];
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  for (let at = align(offset); at + 4 <= body.length; ) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > body.length) break;
    found.push([view.getUint16(at + 2, true) & 0x3fff, body.slice(at + 4, at + length)]);
    at += align(length);
  }
  return found;
}

/** An unsigned 32-bit value. */
export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** A name, ended by NUL. */
export const name = (value: string): Uint8Array => host.encode(`${value}\0`);

/** A NUL-terminated string. */
export function text(value: Uint8Array): string {
  const end = value.indexOf(0);
  return host.decode(value, end < 0 ? value.length : end);
}

/** struct ifinfomsg: an interface by index (0: by its name), whose flags in `change` are set to those of `flags`. */
export function ifinfo(index: number, flags = 0, change = 0): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setInt32(4, index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, change, true);
  return bytes;
}

/** struct ifaddrmsg */
export interface Address {
  readonly family: number;
  readonly prefix: number;
  readonly flags: number;
  readonly scope: number;
  readonly index: number;
  readonly attributes: readonly Attribute[];
}

const IFADDRMSG = 8;

/** The address of an RTM_NEWADDR message. */
export function parseAddress(body: Uint8Array): Address {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const found = parseAttributes(body, IFADDRMSG);
  const wide = found.find(([kind]) => kind === IFA_FLAGS)?.[1];
  return {
    family: body[0] as number,
    prefix: body[1] as number,
    flags: wide ? new DataView(wide.buffer, wide.byteOffset).getUint32(0, true) : (body[2] as number),
    scope: body[3] as number,
    index: view.getInt32(4, true),
    attributes: found,
  };
}

/** struct ifaddrmsg of an address; flags go into IFA_FLAGS. */
export function ifaddr({ family, prefix, scope, index }: Address): Uint8Array {
  const bytes = new Uint8Array(IFADDRMSG);
  bytes.set([family, prefix, 0, scope]);
  new DataView(bytes.buffer).setInt32(4, index, true);
  return bytes;
}
