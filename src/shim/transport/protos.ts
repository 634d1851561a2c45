/** The messages of proto/, under short names. */
import '../../sys/polyfill.js';
import protobuf from 'protobufjs/minimal.js';
import * as protos from '../../../build/gen/protos.js';

// Decode 64-bit integers as numbers: those that runt reads are exact. To encode, { low, high } works too.
protobuf.util.Long = undefined as never;
protobuf.configure();
// Allocate each message by itself: protobufjs cuts slabs of 8 KB, and one queued message would hold a whole slab.
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
