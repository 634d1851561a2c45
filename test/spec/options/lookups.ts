/** A host for the tests of options: x86_64, Linux 6.1, a few files. */
import type { HostLookups } from '../../../src/spec/options/lookups.js';
import { capabilityNames } from '../../../src/sys/kernel-names.js';

export const files: Record<string, string> = {};

export const lookups: HostLookups = {
  text: (path) => files[path],
  machine: () => 'x86_64',
  release: () => '6.1.0-40-amd64',
  capabilities: (mapped) => (mapped ? capabilityNames() : capabilityNames().slice(0, 5)),
  hardLimit: () => undefined,
};
