/** Statistics of a pod: those of the cgroup above its containers. */
import { readCgroupFacts } from '../../cgroup/cgroup-facts.js';
import { cgroupPaths } from '../../cgroup/cgroup-paths.js';
import { slicePath } from '../../cgroup/systemd/unit-name.js';
import { metricsOf } from '../containerd/containerd-metrics.js';
import type { google } from '../transport/protos.js';
import { Code, StatusError } from '../transport/status-code.js';

/** @param parent cgroup_parent of the pod @throws StatusError FAILED_PRECONDITION, RuntError */
export function podMetrics(parent: string): google.protobuf.Any.$Properties {
  if (parent === '') throw new StatusError(Code.FAILED_PRECONDITION, 'the pod has no cgroup_parent to measure');
  const facts = readCgroupFacts();
  const path = parent.endsWith('.slice') && !parent.includes('/') ? slicePath(parent, parent) : parent;
  const { v1, unified } = cgroupPaths(facts, path, '', { rootless: false });
  const directories = facts.layout === 'v2' && unified ? [unified.path] : v1.map((hierarchy) => hierarchy.path);
  return metricsOf(facts, directories);
}
