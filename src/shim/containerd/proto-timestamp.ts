/** Timestamps on the wire (google.protobuf.Timestamp). */
import type { google } from '../transport/protos.js';

/** From nanoseconds since 1970. */
export function timestampOf(ns: bigint): google.protobuf.Timestamp.$Properties {
  return { seconds: Number(ns / 1_000_000_000n), nanos: Number(ns % 1_000_000_000n) };
}
