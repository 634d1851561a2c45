/** The config of a pod's first process, from CRI's description. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { resolvConf } from '../../../src/shim/sandbox/pod-files.js';
import { pod } from '../../../src/shim/sandbox/pod-protos.js';
import { podSeccomp } from '../../../src/shim/sandbox/pod-seccomp.js';
import { cgroupsPath, type PodHost, podSpec } from '../../../src/shim/sandbox/pod-spec.js';
import { parseSpec } from '../../../src/spec/load-config.js';
import { host } from '../../../src/sys/host.js';
import { useNodeHost } from '../../../src/sys/node-host.js';

useNodeHost();
const test = suite('pod spec');
const { NODE, POD, TARGET } = pod.NamespaceMode;
const here: PodHost = { id: 'p', netns: '/run/netns/x', oomScoreAdj: -998 };

/** The config, which must be a valid one; `config` goes over the wire as CRI sends it. */
function specOf(config: pod.PodSandboxConfig.$Properties, at: PodHost = here) {
  const spec = podSpec(pod.PodSandboxConfig.decode(pod.PodSandboxConfig.encode(config).finish()), at);
  const json = host.encode(JSON.stringify(spec));
  parseSpec(json, json.length, 'the config of a pod');
  return spec;
}

test('an empty description makes new namespaces, but for the network, and containerd’s sysctls', () => {
  const { linux, hostname, process } = specOf({});
  assert.equal(linux?.namespaces, [
    { type: 'mount' },
    { type: 'pid' },
    { type: 'ipc' },
    { type: 'uts' },
    { type: 'network', path: '/run/netns/x' },
  ]);
  assert.equal(linux?.sysctl, {
    'net.ipv4.ip_unprivileged_port_start': '0',
    'net.ipv4.ping_group_range': '0 2147483647',
  });
  assert.is(hostname, undefined);
  assert.is(process?.oomScoreAdj, -998);
  assert.equal(linux?.cgroupsPath, undefined);
});

test('a pod on the host’s network has its name and its parameters', () => {
  const { linux, hostname } = specOf(
    { hostname: 'x', linux: { securityContext: { namespaceOptions: { network: NODE } } } },
    { ...here, netns: '' },
  );
  assert.is(hostname, undefined);
  assert.equal(linux?.sysctl, {});
  assert.equal(
    linux?.namespaces?.map(({ type }) => type),
    ['mount', 'pid', 'ipc'],
  );
});

test('parameters of the pod replace the defaults', () => {
  const sysctls = { 'net.ipv4.ping_group_range': '0 1', 'kernel.msgmax': '9000' };
  assert.equal(specOf({ linux: { sysctls } }).linux?.sysctl, {
    'net.ipv4.ip_unprivileged_port_start': '0',
    ...sysctls,
  });
});

test('a user namespace has the maps, and no range of the host’s groups', () => {
  const maps = [{ hostId: 100_000, containerId: 0, length: 65_536 }];
  const usernsOptions = { mode: POD, uids: maps, gids: maps };
  const { linux } = specOf({ linux: { securityContext: { namespaceOptions: { usernsOptions } } } });
  assert.equal(linux?.uidMappings, [{ containerID: 0, hostID: 100_000, size: 65_536 }]);
  assert.equal(linux?.namespaces?.at(-1), { type: 'user' });
  assert.equal(Object.keys(linux?.sysctl ?? {}), ['net.ipv4.ip_unprivileged_port_start']);
  const empty = { linux: { securityContext: { namespaceOptions: { usernsOptions: { mode: POD } } } } };
  assert.throws(() => specOf(empty), /needs mappings of uids and of gids/);
});

test('modes that a pod cannot have are refused by name', () => {
  for (const [name, options] of [
    ['network', { network: TARGET }],
    ['ipc', { ipc: TARGET }],
    ['userns_options', { usernsOptions: { mode: TARGET } }],
  ] as const)
    assert.throws(
      () => specOf({ linux: { securityContext: { namespaceOptions: options } } }),
      new RegExp(`mode 3 of ${name} is not supported`),
    );
  assert.throws(() => specOf({ linux: { securityContext: { runAsGroup: { value: 5 } } } }), /without run_as_user/);
});

test('SELinux labels are those of the pod, unless it is privileged', () => {
  const labels = { process: 'u:r:container_t:s0:c1,c2', mount: 'u:object_r:container_file_t:s0:c1,c2' };
  assert.is(specOf({}, { ...here, labels }).process?.selinuxLabel, labels.process);
  assert.is(specOf({}, { ...here, labels }).linux?.mountLabel, labels.mount);
  const privileged = specOf({ linux: { securityContext: { privileged: true } } }, { ...here, labels });
  assert.is(privileged.process?.selinuxLabel, undefined);
});

test('annotations tell plugins what the pod is', () => {
  const metadata = { name: 'n', namespace: 'ns', uid: 'u' };
  const { annotations } = specOf({ metadata, linux: { resources: { cpuShares: 7, memoryLimitInBytes: 9 } } });
  assert.is(annotations?.['io.kubernetes.cri.container-type'], 'sandbox');
  assert.is(annotations?.['io.kubernetes.cri.sandbox-id'], 'p');
  assert.is(annotations?.['io.kubernetes.cri.sandbox-namespace'], 'ns');
  assert.is(annotations?.['io.kubernetes.cri.sandbox-cpu-shares'], '7');
  assert.is(annotations?.['io.kubernetes.cri.sandbox-memory'], '9');
});

test('the cgroup has the form of systemd if the parent is a slice', () => {
  for (const [parent, path] of [
    ['/kubepods/pod1', '/kubepods/pod1/p'],
    ['/kubepods/pod1/', '/kubepods/pod1/p'],
    ['/kubepods.slice/kubepods-pod1.slice', 'kubepods-pod1.slice:cri-containerd:p'],
    ['kubepods-pod1.slice', 'kubepods-pod1.slice:cri-containerd:p'],
  ])
    assert.is(cgroupsPath(parent as string, 'p'), path);
});

test('resolv.conf has what CRI names, in the order of resolv.conf(5)', () => {
  assert.is(resolvConf({}), '');
  assert.is(
    resolvConf({ servers: ['1.1.1.1', '2.2.2.2'], searches: ['a', 'b'], options: ['ndots:5', 'edns0'] }),
    'search a b\nnameserver 1.1.1.1\nnameserver 2.2.2.2\noptions ndots:5 edns0\n',
  );
});

test('the filter is that of the security context, in its old form too', () => {
  const { RuntimeDefault, Unconfined } = pod.SecurityProfile.ProfileType;
  assert.is(podSeccomp({}), undefined);
  assert.is(podSeccomp({ seccomp: { profileType: Unconfined } }), undefined);
  assert.is(podSeccomp({ seccompProfilePath: 'unconfined' }), undefined);
  assert.is(podSeccomp({ privileged: true, seccomp: { profileType: RuntimeDefault } }), undefined);
  const own = podSeccomp({ seccomp: { profileType: RuntimeDefault } });
  assert.is(own?.defaultAction, 'SCMP_ACT_ERRNO');
  assert.equal(podSeccomp({ seccompProfilePath: 'runtime/default' }), own);
  assert.throws(() => podSeccomp({ seccompProfilePath: 'x' }), /the profile "x" is not known/);
  assert.throws(() => podSeccomp({ seccompProfilePath: 'localhost/x' }), /the profile "x" is not an absolute path/);
});

test.run();
