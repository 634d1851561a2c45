// Static pods, each with what is to be the same with every runtime: its status, its logs, and what `after` finds.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { address, driver, eventually, output, page, processes } from './node.mjs';
import {
  because,
  container,
  emptyDir,
  ended,
  exec,
  facts,
  hostPath,
  image,
  lastEnds,
  mount,
  pod,
  ready,
  restarted,
  webImage,
} from './pods.mjs';

/** @type {Map<string, any>} */
export const scenarios = new Map();
/**
 * @param of the pod without its name: containers, and more of its spec
 * @param more `until`: what the pod is to reach, its end by default; `seconds`: how long that may take; `says`: the
 * last line of a log that goes on; `show`: the lines of its status; `before`; `after`: more lines
 */
const scenario = (name, [containers, spec = {}], more = {}) =>
  scenarios.set(name, { pod: pod(name, containers, spec), until: ended, show: facts, ...more });

const forever = 'while :; do sleep 0.1; done';
const always = { restartPolicy: 'Always' };
/** A probe; a busy machine may take seconds for one. */
const often = { periodSeconds: 1, timeoutSeconds: 10 };
const listens = 'nginx listens on port 80';

// How containers end.
scenario('exit-zero', [container('c', 'echo out')]);
scenario('exit-status', [container('c', 'echo out; echo error >&2; exit 3')]);
// The kubelet makes $$ of $$$$, and the first process of a pid namespace does not end by its own signal.
scenario('signal', [container('c', 'kill -SEGV $$$$'), { shareProcessNamespace: true }]);
scenario('no-program', [container('c', ['/nonexistent'])], { until: because('StartError') });
scenario('not-executable', [container('c', ['/etc/passwd'])], { until: because('StartError') });
scenario('directory-is-made', [container('c', 'pwd; ls -ld . | cut -c 1-10', { workingDir: '/not/there' })]);
scenario('many-containers', [Array.from({ length: 10 }, (_, i) => container(`c${i}`, `sleep 1; exit ${i}`))]);
scenario('deadline', [container('c', 'sleep 1000'), { activeDeadlineSeconds: 10 }]);
scenario('long-log', [
  container(
    'c',
    'i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; head -c 50000 /dev/zero | tr "\\0" y; echo',
  ),
]);

// Restarts.
scenario('restart-on-failure', [
  container('c', 'echo x >>/d/times; [ $(wc -l </d/times) = 3 ]', { volumeMounts: [mount('d', '/d')] }),
  { restartPolicy: 'OnFailure', volumes: [emptyDir('d')] },
]);
scenario('restart-always', [container('c', 'sleep 1; exit 5'), always], { until: restarted(2), show: lastEnds });

// Containers before the others.
scenario('init-containers', [
  container('c', 'cat /d/order', { volumeMounts: [mount('d', '/d')] }),
  {
    volumes: [emptyDir('d')],
    initContainers: [1, 2, 3].map((i) =>
      container(`i${i}`, `echo ${i} >>/d/order`, { volumeMounts: [mount('d', '/d')] }),
    ),
  },
]);
scenario('init-fails', [container('c', 'echo never'), { initContainers: [container('i', 'exit 7')] }]);
scenario('sidecar', [
  container('c', 'cat /d/order; exit 4', { volumeMounts: [mount('d', '/d')] }),
  {
    volumes: [emptyDir('d')],
    initContainers: [
      container('side', `trap "echo ends; exit 0" TERM; echo side >>/d/order; touch /d/ready; ${forever}`, {
        restartPolicy: 'Always',
        startupProbe: { ...exec('ls /d/ready'), ...often, failureThreshold: 60 },
        volumeMounts: [mount('d', '/d')],
      }),
      container('i', 'ls /d/ready; echo init >>/d/order', { volumeMounts: [mount('d', '/d')] }),
    ],
  },
]);

// Probes.
scenario(
  'probes-by-exec',
  [
    container('c', 'sleep 1; touch /tmp/ok; sleep 1000', {
      startupProbe: { ...exec('test -e /tmp/ok'), ...often, failureThreshold: 60 },
      readinessProbe: { ...exec('test -e /tmp/ok'), ...often },
      livenessProbe: { ...exec('test -e /tmp/ok'), ...often },
    }),
    always,
  ],
  { until: ready },
);
scenario(
  'probes-by-network',
  [
    container('c', undefined, {
      image: webImage,
      readinessProbe: { httpGet: { port: 80 }, ...often },
      livenessProbe: { tcpSocket: { port: 80 }, ...often, failureThreshold: 60 },
    }),
    always,
  ],
  { until: ready, says: listens },
);
scenario('not-ready', [container('c', 'sleep 1000', { readinessProbe: { ...exec('echo no; exit 1'), ...often } })], {
  until: ({ status }) =>
    status.conditions?.some((c) => c.type === 'ContainersReady' && c.reason === 'ContainersNotReady') &&
    status.phase === 'Running',
});
scenario(
  'liveness',
  [
    container('c', `trap "echo ends; exit 9" TERM; touch /tmp/ok /tmp/traps; (sleep 2; rm /tmp/ok) & ${forever}`, {
      startupProbe: { ...exec('cat /tmp/traps'), ...often, failureThreshold: 60 },
      livenessProbe: { ...exec('cat /tmp/ok'), ...often, failureThreshold: 1 },
    }),
    always,
  ],
  { until: restarted(), show: lastEnds },
);
const hasProcess = (text) => processes().some(({ words }) => words.join(' ').trim() === text);
scenario(
  'probe-times-out',
  [
    container('c', 'exec sleep 1000', {
      livenessProbe: { exec: { command: ['sleep', '7777'] }, periodSeconds: 2, timeoutSeconds: 1, failureThreshold: 2 },
    }),
    { ...always, terminationGracePeriodSeconds: 1 },
  ],
  {
    until: restarted(),
    show: lastEnds,
    after: async (node) => {
      await node.removes('probe-times-out');
      return [`a probe is left: ${!(await eventually(() => !hasProcess('sleep 7777')))}`];
    },
  },
);

// Hooks, and the end of a pod.
scenario('post-start', [
  container('c', 'until [ -e /tmp/p ]; do sleep 0.1; done; cat /tmp/p', {
    lifecycle: { postStart: exec('echo posted >/tmp/q; mv /tmp/q /tmp/p') },
  }),
]);
scenario('post-start-fails', [container('c', 'sleep 1000', { lifecycle: { postStart: exec('exit 3') } })]);
/** A pod that has the trap and writes to /run/node-NAME on the host; `after` removes it and reads that. */
const ending = (name, trap, more = {}, grace = 30) =>
  scenario(
    name,
    [
      container('c', `trap ${trap} TERM; echo traps; ${forever}`, { volumeMounts: [mount('h', '/h')], ...more }),
      { terminationGracePeriodSeconds: grace, volumes: [hostPath('h', `/run/node-${name}`)] },
    ],
    {
      until: ready,
      says: 'traps',
      after: async (node) => {
        const from = Date.now();
        const gone = await node.removes(name, grace + 60);
        const long = (Date.now() - from) / 1000 > grace - 0.5;
        const log = `/run/node-${name}/log`;
        return [
          `gone: ${gone}, after its grace period: ${long}`,
          existsSync(log) ? readFileSync(log, 'utf8') : 'no log',
        ];
      },
    },
  );
const stops = '"echo ends >>/h/log; exit 0"';
ending('pre-stop', stops, { lifecycle: { preStop: exec('echo before >>/h/log; sleep 1') } });
ending('ends-at-sigterm', stops);
ending('ignores-sigterm', '""', {}, 2);

// Resources.
const v1 = '/sys/fs/cgroup';
scenario('limits', [
  container(
    'c',
    `cd ${v1}; if [ -e cgroup.controllers ]; then cat memory.max cpu.max cpu.weight pids.max; else cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us cpu/cpu.shares pids/pids.max; fi`,
    { resources: { limits: { cpu: '500m', memory: '64Mi' }, requests: { cpu: '100m', memory: '32Mi' } } },
  ),
]);
const properties = 'Slice,Delegate,CPUWeight,CPUQuotaPerSecUSec,CPUQuotaPeriodUSec,MemoryMax,MemoryLow,TasksMax';
scenario(
  'cgroup',
  [
    container('c', 'exec sleep 1000', {
      resources: { limits: { cpu: '500m', memory: '64Mi' }, requests: { cpu: '100m', memory: '32Mi' } },
    }),
  ],
  {
    until: ready,
    after: (node) => {
      const cgroups = readFileSync(`/proc/${node.pid('cgroup', 'c')}/cgroup`, 'utf8')
        .trim()
        .split('\n');
      const unit = cgroups[0].split('/').at(-1);
      const units = driver === 'systemd' ? output('systemctl', 'show', '--property', properties, unit) : '';
      return [...cgroups, units].map((line) => line.replaceAll(/pod[0-9a-f]{32}/g, 'podID'));
    },
  },
);
scenario('oom', [container('c', ['tail', '/dev/zero'], { resources: { limits: { memory: '32Mi' } } })]);
scenario('oom-of-a-child', [
  container('c', 'sleep 1; tail /dev/zero; echo ended with $?; exit 0', { resources: { limits: { memory: '32Mi' } } }),
]);
// User Mode Linux counts CPU time in ticks: the start of a container by runt takes none.
scenario('statistics', [container('c', 'for i in $(seq 50000); do :; done; exec sleep 1000')], {
  until: ready,
  after: async (node) => {
    const found = await eventually(async () => {
      const { pods } = JSON.parse(await node.get('/stats/summary').catch(() => '{}'));
      const of = pods?.find(({ podRef }) => podRef.name.startsWith('statistics-'))?.containers?.[0];
      return of?.memory?.workingSetBytes > 0 && of?.cpu?.usageCoreNanoSeconds > 0 && of;
    }, 90);
    // cAdvisor looks once a minute for a container whose task it did not find in time.
    return [found ? `statistics of ${found.name}: cpu, memory` : 'NOT REACHED: no statistics'];
  },
});

// Messages of an end.
scenario('message', [container('c', 'echo why >/dev/termination-log; exit 1')]);
scenario('message-of-the-log', [
  container('c', 'echo last line; exit 1', { terminationMessagePolicy: 'FallbackToLogsOnError' }),
]);
scenario('message-by-path', [
  container('c', 'echo why >/tmp/t/message; exit 1', {
    terminationMessagePath: '/tmp/t/message',
    securityContext: { runAsUser: 1000 },
  }),
]);

// Volumes. Projected ones, recursive read-only mounts and evictions need an API server.
const mountsBelow = (path) =>
  `awk '$5 ~ "^${path}(/|$)" { o = ""; for (i = 7; $i != "-"; i++) o = o " " $i; gsub(/:[0-9]+/, "", o); print $5, $6 o, $(i + 1) }' /proc/self/mountinfo | sort`;
scenario('empty-dir', [
  container(
    'c',
    `${mountsBelow('/v')}; df -k /v/memory | awk 'END { print $2 }'; echo x >/v/sub/f; cat /v/disk/part/f; touch /v/read-only/f; stat -c %a /v/disk`,
    {
      volumeMounts: [
        mount('disk', '/v/disk'),
        mount('memory', '/v/memory'),
        mount('disk', '/v/sub', { subPath: 'part' }),
        mount('disk', '/v/read-only', { readOnly: true }),
      ],
    },
  ),
  { volumes: [emptyDir('disk'), emptyDir('memory', { medium: 'Memory', sizeLimit: '8Mi' })] },
]);
scenario('downward', [
  container('c', 'cat /d/labels /d/cpu; echo; cat /d/name; echo; ls -a /d | grep -vF ..2', {
    resources: { limits: { cpu: '1', memory: '64Mi' } },
    volumeMounts: [mount('d', '/d')],
  }),
  {
    volumes: [
      {
        name: 'd',
        downwardAPI: {
          items: [
            { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
            { path: 'name', fieldRef: { fieldPath: 'metadata.name' } },
            { path: 'cpu', resourceFieldRef: { containerName: 'c', resource: 'limits.cpu' } },
          ],
        },
      },
    ],
  },
]);
scenario('image-volume', [
  container('c', 'ls /i/bin/ash; touch /i/x', { volumeMounts: [mount('i', '/i')] }),
  { volumes: [{ name: 'i', image: { reference: image, pullPolicy: 'IfNotPresent' } }] },
]);
scenario(
  'host-path',
  [
    container('c', `cat /file; echo from pod >/h/out; ${mountsBelow('/h')}; ${mountsBelow('/r')}; touch /r/sub/f`, {
      volumeMounts: [mount('h', '/h'), mount('h', '/file', { subPath: 'file' }), mount('h', '/r', { readOnly: true })],
    }),
    { volumes: [hostPath('h', '/run/node-host-path')] },
  ],
  {
    before: () => {
      mkdirSync('/run/node-host-path/sub', { recursive: true });
      writeFileSync('/run/node-host-path/file', 'a file\n');
    },
    after: () => [readFileSync('/run/node-host-path/out', 'utf8')],
  },
);
/** Shell: waits until the file is there, for a minute. */
const awaits = (file) => `for i in $(seq 300); do [ -e ${file} ] && break; sleep 0.2; done`;
const sees = (name) => `${awaits('/h/mounted')}; ls /h/b; touch /h/seen-${name}`;
scenario('propagation', [
  [
    container('from-host', sees('from-host'), {
      volumeMounts: [mount('h', '/h', { mountPropagation: 'HostToContainer' })],
    }),
    container('none', sees('none'), { volumeMounts: [mount('h', '/h')] }),
    container(
      'both',
      `mkdir -p /h/b; mount -t tmpfs tmpfs /h/b && touch /h/b/in /h/mounted; ${awaits('/h/seen-from-host')}; ${awaits('/h/seen-none')}; umount /h/b; echo $?`,
      {
        securityContext: { privileged: true },
        volumeMounts: [mount('h', '/h', { mountPropagation: 'Bidirectional' })],
      },
    ),
  ],
  { volumes: [hostPath('h', '/run/node-propagation')] },
]);
// Security contexts.
const who = 'id; grep -E "^(Cap|NoNewPrivs|Seccomp|Groups)" /proc/self/status';
const context = (name, script, securityContext) =>
  scenario(name, [container('c', `${who}; ${script}`, { securityContext })]);
context('context', 'touch /x && echo writes; umask; cat /proc/self/oom_score_adj', {});
context('user', 'touch /x || echo cannot write', { runAsUser: 1000, runAsGroup: 3000 });
scenario('groups', [
  container('c', `${who}; stat -c '%a %g' /e; touch /e/f; stat -c '%a %u %g' /e/f`, {
    volumeMounts: [mount('e', '/e')],
  }),
  { securityContext: { fsGroup: 2000, supplementalGroups: [4000, 5000] }, volumes: [emptyDir('e')] },
]);
context('capabilities', 'true', { capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'SYS_TIME'] } });
context('read-only-root', 'touch /x; touch /dev/shm/x && echo shm', { readOnlyRootFilesystem: true });
context('no-new-privileges', 'true', { allowPrivilegeEscalation: false, runAsUser: 1000 });
context(
  'privileged',
  'ls -d /dev/kmsg; touch /proc/sys/net/ipv4/ip_forward && echo writes; grep -c " /proc/" /proc/self/mountinfo',
  { privileged: true },
);
context('seccomp-default', 'unshare -U true; echo $?', { seccompProfile: { type: 'RuntimeDefault' } });
context('seccomp-unconfined', 'unshare -U true; echo $?', { seccompProfile: { type: 'Unconfined' } });
context('seccomp-localhost', 'mkdir /tmp/d; echo $?', {
  seccompProfile: { type: 'Localhost', localhostProfile: 'no-mkdir.json' },
});
scenarios.get('seccomp-localhost').before = () => {
  mkdirSync('/var/lib/kubelet/seccomp', { recursive: true });
  const syscalls = [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 95 }];
  writeFileSync(
    '/var/lib/kubelet/seccomp/no-mkdir.json',
    JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls }),
  );
};
scenario(
  'no-such-profile',
  [
    container('c', 'echo never', {
      securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'none.json' } },
    }),
  ],
  {
    until: ({ status }) => /Error/.test(JSON.stringify(status.containerStatuses ?? '')),
  },
);
scenario('root-is-refused', [container('c', 'echo never', { securityContext: { runAsNonRoot: true } })], {
  until: because('CreateContainerConfigError'),
  show: ({ status }) => [status.containerStatuses[0].state.waiting.reason],
});
scenario('sysctls', [
  container(
    'c',
    'cd /proc/sys; cat kernel/shm_rmid_forced net/ipv4/ip_local_port_range net/ipv4/ip_unprivileged_port_start',
  ),
  {
    securityContext: {
      sysctls: [
        { name: 'kernel.shm_rmid_forced', value: '1' },
        { name: 'net.ipv4.ip_local_port_range', value: '4000 5000' },
      ],
    },
  },
]);

// Namespaces.
const compared =
  'for n in pid net ipc uts mnt cgroup; do [ "$(readlink /proc/self/ns/$n)" = "$(readlink /proc/1/ns/$n)" ] && echo same $n || echo other $n; done';
scenario('host-namespaces', [
  container('c', `${compared}; ps -o comm | grep -c catatonit; hostname; ip -o addr | grep -c 192.168.78.1`, {
    securityContext: { privileged: true },
  }),
  { hostPID: true, hostNetwork: true, hostIPC: true },
]);
scenario('own-namespaces', [
  container('c', `cat /proc/1/comm; hostname; ip -o addr | awk '{ print $2, $3 }'; ls /proc | grep -c '^[0-9]'`),
]);
scenario('shared-pids', [
  [
    container('a', 'exec sleep 77'),
    container('b', 'until pgrep sleep >/dev/null; do :; done; cat /proc/1/comm; kill -9 $(pgrep sleep); echo killed'),
  ],
  { shareProcessNamespace: true },
]);
scenario(
  'user-namespace',
  [
    container(
      'c',
      `${who}; awk '{ print $1, ($2 > 0), $3 }' /proc/self/uid_map; echo v >/e/f; stat -c '%u %g' /e/f; stat -c '%n %u' /proc /sys /dev/shm`,
      { volumeMounts: [mount('e', '/e')] },
    ),
    { hostUsers: false, volumes: [emptyDir('e')] },
  ],
  { seconds: 30 },
);

scenario(
  'unmasked-proc',
  [
    container('c', 'grep -c " /proc/" /proc/self/mountinfo', { securityContext: { procMount: 'Unmasked' } }),
    { hostUsers: false },
  ],
  { seconds: 30 },
);

// Environment, terminal, network.
scenario('environment', [
  container('c', 'echo $A $N $L; echo $HOSTNAME; pwd; tail -n 1 /etc/hosts; cat /etc/hostname', {
    workingDir: '/tmp',
    resources: { limits: { memory: '64Mi' } },
    env: [
      { name: 'A', value: '1 $(B)' },
      { name: 'N', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'L', valueFrom: { resourceFieldRef: { resource: 'limits.memory' } } },
    ],
  }),
  { hostname: 'other', subdomain: 'sub', hostAliases: [{ ip: '1.2.3.4', hostnames: ['alias'] }] },
]);
scenario('terminal', [container('c', 'tty; echo $TERM; [ -t 0 ] && echo stdin', { tty: true, stdin: true })]);
scenario(
  'host-port',
  [container('c', undefined, { image: webImage, ports: [{ containerPort: 80, hostPort: 8099 }] })],
  {
    until: ready,
    says: listens,
    after: async () => {
      const text = await eventually(() => page(`http://${address}:8099/`).catch(() => undefined), 30);
      return [text ? `answer: ${text}` : 'NOT REACHED through the port of the host'];
    },
  },
);
scenario('exec', [container('c', 'sleep 1000')], {
  until: ready,
  after: async (node) => [
    await node.runs('exec', 'c', 'cat', '/etc/hostname'),
    await node.runs('exec', 'c', 'ls', '/nonexistent'),
    (await node.runs('exec', 'c', '/nonexistent')).replaceAll('\n', ' '),
    `${(await node.runs('exec', 'c', 'head', '-c', '3000000', '/dev/zero')).length} bytes`,
  ],
});
