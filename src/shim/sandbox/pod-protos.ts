/** The messages of proto/sandbox.proto and proto/pod.proto, under short names. */

// It configures protobufjs.
import '../transport/protos.js';
import * as protos from '../../../build/gen/pods.js';

export import pod = protos.runtime.v1;
export import sandboxes = protos.containerd.services.sandbox.v1;
export import sandboxTypes = protos.containerd.types;
