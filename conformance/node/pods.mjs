// How pods are written and read: manifests, conditions, and the facts of a status that no runtime may change.

export const image = 'registry.k8s.io/e2e-test-images/busybox:1.29-2';
export const webImage = 'registry.k8s.io/e2e-test-images/nginx:1.14-2';

/** A container: a text is a script of its shell. */
export function container(name, command, more = {}) {
  const words = typeof command === 'string' ? ['sh', '-c', command] : command;
  return { name, image, imagePullPolicy: 'IfNotPresent', ...(words && { command: words }), ...more };
}

/** A pod of one container or several. It is not restarted, and has three seconds to end. */
export const pod = (name, containers, spec = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels: { app: name }, annotations: { note: 'hello' } },
  spec: {
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 3,
    enableServiceLinks: false,
    containers: [containers].flat(),
    ...spec,
  },
});

/** A script that says that it runs, and goes on when /tmp/go is there. */
export const waits = (script) => `echo runs; until [ -e /tmp/go ]; do sleep 0.1; done; ${script}`;
export const exec = (script) => ({ exec: { command: ['sh', '-c', script] } });
export const mount = (name, mountPath, more = {}) => ({ name, mountPath, ...more });
export const emptyDir = (name, options = {}) => ({ name, emptyDir: options });
export const hostPath = (name, path, type = 'DirectoryOrCreate') => ({ name, hostPath: { path, type } });

const statuses = ({ status }) => [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];

/** Of a pod that is killed the phase comes first: its containers have ended too. */
export const ended = (of) =>
  ['Succeeded', 'Failed'].includes(of.status.phase) && !statuses(of).some(({ state }) => state.running);
export const ready = ({ status }) =>
  status.phase === 'Running' &&
  (status.containerStatuses ?? []).length > 0 &&
  status.containerStatuses.every((c) => c.ready);
export const restarted =
  (times = 1) =>
  (of) =>
    statuses(of).some((c) => c.restartCount >= times);
/** Whether a container waits, or the pod ended, for that reason. */
export const because = (reason) => (of) =>
  of.status.reason === reason || statuses(of).some((c) => JSON.stringify(c.state).includes(`"${reason}"`));

/** A state in words, without ids and times. */
function words(state = {}) {
  const [[kind, of] = ['none', {}]] = Object.entries(state);
  const keys = ['exitCode', 'signal', 'reason', 'message'].filter((key) => of[key] !== undefined && of[key] !== '');
  return [kind, ...keys.map((key) => `${key}=${String(of[key]).trim().replaceAll('\n', ' ')}`)].join(' ');
}

/** Lines of a pod's status. */
export const facts = (of) => [
  `phase ${[of.status.phase, of.status.reason, of.status.message].filter(Boolean).join(' ')}`,
  ...statuses(of).map((c) => `${c.name}: ${words(c.state)}, restarts ${c.restartCount}, ready ${c.ready}`),
];
/** Lines of the last end of each container that was restarted: the rest depends on when it is read. */
export const lastEnds = (of) =>
  statuses(of)
    .filter((c) => c.restartCount > 0)
    .map((c) => `${c.name}: ended before: ${words(c.lastState)}`);
