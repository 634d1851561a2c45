/** The messages of containerd in proto/, under short names. */
import './protobuf-setup.js';
import * as protos from '../../../build/gen/protos.js';

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
