// A stand-in for systemd on a node: a D-Bus server on its private socket that has one service, and can restart it. The
// wire format is that of https://dbus.freedesktop.org/doc/dbus-specification.html, in little endian.
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';

const manager = { path: '/org/freedesktop/systemd1', interface: 'org.freedesktop.systemd1.Manager' };
const [REPLY, ERROR, SIGNAL] = [2, 3, 4];
const fieldCodes = { path: 1, interface: 2, member: 3, error: 4, replySerial: 5, signature: 8 };

/** Bytes of values, each aligned as its type needs it. */
class Writer {
  bytes = [];
  align(to) {
    while (this.bytes.length % to !== 0) this.bytes.push(0);
  }
  u32(value) {
    this.align(4);
    for (let shift = 0; shift < 32; shift += 8) this.bytes.push((value >>> shift) & 0xff);
  }
  string(text) {
    this.u32(Buffer.byteLength(text));
    this.bytes.push(...Buffer.from(text), 0);
  }
  signature(text) {
    this.bytes.push(text.length, ...Buffer.from(text), 0);
  }
  /** An array of structures; `write` adds them. */
  structures(write) {
    this.u32(0);
    const length = this.bytes.length - 4;
    this.align(8);
    const from = this.bytes.length;
    write();
    const size = this.bytes.length - from;
    for (let i = 0; i < 4; i++) this.bytes[length + i] = (size >>> (8 * i)) & 0xff;
  }
}

/** @param {number} type @param {object} fields @param {string} signature @param {(w: Writer) => void} [body] */
function message(type, fields, signature = '', body = () => {}) {
  const content = new Writer();
  body(content);
  const all = new Writer();
  all.bytes.push('l'.charCodeAt(0), type, 0, 1);
  all.u32(content.bytes.length);
  all.u32(1);
  const given = { ...fields, ...(signature && { signature }) };
  all.structures(() => {
    for (const [name, value] of Object.entries(given)) {
      all.align(8);
      all.bytes.push(fieldCodes[name]);
      const of = name === 'path' ? 'o' : name === 'signature' ? 'g' : name === 'replySerial' ? 'u' : 's';
      all.signature(of);
      if (of === 'u') all.u32(value);
      else if (of === 'g') all.signature(value);
      else all.string(value);
    }
  });
  all.align(8);
  return Buffer.from([...all.bytes, ...content.bytes]);
}

const padded = (n, to) => Math.ceil(n / to) * to;
const text = (bytes, at) => bytes.toString('utf8', at + 4, at + 4 + bytes.readUInt32LE(at));

/** The serial, the member and the strings of a call at the start of the bytes; undefined until it is whole. */
function call(bytes) {
  if (bytes.length < 16) return undefined;
  const [bodyLength, serial, fieldsLength] = [4, 8, 12].map((at) => bytes.readUInt32LE(at));
  const start = padded(16 + fieldsLength, 8);
  const length = start + bodyLength;
  if (bytes.length < length) return undefined;
  let member = '';
  let signature = '';
  for (let at = 16; at < 16 + fieldsLength; ) {
    at = padded(at, 8);
    const code = bytes[at];
    const type = String.fromCharCode(bytes[at + 2]);
    at += 4;
    if (type === 'g') {
      if (code === fieldCodes.signature) signature = bytes.toString('latin1', at + 1, at + 1 + bytes[at]);
      at += bytes[at] + 2;
      continue;
    }
    at = padded(at, 4);
    if (code === fieldCodes.member) member = text(bytes, at);
    at += type === 'u' ? 4 : 5 + bytes.readUInt32LE(at);
  }
  const strings = [];
  for (let at = start + (signature === 'as' ? 4 : 0); at < length; at += 5 + bytes.readUInt32LE(at)) {
    at = padded(at, 4);
    strings.push(text(bytes, at));
  }
  return { serial, member, strings, length };
}

/**
 * Serves at /run/systemd/private.
 * @param {string} unit the only one that runs @param {() => Promise<void>} restarts
 * @returns {Promise<string[]>} the jobs: it grows with each one
 */
export async function systemd(unit, restarts) {
  mkdirSync('/run/systemd/system', { recursive: true });
  const jobs = [];
  const serve = (socket) => {
    let bytes = Buffer.alloc(0);
    let isAuthenticated = false;
    const answers = async ({ serial, member, strings }) => {
      const reply = { replySerial: serial };
      if (member === 'ListUnitsByNames')
        return socket.write(
          message(REPLY, reply, 'a(ssssssouso)', (w) =>
            w.structures(() => {
              for (const name of strings) {
                w.align(8);
                const states = name === unit ? ['loaded', 'active', 'running'] : ['not-found', 'inactive', 'dead'];
                for (const value of [name, '', ...states, '']) w.string(value);
                w.string(`${manager.path}/unit/x`);
                w.u32(0);
                w.string('');
                w.string('/');
              }
            }),
          ),
        );
      const isRestart = /^(?:Try|ReloadOr)?RestartUnit$/.test(member) && strings[0] === unit;
      if (!isRestart) {
        const error = { ...reply, error: 'org.freedesktop.DBus.Error.UnknownMethod' };
        return socket.write(message(ERROR, error, 's', (w) => w.string(`${member} ${strings.join(' ')}`)));
      }
      jobs.push(`${member} ${unit}`);
      const job = `${manager.path}/job/${jobs.length}`;
      socket.write(message(REPLY, reply, 'o', (w) => w.string(job)));
      const result = await restarts().then(
        () => 'done',
        () => 'failed',
      );
      const body = (w) => {
        w.u32(jobs.length);
        for (const value of [job, unit, result]) w.string(value);
      };
      return socket.write(message(SIGNAL, { ...manager, member: 'JobRemoved' }, 'uoss', body));
    };
    socket.on('error', () => socket.destroy());
    socket.on('data', (data) => {
      bytes = Buffer.concat([bytes, data]);
      if (!isAuthenticated) {
        const end = bytes.indexOf('BEGIN\r\n');
        if (end < 0) return;
        isAuthenticated = true;
        bytes = bytes.subarray(end + 7);
        socket.write('DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n');
      }
      for (let next = call(bytes); next; next = call(bytes)) {
        bytes = bytes.subarray(next.length);
        answers(next);
      }
    });
  };
  await new Promise((resolve) => createServer(serve).listen('/run/systemd/private', () => resolve()));
  return jobs;
}
