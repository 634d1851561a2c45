/** Any, a message under its name: `containerd.runc.v1.Options`, or with a host before it. */
import type { google } from '../transport/protos.js';

/** The name of what it holds, without a host; empty for none. */
export const typeName = (any: google.protobuf.Any.$Properties | null | undefined): string =>
  any?.type_url?.slice(any.type_url.lastIndexOf('/') + 1) ?? '';
