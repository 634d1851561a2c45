/** The gRPC status of an error. */
import { clipped } from '../../sys/report/clipped-text.js';
import { type CallStatus, statusOf } from '../transport/status-code.js';

/**
 * Cuts the details of a status. They are a header, percent-encoded (grpc: PROTOCOL-HTTP2): HTTP/2 has room for 64 KiB,
 * and a longer one ends the connection without an answer.
 */
const bounded = (text: string): string => (encodeURI(text).length <= 32 << 10 ? text : clipped(text, 3500));

export function failureOf(error: unknown): CallStatus {
  const status = statusOf(error);
  return { ...status, message: bounded(status.message) };
}
