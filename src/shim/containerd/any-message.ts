/** The type name of an Any: `containerd.runc.v1.Options`, possibly after a host. */
import type { google } from '../transport/protos.js';

/** The name without a host; empty for none. */
export const typeName = (any: google.protobuf.Any.$Properties | null | undefined): string =>
  any?.type_url?.slice(any.type_url.lastIndexOf('/') + 1) ?? '';
