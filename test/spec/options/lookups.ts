/** A host for the tests of options: x86_64, Linux 6.1, a few files. */
import type { HostDevice, HostLookups } from '../../../src/spec/options/lookups.js';
import { capabilityNames } from '../../../src/sys/kernel-names.js';

export const files: Record<string, string> = {};

export const lookups: HostLookups = {
  text: (path) => files[path],
  machine: () => 'x86_64',
  release: () => '6.1.0-40-amd64',
  capabilities: (mapped) => (mapped ? capabilityNames() : capabilityNames().slice(0, 5)),
  environment: (name) => (name === 'HERE' ? 'a=b' : undefined),
  devices: (path) =>
    path === '/dev/two'
      ? ['a', 'sub/b'].map((name, minor) => node(`${path}/${name}`, minor))
      : path.startsWith('/dev/')
        ? [node(path, 229)]
        : path === '/etc'
          ? []
          : undefined,
  exists: () => true,
  names: (directory) =>
    Object.keys(files)
      .filter((path) => path.startsWith(`${directory}/`))
      .map((path) => path.slice(directory.length + 1)),
  bindsDevices: () => false,
  program: () => '/usr/bin/runt',
  containerPid: (id) => (id === 'web' ? 42 : 0),
  hardLimit: () => undefined,
};

const node = (path: string, minor: number): HostDevice => ({
  path,
  type: 'c',
  major: 10,
  minor,
  mode: 0o660,
  uid: 1,
  gid: 2,
});
