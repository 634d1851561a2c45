/** The messages of the API for scripts in proto/, under short names. */
import '../transport/protobuf-setup.js';
import * as protos from '../../../build/gen/runt.js';

export import api = protos.runt.v1;
export import health = protos.grpc.health.v1;
export import rpc = protos.google.rpc;
