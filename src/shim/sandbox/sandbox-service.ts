/** The sandbox controller (proto/sandbox.proto): by it containerd drives the pods of a node. */

import { checkId } from '../../container/state/state-store.js';
import { host, native } from '../../sys/host.js';
import { typeName } from '../containerd/any-message.js';
import { timestampOf } from '../containerd/proto-timestamp.js';
import { log } from '../shim-log.js';
import type { Task } from '../task/task.js';
import type { Procedure, Unary } from '../transport/rpc.js';
import { Code, decodeMessage, StatusError } from '../transport/status-code.js';
import { unaryMethod } from '../transport/unary-method.js';
import { platform } from './node-platform.js';
import { levelOf } from './pod-labels.js';
import { pod, sandboxes } from './pod-protos.js';
import { Sandbox, type SandboxPlace } from './sandbox.js';
import { sandboxStatus } from './sandbox-status.js';

/** Version of the task service that the containers of a pod use. */
const taskVersion = 3;
/** containerd's name of the type of an OCI config. */
const specType = 'types.containerd.io/opencontainers/runtime-spec/1/Spec';

export class SandboxService {
  private readonly sandboxes = new Map<string, Sandbox>();
  /** The ids of the pods that are being created. */
  private readonly creating = new Set<string>();
  private readonly methods: Readonly<Record<string, Unary>>;

  constructor(
    private readonly place: SandboxPlace,
    /** Where containerd finds the task service. */
    private readonly address: string,
  ) {
    const of = (r: { sandboxId: string }) => this.sandbox(r.sandboxId);
    this.methods = {
      Create: unaryMethod(sandboxes.ControllerCreateRequest, sandboxes.ControllerCreateResponse, (r) => this.create(r)),
      Start: unaryMethod(sandboxes.ControllerStartRequest, sandboxes.ControllerStartResponse, (r) => this.start(of(r))),
      Platform: unaryMethod(sandboxes.ControllerPlatformRequest, sandboxes.ControllerPlatformResponse, (r) => {
        of(r);
        return { platform: platform() };
      }),
      Stop: unaryMethod(sandboxes.ControllerStopRequest, sandboxes.ControllerStopResponse, async (r) => {
        await of(r).stop(r.timeoutSecs);
        return {};
      }),
      Wait: unaryMethod(sandboxes.ControllerWaitRequest, sandboxes.ControllerWaitResponse, async (r, call) => {
        const { status, at } = await of(r).wait(call);
        return { exitStatus: status, exitedAt: at };
      }),
      Status: unaryMethod(sandboxes.ControllerStatusRequest, sandboxes.ControllerStatusResponse, (r) =>
        sandboxStatus(of(r), this.address, taskVersion, r.verbose),
      ),
      Shutdown: unaryMethod(sandboxes.ControllerShutdownRequest, sandboxes.ControllerShutdownResponse, (r) =>
        this.shutdown(r.sandboxId),
      ),
      Metrics: unaryMethod(sandboxes.ControllerMetricsRequest, sandboxes.ControllerMetricsResponse, async (r) => {
        const { podMetrics } = await import('./pod-metrics.js');
        const data = podMetrics(of(r).record.cgroupParent);
        return { metrics: { timestamp: timestampOf(native.realtime()), id: r.sandboxId, data } };
      }),
      // containerd announces new resources of the pod. Whoever announces them has written them to the pod's cgroup.
      Update: unaryMethod(sandboxes.ControllerUpdateRequest, sandboxes.ControllerUpdateResponse, (r) =>
        this.update(of(r), r),
      ),
    };
  }

  /** The procedures, for gRPC. */
  get procedures(): readonly (readonly [string, Procedure])[] {
    return Object.entries(this.methods).map(([name, unary]) => [
      `containerd.services.sandbox.v1.Controller/${name}`,
      { unary },
    ]);
  }

  /** The ids of the pods on disk. */
  recorded(): readonly string[] {
    return this.place.directory.ids();
  }

  /** Adds the pods of an earlier server. @param tasks the first processes among them, by id */
  adopt(tasks: ReadonlyMap<string, Task>): void {
    for (const id of this.recorded()) {
      try {
        const record = this.place.directory.load(id);
        if (record) this.sandboxes.set(id, Sandbox.adopted(this.place, id, record, tasks.get(id)));
        else Sandbox.removeUnfinished(this.place, id);
      } catch (error) {
        log(id, error);
      }
    }
  }

  /** Whether there is a pod of this id. */
  has(id: string): boolean {
    return this.sandboxes.has(id);
  }

  private sandbox(id: string): Sandbox {
    const found = this.sandboxes.get(id);
    if (!found) throw new StatusError(Code.NOT_FOUND, `sandbox ${id} does not exist`);
    return found;
  }

  private async create(r: sandboxes.ControllerCreateRequest): Promise<sandboxes.ControllerCreateResponse.$Properties> {
    const { sandboxId: id } = r;
    // Again: the server that made it was killed before it could answer.
    if (this.sandboxes.get(id)?.isUnansweredCreate) return { sandboxId: id };
    if (this.sandboxes.has(id) || this.creating.has(id))
      throw new StatusError(Code.ALREADY_EXISTS, `sandbox ${id} already exists`);
    checkId(id);
    const name = typeName(r.options);
    if (name !== 'runtime.v1.PodSandboxConfig')
      throw new StatusError(
        Code.INVALID_ARGUMENT,
        `Create of ${id} needs a runtime.v1.PodSandboxConfig as its options, not ${name || 'none'}`,
      );
    if (r.rootfs.length > 0)
      throw new StatusError(Code.INVALID_ARGUMENT, `Create of ${id} has a rootfs: a pod of runt needs none`);
    const config = decodeMessage(pod.PodSandboxConfig, r.options?.value ?? new Uint8Array());
    this.creating.add(id);
    try {
      const isUsed = (level: string) =>
        [...this.sandboxes.values()].some(({ record }) => levelOf(record.processLabel) === level);
      this.sandboxes.set(id, await Sandbox.create(this.place, r, config, isUsed));
    } finally {
      this.creating.delete(id);
    }
    return { sandboxId: id };
  }

  private async start(sandbox: Sandbox): Promise<sandboxes.ControllerStartResponse.$Properties> {
    const { id, record } = sandbox;
    try {
      await sandbox.start();
    } catch (error) {
      if (sandbox.pid === 0) this.sandboxes.delete(id);
      throw error;
    }
    return {
      sandboxId: id,
      pid: sandbox.pid,
      createdAt: timestampOf(sandbox.createdAt),
      labels: { oci_runtime_type: record.runtimeType, selinux_label: record.processLabel },
      address: this.address,
      version: taskVersion,
      spec: { type_url: specType, value: host.encode(sandbox.config) },
    };
  }

  private async shutdown(id: string): Promise<object> {
    const sandbox = this.sandbox(id);
    await sandbox.shutdown();
    this.sandboxes.delete(id);
    return {};
  }

  private update(sandbox: Sandbox, { fields }: sandboxes.ControllerUpdateRequest): object {
    const unknown = fields.find((field) => field !== 'extensions' && !field.startsWith('extensions.'));
    if (unknown !== undefined)
      throw new StatusError(Code.INVALID_ARGUMENT, `Update of ${sandbox.id}: ${unknown} of a pod cannot be changed`);
    return {};
  }
}
