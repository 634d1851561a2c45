// A stand-in for systemd on a node: a D-Bus server on its private socket that has one service, and can restart it. Its
// messages are those of src/cgroup/systemd/bus-message.ts.
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { buildSync } from 'esbuild';

const manager = { path: '/org/freedesktop/systemd1', interface: 'org.freedesktop.systemd1.Manager' };

const { outputFiles } = buildSync({
  stdin: {
    contents: "export * from './cgroup/systemd/bus-message.ts'; export { setHost } from './sys/host.ts';",
    resolveDir: join(import.meta.dirname, '../../src'),
  },
  bundle: true,
  format: 'esm',
  write: false,
});
const encoded = Buffer.from(outputFiles[0].contents).toString('base64');
const bus = await import(`data:text/javascript;base64,${encoded}`);
bus.setHost({ encode: (text) => Buffer.from(text), decode: (bytes) => Buffer.from(bytes).toString() });

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
    const sends = (type, fields, signature, ...body) =>
      socket.write(bus.encodeMessage({ type, serial: 1, ...fields, signature, body }));
    const answers = async ({ serial, member, body }) => {
      const reply = { replySerial: serial };
      if (member === 'ListUnitsByNames') {
        const states = (name) => (name === unit ? ['loaded', 'active', 'running'] : ['not-found', 'inactive', 'dead']);
        const units = body[0].map((name) => [name, '', ...states(name), '', `${manager.path}/unit/x`, 0n, '', '/']);
        sends(bus.REPLY, reply, 'a(ssssssouso)', units);
        return;
      }
      if (!/^(?:Try|ReloadOr)?RestartUnit$/.test(member) || body[0] !== unit) {
        const error = { ...reply, error: 'org.freedesktop.DBus.Error.UnknownMethod' };
        sends(bus.ERROR, error, 's', `${member} ${body.join(' ')}`);
        return;
      }
      jobs.push(`${member} ${unit}`);
      const job = `${manager.path}/job/${jobs.length}`;
      const id = BigInt(jobs.length);
      sends(bus.REPLY, reply, 'o', job);
      const result = await restarts().then(
        () => 'done',
        () => 'failed',
      );
      sends(bus.SIGNAL, { ...manager, member: 'JobRemoved' }, 'uoss', id, job, unit, result);
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
      while (bytes.length >= 16 && bytes.length >= bus.messageLength(bytes)) {
        const length = bus.messageLength(bytes);
        answers(bus.decodeMessage(bytes.subarray(0, length)));
        bytes = bytes.subarray(length);
      }
    });
  };
  await new Promise((resolve) => createServer(serve).listen('/run/systemd/private', () => resolve()));
  return jobs;
}
