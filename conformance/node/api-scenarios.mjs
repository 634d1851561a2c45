// Pods of an API server, each with lines that are to be the same with every runtime. All use deploy/'s RuntimeClasses.
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { apiPod } from './api.mjs';
import { eventually, nodeName, page } from './node.mjs';
import {
  because,
  container,
  emptyDir,
  ended,
  exec,
  facts,
  hostPath,
  mount,
  ready,
  restarted,
  waits,
  webImage,
} from './pods.mjs';

/** @typedef {import('./api.mjs').ApiNode} ApiNode */
/**
 * Each gives lines; a pod with its name is deleted afterwards. Those of `evictions` run alone, one after the other.
 * @type {Map<string, (node: ApiNode, name: string) => Promise<string[]>>}
 */
export const apiScenarios = new Map();
/** @type {typeof apiScenarios} */
export const evictions = new Map();
const scenario = (name, lines) => apiScenarios.set(`api-${name}`, lines);

const forever = 'while :; do sleep 0.1; done';
const stops = `trap "exit 0" TERM; ${forever}`;

/** Makes the pod and waits. @returns the lines of its status, and its logs */
async function reaches(node, of, until = ended, seconds = undefined) {
  const { name } = of.metadata;
  await node.applies(of);
  const reached = await node.reaches(name, until, seconds);
  const last = reached ?? (await node.pod(name));
  return [...(reached ? [] : ['NOT REACHED']), ...(last?.status ? facts(last) : ['no status'])];
}
/** The order of two streams is not kept. */
const logs = (node, name) => {
  const lines = node.logs(name).sort((a, b) => b.stream.localeCompare(a.stream));
  return lines.map(({ container, text }) => `${container}> ${text}`);
};

/** Makes a pod that is to run. @throws Error if it does not */
async function runs(node, of) {
  const lines = await reaches(node, of, ready);
  if (lines[0].startsWith('NOT')) throw new Error(lines.join('; '));
}

// RuntimeClasses.
scenario('runtime-class', async (node, name) => {
  await runs(node, apiPod(name, container('c', waits('exit 3'))));
  const served = node.isServed(name);
  await node.must('exec', name, '--', 'touch', '/tmp/go');
  const end = await node.reaches(name, ended);
  return [`served as the handler says: ${served}`, ...(end ? facts(end) : ['no end']), ...logs(node, name)];
});
scenario('no-such-class', async (node, name) => {
  const refused = await node
    .applies(apiPod(name, container('c', 'true'), { runtimeClassName: 'none' }))
    .catch((e) => e);
  return [/RuntimeClass \\?"none\\?" not found/.test(refused.message) ? 'refused' : `${refused.message ?? 'taken'}`];
});
/** Without the label the node takes no such pod. */
scenario('class-for-user-namespaces', async (node, name) => {
  const script = `awk '{ print $1, ($2 > 0), $3 }' /proc/self/uid_map; id -u; stat -L -c '%a %u %g' /s/key; cat /s/key`;
  await node.makes('secrets', name, { stringData: { key: 'hidden\n' } });
  const of = (pod) =>
    apiPod(pod, container('c', script, { volumeMounts: [mount('s', '/s')] }), {
      runtimeClassName: 'runt-userns',
      hostUsers: false,
      volumes: [{ name: 's', secret: { secretName: name, defaultMode: 0o440 } }],
    });
  const other = `${name}-not-here`;
  const lines = await reaches(node, of(other));
  await node.removes(other);
  await node.must('label', '--overwrite', 'node', nodeName, 'io.runt/user-namespaces=true');
  // The kubelet reads of the label a little later.
  let found = lines;
  const isTaken = async () => {
    found = await reaches(node, of(name), ended, 30);
    return !found.includes(lines[0]) || !(await node.removes(name));
  };
  await eventually(isTaken, 30);
  return [...lines, ...found, ...logs(node, name)];
});

scenario('manifests-of-deploy', async (node) => {
  const deploy = `${import.meta.dirname}/../../deploy`;
  const directories = ['base', 'uninstall', ...readdirSync(`${deploy}/overlays`).map((name) => `overlays/${name}`)];
  const apply = ['apply', '--dry-run=server', '--validate=strict', '--output=name', '--kustomize'];
  const lines = [];
  for (const name of directories) {
    const applied = await node.must(...apply, `${deploy}/${name}`);
    lines.push(`${name}: ${applied.trim().replaceAll('\n', ' ')}`);
  }
  return lines;
});

// Volumes of the API server's objects.
scenario('projected', async (node, name) => {
  await node.makes('configmaps', name, { data: { a: 'first\n', b: 'other\n' } });
  await node.makes('secrets', name, { stringData: { key: 'first\n' } });
  const script = `cd /p
    for f in token dir/a key labels note; do stat -L -c '%n %a %u %g' $f; done
    cat dir/a key labels; echo; cat note; echo; readlink key; touch x; touch ..data/x
    awk '$5 ~ "^/(p|c|s|one)$" { sub(/,size=.*/, "", $6); print $5, $6 }' /proc/self/mountinfo | sort
    cat /c/a /s/key /one; echo ready
    until grep -q second dir/a && grep -q second key && grep -q second note && grep -q second /c/a && grep -q second /s/key; do sleep 0.2; done
    cat dir/a key note; echo; cat /c/a /s/key /one; ls /c; echo updated; ${stops}`;
  const of = apiPod(
    name,
    container('c', script, {
      volumeMounts: [mount('p', '/p'), mount('c', '/c'), mount('s', '/s'), mount('c', '/one', { subPath: 'a' })],
    }),
    {
      securityContext: { runAsUser: 1000, runAsGroup: 3000, fsGroup: 2000 },
      volumes: [
        {
          name: 'p',
          projected: {
            defaultMode: 0o440,
            sources: [
              { serviceAccountToken: { path: 'token', expirationSeconds: 600, audience: 'runt' } },
              { configMap: { name, items: [{ key: 'a', path: 'dir/a', mode: 0o400 }] } },
              { secret: { name } },
              {
                downwardAPI: {
                  items: [
                    { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
                    { path: 'note', fieldRef: { fieldPath: "metadata.annotations['note']" } },
                  ],
                },
              },
            ],
          },
        },
        { name: 'c', configMap: { name } },
        { name: 's', secret: { secretName: name } },
      ],
    },
  );
  await runs(node, of);
  const hasLine = (word) => () => logs(node, name).some((line) => line.endsWith(` ${word}`));
  await eventually(hasLine('ready'));
  const token = await node.must('exec', name, '--', 'cat', '/p/token');
  const review = await node.call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token, audiences: ['runt'] },
  });
  const { authenticated, user } = review.status;
  await node.changes('configmaps', name, { data: { a: 'second\n', b: null, c: 'new\n' } });
  await node.changes('secrets', name, { stringData: { key: 'second\n' } });
  await node.changes('pods', name, { metadata: { annotations: { note: 'second' } } });
  const updated = await eventually(hasLine('updated'), 180);
  return [
    `token: ${authenticated}, ${user?.username}, for ${user?.extra?.['authentication.kubernetes.io/pod-name']}`,
    `updated: ${updated === true}`,
    ...logs(node, name).map((line) => line.replaceAll(/\.\.\d{4}_[\d_.]+/g, 'DATE')),
  ];
});
scenario('environment', async (node, name) => {
  await node.makes('configmaps', name, { data: { A: '1', B: 'two words' } });
  await node.makes('secrets', name, { stringData: { S: 'hidden' } });
  const of = container('c', 'echo $A, $B, $X_S, $IP', {
    envFrom: [{ configMapRef: { name } }, { prefix: 'X_', secretRef: { name } }],
    env: [{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
  });
  return [...(await reaches(node, apiPod(name, of))), ...logs(node, name)];
});
scenario('recursive-read-only', async (node, name) => {
  const at = `/run/node-${name}`;
  mkdirSync(`${at}/sub`, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', `${at}/sub`]);
  const more = { readOnly: true, recursiveReadOnly: 'Enabled' };
  const script = 'touch /r/sub/f; touch /p/f; touch /p/sub/f && echo writes';
  const of = container('c', script, { volumeMounts: [mount('h', '/r', more), mount('h', '/p', { readOnly: true })] });
  const until = (pod) => ended(pod) || because('CreateContainerConfigError')(pod);
  return [...(await reaches(node, apiPod(name, of, { volumes: [hostPath('h', at)] }), until)), ...logs(node, name)];
});

// What kubectl does in a container.
scenario('exec', async (node, name) => {
  await runs(node, apiPod(name, container('c', stops)));
  const data = randomBytes(5_000_000);
  const sum = createHash('md5').update(data).digest('hex');
  const on = ['exec', name, '--'];
  const exits = await node.kubectl(...on, 'sh', '-c', 'echo out; echo error >&2; exit 7');
  const missing = await node.kubectl(...on, '/nonexistent');
  const back = (await node.kubectlWith(data, 'exec', '-i', name, '--', 'cat')).stdout;
  const summed = (await node.kubectlWith(data, 'exec', '-i', name, '--', 'md5sum')).text;
  const tty = ['script', '-qec', `${node.line('exec', '-it', name, '--', 'sh', '-c', 'tty; exit 5')}`];
  let terminal = '';
  try {
    terminal = execFileSync(tty[0], [...tty.slice(1), '/dev/null'], { encoding: 'utf8', timeout: 30_000 });
  } catch (error) {
    terminal = `${error.stdout}status ${error.status}`;
  }
  return [
    `${exits.status}: ${exits.text}`,
    summed === `${sum}  -` ? 'all of the input' : 'other input',
    back.equals(data) ? 'all of it came back' : `${back.length} bytes came back`,
    // The terminal may echo the end of script's input.
    terminal.replaceAll(/\r|\^@/g, ''),
    `${missing.status}: no such file: ${/no such file/.test(missing.text)}`,
  ];
});
scenario('logs', async (node, name) => {
  const script =
    'echo x >>/d/times; n=$(wc -l </d/times); for i in 1 2 3 4 5; do echo run $n line $i; sleep 0.5; done; [ $n = 2 ]';
  const of = container('c', script, { volumeMounts: [mount('d', '/d')] });
  const pod = apiPod(name, of, { restartPolicy: 'OnFailure', volumes: [emptyDir('d')] });
  await node.applies(pod);
  await node.reaches(name, restarted());
  const previous = await eventually(async () => {
    const { status, text } = await node.kubectl('logs', name, '--previous');
    return status === 0 && text;
  });
  const followed = await node.kubectl('logs', '--follow', name);
  const end = await node.reaches(name, ended);
  return [
    ...(end ? facts(end) : ['no end']),
    `followed to its end: ${followed.text.split('\n').at(-1)}`,
    (await node.kubectl('logs', name, '--tail', '2')).text,
    previous ?? 'no logs of the first run',
    (await node.kubectl('logs', name, '--timestamps', '--tail', '1')).text.replaceAll(/\d{4}-\S+/g, 'TIME'),
  ];
});
scenario('attach', async (node, name) => {
  await runs(node, apiPod(name, container('c', 'read line; echo got $line; exit 4', { stdin: true, stdinOnce: true })));
  const { text } = await node.kubectlWith('hello\n', 'attach', '-i', name, '-q');
  const end = await node.reaches(name, ended);
  return [
    text
      .split('\n')
      .filter((line) => line.startsWith('got'))
      .join(),
    ...(end ? facts(end) : ['no end']),
  ];
});
scenario('copy', async (node, name) => {
  await runs(node, apiPod(name, container('c', stops)));
  const file = `/run/${name}`;
  const data = randomBytes(3_000_000);
  writeFileSync(file, data);
  await node.must('cp', file, `${name}:/tmp/f`);
  await node.must('cp', `${name}:/tmp/f`, `${file}-back`);
  return [`the same: ${readFileSync(`${file}-back`).equals(data)}`];
});
scenario('port-forward', async (node, name) => {
  await runs(node, apiPod(name, container('c', undefined, { image: webImage })));
  const forward = node.daemon('forward', ...node.words('port-forward', `pod/${name}`, '18081:80'));
  const text = await eventually(() => page('http://127.0.0.1:18081/').catch(() => undefined));
  forward.kill();
  return [`answer: ${text}`];
});
scenario('ephemeral-container', async (node, name) => {
  await runs(node, apiPod(name, container('c', 'exec sleep 7654321')));
  await node.changes(
    'pods',
    name,
    {
      spec: {
        ephemeralContainers: [
          container('debugs', 'ps -o args | grep -c "[s]leep 7654321"; ls -d /proc/1/root/bin; exit 3', {
            targetContainerName: 'c',
          }),
        ],
      },
    },
    '/ephemeralcontainers',
  );
  const has = ({ status }) => status.ephemeralContainerStatuses?.[0]?.state.terminated;
  const end = await node.reaches(name, has);
  return [`exit status ${end && has(end).exitCode}`, ...logs(node, name)];
});
scenario('resize', async (node, name) => {
  const files =
    'cd /sys/fs/cgroup; if [ -e cgroup.controllers ]; then cat memory.max cpu.max cpu.weight; else cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us cpu/cpu.shares; fi';
  const resources = (cpu, memory) => ({ requests: { cpu, memory }, limits: { cpu, memory } });
  await runs(node, apiPod(name, container('c', stops, { resources: resources('200m', '64Mi') })));
  const lines = [];
  for (const [cpu, memory] of [
    ['500m', '64Mi'],
    ['300m', '128Mi'],
    ['300m', '32Mi'],
  ]) {
    const patch = { spec: { containers: [{ name: 'c', resources: resources(cpu, memory) }] } };
    const path = `/api/v1/namespaces/default/pods/${name}/resize`;
    await node.call('PATCH', path, patch, 'application/strategic-merge-patch+json');
    const isDone = ({ status }) => {
      const { limits } = status.containerStatuses[0].resources ?? {};
      return (
        limits?.cpu === cpu && limits?.memory === memory && !status.conditions.some(({ type }) => /Resize/.test(type))
      );
    };
    const end = await node.reaches(name, isDone);
    const found = (await node.kubectl('exec', name, '--', 'sh', '-c', files)).text.replaceAll('\n', ' ');
    const restarts = end?.status.containerStatuses[0].restartCount;
    lines.push(`${cpu} ${memory}: ${end ? 'done' : 'not done'}, ${found}, restarts ${restarts}`);
  }
  return lines;
});

// Deletion.
/** Deletes a pod with that trap. @returns what was left of it, whether its grace period was over, and /h/log */
const deletion = (name, trap, { lifecycle = {}, grace = 30, asked = undefined } = {}) =>
  scenario(`deletion-${name}`, async (node, name) => {
    const at = `/run/node-${name}`;
    rmSync(at, { recursive: true, force: true });
    const script = `trap "${trap}" TERM; echo traps; ${forever}`;
    const of = apiPod(name, container('c', script, { lifecycle, volumeMounts: [mount('h', '/h')] }), {
      terminationGracePeriodSeconds: grace,
      volumes: [hostPath('h', at)],
    });
    // With a finalizer the API server keeps the pod, so that its end can be read.
    of.metadata.finalizers = ['runt.test/reads'];
    await runs(node, of);
    await eventually(() => node.logs(name).some(({ text }) => text === 'traps'));
    const from = Date.now();
    const query = asked === undefined ? '' : `?gracePeriodSeconds=${asked}`;
    await node.call('DELETE', `/api/v1/namespaces/default/pods/${name}${query}`);
    const end = await node.reaches(name, ended, grace + 60);
    const long = (Date.now() - from) / 1000 > (asked ?? grace) - 0.5;
    await node.changes('pods', name, { metadata: { finalizers: null } });
    return [
      ...(end ? facts(end) : ['no end']),
      `after its grace period: ${long}`,
      `gone: ${await node.removes(name)}`,
      existsSync(`${at}/log`) ? readFileSync(`${at}/log`, 'utf8') : 'no log',
    ];
  });
deletion('ends-at-sigterm', 'echo ends >>/h/log; exit 6');
deletion('pre-stop', 'echo ends >>/h/log; exit 6', {
  lifecycle: { preStop: exec('echo before >>/h/log; sleep 1') },
});
deletion('ignores-sigterm', 'echo ignores >>/h/log', { grace: 3 });
deletion('shorter-grace', 'echo ignores >>/h/log', { grace: 60, asked: 2 });

// Evictions. What the kubelet measures is this run's own: a tmpfs for its volumes, the cgroup of its node.
const MiB = 2 ** 20;
/** Without amounts, which the kubelet appends of each container too. */
const evicted = (of, now) =>
  of
    ? [facts(of)[0].replaceAll(/ Container c was .*| ?\b\d+(?:Ki|Mi|Gi)?(?=[,.])/g, '')]
    : ['it was not evicted', ...(now?.status ? facts(now) : [])];
/** Its containers have ended too: the reason comes first. */
const isEvicted = ({ status }) =>
  status.reason === 'Evicted' && status.containerStatuses?.every(({ state }) => state.terminated);

evictions.set('api-eviction-by-its-limit', async (node, name) => {
  const script = `head -c ${40 * MiB} /dev/zero >/d/f; ${forever}`;
  const of = container('c', script, { volumeMounts: [mount('d', '/d')] });
  await node.applies(apiPod(name, of, { volumes: [emptyDir('d', { sizeLimit: '10Mi' })] }));
  const end = await node.reaches(name, isEvicted);
  return evicted(end, await node.pod(name));
});
/** The pod has to go, another has to stay, and the node is under pressure for a while. */
async function pressure(node, name, condition, volume, thresholds) {
  const other = `${name}-stays`;
  const more = { resources: { requests: { memory: '64Mi', 'ephemeral-storage': '64Mi' } } };
  await runs(node, apiPod(other, container('c', stops, more)));
  await node.kubeletEnds();
  node.thresholds(thresholds);
  await node.kubeletStarts();
  const script = `head -c ${400 * MiB} /dev/zero >/d/f; ${forever}`;
  await node.applies(apiPod(name, container('c', script, { volumeMounts: [mount('d', '/d')] }), { volumes: [volume] }));
  const end = await node.reaches(name, isEvicted);
  const last = await node.pod(name);
  const under = await eventually(async () => (await node.condition(condition)) === 'True');
  await node.removes(name);
  const later = await eventually(async () => (await node.condition(condition)) === 'False');
  const stays = await node.pod(other);
  await node.removes(other);
  await node.kubeletEnds();
  node.thresholds({});
  await node.kubeletStarts();
  return [
    ...evicted(end, last),
    `${condition}: ${under === true}, then gone: ${later === true}`,
    ...facts(stays).map((line) => `the other: ${line}`),
  ];
}
evictions.set('api-eviction-by-memory', async (node, name) => {
  const summary = JSON.parse(await node.get('/stats/summary'));
  const available = Math.floor(summary.node.memory.availableBytes / MiB) - 200;
  return await pressure(node, name, 'MemoryPressure', emptyDir('d', { medium: 'Memory' }), {
    'memory.available': `${available}Mi`,
  });
});
evictions.set('api-eviction-by-disk', async (node, name) => {
  const { blocks, bavail, bsize } = statfsSync('/var/lib/kubelet');
  const used = Math.ceil(((blocks - bavail) * bsize) / MiB);
  execFileSync('mount', ['-o', `remount,size=${used + 600}m`, '/var/lib/kubelet']);
  return await pressure(node, name, 'DiskPressure', emptyDir('d'), { 'nodefs.available': '400Mi' });
});
