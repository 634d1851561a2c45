/** `--log journald:NAME` and `syslog:NAME`: one datagram a line, in the receiver's format. Loaded on demand. */
import { concatenate } from '../sys/append.js';
import { check } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { timestamp } from '../sys/timestamp.js';
import { keyValuePairs, type Sink } from './command-log.js';

const JOURNAL = '/run/systemd/journal/socket';
const SYSLOG = '/dev/log';
/** LOG_ERR, LOG_WARNING, LOG_DEBUG of syslog(3). */
const severity = { error: 3, warning: 4, debug: 7 } as const;
/** LOG_DAEMON. */
const facility = 3;
const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** Opens the socket of `--log`; NAME identifies the lines, `runt` if empty. Throws ERR_LOG. */
export function openSocket(log: string): { readonly fd: number; readonly sink: Sink } {
  const colon = log.indexOf(':');
  const name = log.slice(colon + 1) || 'runt';
  const journal = log.slice(0, colon) === 'journald';
  const path = journal ? JOURNAL : SYSLOG;
  const fd = check(native.datagramConnect(path), {
    code: 'ERR_LOG',
    message: `open the log ${log}: ${path}`,
    path,
    syscall: 'connect',
    hint: journal ? 'start systemd-journald: it does not run here' : 'start a syslog daemon: none listens here',
  });
  return { fd, sink: journal ? journalSink(name) : syslogSink(name) };
}

/** systemd.io/JOURNAL_NATIVE_PROTOCOL: a line for each field; a value with newlines follows its length, a u64. */
function journalSink(name: string): Sink {
  return (fd, level, message, fields) => {
    const parts = [
      field('MESSAGE', message),
      field('PRIORITY', String(severity[level])),
      field('SYSLOG_IDENTIFIER', name),
      ...Object.entries(fields)
        .filter(([key]) => key !== 'violations')
        .map(([key, value]) => field(`RUNT_${key.toUpperCase()}`, String(value))),
    ];
    return native.write(fd, concatenate(parts));
  };
}

function field(name: string, value: string): Uint8Array {
  if (!value.includes('\n')) return host.encode(`${name}=${value}\n`);
  const [head, body] = [host.encode(`${name}\n`), host.encode(`${value}\n`)];
  const data = new Uint8Array(head.length + 8 + body.length);
  data.set(head);
  new DataView(data.buffer).setBigUint64(head.length, BigInt(body.length - 1), true);
  data.set(body, head.length + 8);
  return data;
}

/** RFC 3164 in the form of musl's syslog(3), with the time in UTC. */
function syslogSink(name: string): Sink {
  return (fd, level, message, fields) => {
    const [date = '', time = ''] = timestamp(native.realtime()).split('T');
    const [, month, day] = date.split('-');
    const when = `${months[Number(month) - 1]} ${String(Number(day)).padStart(2)} ${time.slice(0, 8)}`;
    const text = [message.replaceAll('\n', ' '), ...keyValuePairs(fields)].join(' ');
    return native.write(
      fd,
      host.encode(`<${8 * facility + severity[level]}>${when} ${name}[${native.pid()}]: ${text}`),
    );
  };
}
