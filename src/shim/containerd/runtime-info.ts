/** `-info`: the runtime's features, for containerd and its CRI clients. */
import { features } from '../../plan/features-document.js';
import { host } from '../../sys/host.js';
import { commit, version } from '../../sys/runt-version.js';
import type { ShimName } from '../shim-main.js';
import { type google, types } from '../transport/protos.js';
import { mountAnnotations } from './mount-capabilities.js';

/** The encoded RuntimeInfo of the program `shim`; it repeats the `options` of the request. */
export function encodeRuntimeInfo(shim: ShimName, options: google.protobuf.Any.$Properties): Uint8Array {
  return types.RuntimeInfo.encode({
    name: shim.replace('containerd-shim-', 'io.containerd.').replace(/-v1$/, '.v1'),
    version: { version: version(), revision: commit() },
    ...(options.type_url && { options }),
    annotations: mountAnnotations,
    features: {
      type_url: 'types.containerd.io/opencontainers/runtime-spec/1/features/Features',
      value: host.encode(JSON.stringify(features())),
    },
  }).finish();
}
