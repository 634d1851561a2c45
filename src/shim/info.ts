/** `-info`: what the runtime can do, for containerd and those who ask it (CRI). */
import { features } from '../plan/features.js';
import { host } from '../sys/host.js';
import { commit, version } from '../sys/version.js';
import { types } from './protos.js';

/** A RuntimeInfo as bytes. */
export function info(): Uint8Array {
  return types.RuntimeInfo.encode({
    name: 'io.containerd.runt.v1',
    version: { version: version(), revision: commit() },
    features: {
      type_url: 'types.containerd.io/opencontainers/runtime-spec/1/features/Features',
      value: host.encode(JSON.stringify(features())),
    },
  }).finish();
}
