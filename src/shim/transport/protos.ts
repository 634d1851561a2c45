/** The messages of proto/, by the names that the code uses. */
import '../../sys/polyfill.js';
import protobuf from 'protobufjs/minimal.js';
import * as protos from '../../../build/gen/protos.js';

// 64-bit integers are numbers: what is read here is exact as such, and what is written may be { low, high } too.
protobuf.util.Long = undefined as never;
protobuf.configure();
// A message has memory of its own. protobufjs cuts all from pieces of 8 KB, and a message that waits keeps its piece whole.
protobuf.Writer.alloc = (size) => new Uint8Array(size);

export import task = protos.containerd.task.v3;
export import events = protos.containerd.events;
export import types = protos.containerd.types;
export import ttrpc = protos.ttrpc;
export import google = protos.google;
export import runcOptions = protos.containerd.runc.v1;
export import linuxRunc = protos.containerd.linux.runc;
export import runtimeOptions = protos.runtimeoptions.v1;
export import bootstrap = protos.containerd.runtime.bootstrap.v1;
export import cgroup1 = protos.io.containerd.cgroups.v1;
export import cgroup2 = protos.io.containerd.cgroups.v2;
