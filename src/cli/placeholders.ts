/** Placeholders for the values of flags in help, manual and completion. */

const byWord: Readonly<Record<string, string>> = {
  DIR: 'root bundle rootfs overlay image-path work-path parent-path cwd',
  FILE: 'config file process pid-file trace resources log',
  SOCKET: 'console-socket pidfd-socket',
  PATH: 'criu cgroup',
  ID: 'id',
  'NAME=VALUE': 'env',
  'UID[:GID]': 'user',
  'SRC:DST[:OPTIONS]': 'volume',
  'CONTAINER:HOST:SIZE': 'uid-map gid-map',
  'ADDRESS:PORT': 'page-server',
  'unix:///PATH': 'listen',
  'true|false|auto': 'rootless',
  NAME: 'hostname',
  URL: 'schema',
  GID: 'additional-gids',
  CAPABILITY: 'cap',
  PROFILE: 'apparmor lsm-profile',
  LABEL: 'process-label',
  CONTEXT: 'lsm-mount-context',
  SIGNAL: 'signal',
  DURATION: 'interval hook-timeout',
  NAMESPACE: 'empty-ns',
  SIZE: 'memory memory-reservation memory-swap kernel-memory kernel-memory-tcp',
  NUMBER: 'cpus',
  LIST: 'cpuset-cpus cpuset-mems',
  SCHEMA: 'l3-cache-schema mem-bw-schema',
  N: 'pids pids-limit blkio-weight cpu-burst cpu-idle cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-share',
};

/** The placeholder of a flag with a text value; `value` if the table lacks it (a test forbids that). */
export function placeholderOf(name: string): string {
  return Object.entries(byWord).find(([, flags]) => flags.split(' ').includes(name))?.[0] ?? 'value';
}
