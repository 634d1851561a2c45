/** Container records for tests. */
import type { ContainerRecord } from '../../../src/container/state/state-store.js';

/** A created container, whose process is the one that a test adds to FakeKernel with `pid: 2500`. */
export function recordOf(id: string, over: Partial<ContainerRecord> = {}): ContainerRecord {
  return {
    version: 1,
    ociVersion: '1.2.0',
    id,
    status: 'created',
    pid: 2500,
    startTime: '3500',
    bundle: '/b',
    rootfs: '/b/rootfs',
    created: '2026-01-01T00:00:00Z',
    owner: 0,
    cgroups: [],
    pidNamespace: true,
    ...over,
  };
}
