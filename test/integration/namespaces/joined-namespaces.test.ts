/** Namespaces joined by path: each kind, alone and as in a pod, with and without a user namespace. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { NamespaceType } from '../../../src/spec/config-types.js';
import { Bed, eventually, needing, onBed } from '../bed/bed.js';
import { type Config, withUserNamespace } from '../bed/config.js';
import { runtPath } from '../bed/place.js';

const test = needing('joined-namespaces', 'root');

const files = {
  pid: 'pid',
  network: 'net',
  ipc: 'ipc',
  uts: 'uts',
  mount: 'mnt',
  cgroup: 'cgroup',
  user: 'user',
  time: 'time',
};
type Kind = keyof typeof files;
/** An older kernel lacks the newest kinds. */
const kinds = (Object.keys(files) as Kind[]).filter((k) => existsSync(`/proc/self/ns/${files[k]}`));
const path = (pid: number, kind: Kind): string => `/proc/${pid}/ns/${files[kind]}`;
const link = (pid: number | 'self', kind: Kind): string => readlinkSync(`/proc/${pid}/ns/${files[kind]}`);

/** Runs the body beside a container that has a namespace of its own of each kind, and a user namespace if `user`. */
function withPod(user: boolean, body: (bed: Bed, pod: number) => void | Promise<void>): () => Promise<void> {
  return onBed(async (bed) => {
    const pod = new Bed();
    try {
      pod.config.linux.namespaces.push({ type: 'cgroup' });
      if (kinds.includes('time')) pod.config.linux.namespaces.push({ type: 'time' });
      if (user) withUserNamespace(pod.config);
      await body(bed, pod.started());
    } finally {
      pod.delete('--force');
      pod.end();
    }
  });
}

/** Sets the config's namespaces: joined ones of the pod, and new ones. */
function setNamespaces(config: Config, pod: number, joined: readonly Kind[], fresh: readonly Kind[]): void {
  config.linux.namespaces = [
    ...joined.map((type) => ({ type: type as NamespaceType, path: path(pod, type) })),
    ...fresh.map((type) => ({ type: type as NamespaceType })),
  ];
}

/** Whose namespace of each kind a process is in: the pod's, the host's, or its own. */
function seen(pid: number, pod: number): Record<string, string> {
  return Object.fromEntries(
    kinds.map((kind) => {
      const inside = link(pid, kind);
      return [kind, inside === link('self', kind) ? 'host' : inside === link(pod, kind) ? 'pod' : 'new'];
    }),
  );
}

const expected = (joined: readonly Kind[], fresh: readonly Kind[]): Record<string, string> =>
  Object.fromEntries(
    kinds.map((kind) => [kind, joined.includes(kind) ? 'pod' : fresh.includes(kind) ? 'new' : 'host']),
  );

/** The namespaces of a process, a line each. */
const linksOf = (pid: number): string => kinds.map((kind) => `${link(pid, kind)}\n`).join('');

/** Those that an exec of this caller enters. */
function entered(bed: Bed, wrapped: readonly string[] = []): string {
  const all = kinds.map((kind) => `/proc/self/ns/${files[kind]}`);
  const script = `for file in ${all.join(' ')}; do readlink $file; done`;
  const r = bed.runt(['exec', bed.id, '/bin/sh', '-c', script], { wrapped });
  return r.stdout || r.stderr;
}

/** Removes what the container's user namespace has no right to mount or to set. */
function withoutRightsOver(config: Config, kind: Kind): void {
  const types: Partial<Record<Kind, string[]>> = {
    pid: ['proc'],
    network: ['sysfs', 'cgroup'],
    ipc: ['mqueue'],
    cgroup: ['cgroup'],
  };
  config.mounts = config.mounts.filter(({ type }) => !types[kind]?.includes(type ?? ''));
  if (kind === 'uts') delete config.hostname;
  if (kind === 'pid') config.linux.maskedPaths = config.linux.readonlyPaths = [];
}

const shareable = kinds.filter((k) => k !== 'mount' && k !== 'user');
const usual: Kind[] = ['pid', 'network', 'ipc', 'uts', 'mount'];

for (const kind of shareable) {
  test(
    `${kind}: a container joins it alone, with the others new, and exec joins it too`,
    withPod(false, (bed, pod) => {
      const fresh = usual.filter((k) => k !== kind);
      setNamespaces(bed.config, pod, [kind], fresh);
      const pid = bed.started();
      assert.equal(seen(pid, pod), expected([kind], fresh));
      const r = bed.runt(['exec', bed.id, '/bin/readlink', `/proc/self/ns/${files[kind]}`]);
      assert.is(r.stdout, `${link(pod, kind)}\n`, r.stderr);
      assert.is(bed.delete('--force').code, 0);
    }),
  );

  test(
    `${kind}: a container joins it with a new user namespace that owns its other namespaces`,
    withPod(false, (bed, pod) => {
      const fresh: Kind[] = [...usual.filter((k) => k !== kind), 'user'];
      withUserNamespace(bed.config);
      setNamespaces(bed.config, pod, [kind], fresh);
      withoutRightsOver(bed.config, kind);
      const pid = bed.started();
      assert.equal(seen(pid, pod), expected([kind], fresh));
      assert.is(statSync(`/proc/${pid}`).uid, 100000);
      const r = bed.runt(['exec', bed.id, '/bin/id', '-u']);
      assert.is(r.stdout, '0\n', r.stderr);
      bed.delete('--force');
    }),
  );

  test(
    `${kind}: a container joins it together with the user namespace that owns it`,
    withPod(true, (bed, pod) => {
      const fresh = usual.filter((k) => k !== kind);
      setNamespaces(bed.config, pod, ['user', kind], fresh);
      const pid = bed.started();
      assert.equal(seen(pid, pod), expected(['user', kind], fresh));
      assert.match(readFileSync(`/proc/${pid}/uid_map`, 'utf8'), /^\s+0\s+100000\s+65536\n$/);
      assert.is(statSync(`/proc/${pid}`).uid, 100000);
      const r = bed.runt(['exec', bed.id, '/bin/readlink', `/proc/self/ns/${files[kind]}`]);
      assert.is(r.stdout, `${link(pod, kind)}\n`, r.stderr);
      bed.delete('--force');
    }),
  );
}

test(
  'a container in a pod joins pid, network, ipc and uts, and run exits with the status of its process',
  withPod(false, (bed, pod) => {
    setNamespaces(bed.config, pod, ['pid', 'network', 'ipc', 'uts'], ['mount']);
    const r = bed.sh('for n in pid net ipc uts; do readlink /proc/self/ns/$n; done; echo $$; exit 7');
    assert.is(r.code, 7, r.stderr);
    const lines = r.stdout.split('\n');
    assert.equal(
      lines.slice(0, 4),
      (['pid', 'network', 'ipc', 'uts'] as const).map((k) => link(pod, k)),
    );
    assert.ok(Number(lines[4]) > 1);
  }),
);

test(
  'a container joins a user namespace with all other namespaces new, or all joined',
  withPod(true, (bed, pod) => {
    for (const joined of [['user'], ['user', ...shareable]] as Kind[][]) {
      const fresh = kinds.filter((k) => !joined.includes(k));
      setNamespaces(bed.config, pod, joined, fresh);
      assert.equal(seen(bed.started(), pod), expected(joined, fresh));
      bed.delete('--force');
    }
  }),
);

test(
  'mappings beside a joined user namespace are accepted if they equal its own, and refused otherwise',
  withPod(true, (bed, pod) => {
    withUserNamespace(bed.config);
    setNamespaces(bed.config, pod, ['user'], ['pid', 'network', 'ipc', 'uts', 'mount']);
    assert.is(bed.out('cat /proc/self/gid_map').trim().split(/ +/).join(' '), '0 100000 65536');
    bed.config.linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 1000 }];
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /maps gids as 0 100000 65536, not as 0 100000 1000[\s\S]*\/linux\/gidMappings/);
  }),
);

test(
  "a container joins a user namespace and uses the host's other namespaces",
  withPod(true, (bed, pod) => {
    setNamespaces(bed.config, pod, ['user'], ['pid', 'network', 'mount']);
    bed.config.linux.namespaces.push({ type: 'uts', path: '/proc/self/ns/uts' });
    withoutRightsOver(bed.config, 'ipc');
    withoutRightsOver(bed.config, 'uts');
    assert.equal(seen(bed.started(), pod), expected(['user'], ['pid', 'network', 'mount']));
    bed.delete('--force');
  }),
);

test(
  "with a joined mount namespace, its root becomes the container's, as with runc, and the host does not change",
  onBed(async (bed) => {
    const holder = spawn('unshare', ['-m', '--propagation', 'private', 'sleep', '1000'], { stdio: 'ignore' });
    try {
      const pid = holder.pid as number;
      await eventually('a mount namespace', () => link(pid, 'mount') !== link('self', 'mount'));
      setNamespaces(bed.config, pid, ['mount'], ['pid', 'network', 'ipc', 'uts']);
      // Only the host's mounts at the config's destinations: others change during the test.
      const destinations = ['/', ...bed.config.mounts.map((m) => m.destination)];
      const ours = () =>
        readFileSync('/proc/self/mountinfo', 'utf8')
          .split('\n')
          .filter((line) => destinations.includes(line.split(' ')[4]!));
      const before = ours();
      assert.equal(seen(bed.started(), pid), expected(['mount'], ['pid', 'network', 'ipc', 'uts']));
      assert.not.match(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(bed.dir));
      assert.equal(ours(), before);
      assert.match(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'), /^\S+ \S+ \S+ \S*\/bundle\/rootfs \/ /m);
      const r = bed.runt(['exec', bed.id, '/bin/ls', '/true']);
      assert.is(r.stdout, '/true\n', r.stderr);
      bed.delete('--force');
    } finally {
      holder.kill('SIGKILL');
    }
  }),
);

test(
  "a path to the runtime's own namespace is accepted for every kind that the config does not change",
  onBed((bed) => {
    bed.config.linux.namespaces = [
      ...kinds
        .filter((k) => k !== 'mount')
        .map((type) => ({
          type: type as NamespaceType,
          path: `/proc/self/ns/${files[type]}`,
        })),
      { type: 'mount' },
    ];
    delete bed.config.hostname;
    const pid = bed.started();
    assert.equal(seen(pid, process.pid), expected([], ['mount']));
    assert.equal(entered(bed), linksOf(pid));
    bed.delete('--force');
  }),
);

for (const [name, fresh] of Object.entries<readonly Kind[]>({
  'all namespaces are new': usual,
  'it has its own user namespace too': [...usual, 'user'],
  'most are those of the host': ['pid', 'mount'],
})) {
  test(
    `exec enters the namespaces of the container, wherever its caller is: ${name}`,
    onBed((bed) => {
      if (fresh.includes('user')) withUserNamespace(bed.config);
      setNamespaces(bed.config, 0, [], fresh);
      if (!fresh.includes('uts')) delete bed.config.hostname;
      const pid = bed.started();
      const inside = ['nsenter', '-t', String(pid), '-n', '-i', '-u'];
      for (const wrapped of [[], inside, ['unshare', '-n', '-i', '-u', '-C'], ['unshare', '-n', '-T']])
        assert.equal(entered(bed, wrapped), linksOf(pid), wrapped.join(' '));
      bed.delete('--force');
    }),
  );
}

test(
  "the runtime's own namespace is refused where the config would change the host",
  onBed((bed) => {
    const own = (type: Kind) => {
      const config = structuredClone(bed.config);
      for (const n of config.linux.namespaces) if (n.type === type) n.path = `/proc/self/ns/${files[type]}`;
      return config;
    };
    const name = own('uts');
    const host = readFileSync('/proc/sys/kernel/hostname', 'utf8');
    const sysctl = own('network');
    sysctl.linux.sysctl = { 'net.ipv4.ip_forward': '1' };
    for (const [config, why] of [
      [name, /\/linux\/namespaces\/3\/path[\s\S]*hostname/],
      [sysctl, /\/linux\/namespaces\/1\/path[\s\S]*net.ipv4.ip_forward/],
      [own('mount'), /\/linux\/namespaces\/4\/path[\s\S]*name another namespace/],
    ] as const) {
      bed.config = config;
      const r = bed.run();
      assert.is(r.code, 1);
      assert.match(r.stderr, why);
      assert.match(r.stderr, /that of the host/);
    }
    assert.is(readFileSync('/proc/sys/kernel/hostname', 'utf8'), host);
  }),
);

test(
  'hostname and sysctl are set in joined namespaces',
  withPod(false, (bed, pod) => {
    setNamespaces(bed.config, pod, ['network', 'uts', 'ipc'], ['mount', 'pid']);
    bed.config.hostname = 'shared';
    bed.config.linux.sysctl = { 'net.ipv4.ip_forward': '1', 'kernel.msgmax': '4321' };
    bed.started();
    const inPod = (file: string) => bed.runt(['exec', bed.id, '/bin/cat', file]).stdout;
    assert.is(inPod('/proc/sys/kernel/hostname'), 'shared\n');
    assert.is(inPod('/proc/sys/net/ipv4/ip_forward'), '1\n');
    assert.is(inPod('/proc/sys/kernel/msgmax'), '4321\n');
    bed.delete('--force');
  }),
);

test(
  'a path without a namespace of the type is refused by name, with its JSON pointer and a hint',
  withPod(false, (bed, pod) => {
    const fifo = join(bed.dir, 'file');
    writeFileSync(fifo, 'net:[1]\n');
    for (const [file, why] of [
      [path(pod, 'pid'), /it is a pid namespace/],
      [fifo, /it is not a namespace/],
      ['/dev/null', /it is not a namespace/],
      [bed.dir, /it is not a namespace/],
      [join(bed.dir, 'none'), /ENOENT[\s\S]*its file is not there/],
      ['/proc/4194303/ns/net', /ENOENT[\s\S]*has ended/],
      ['run/netns/x', /absolute path/],
    ] as const) {
      setNamespaces(bed.config, pod, [], ['pid', 'ipc', 'uts', 'mount']);
      bed.config.linux.namespaces.push({ type: 'network', path: file });
      const r = bed.run();
      assert.is(r.code, 1, file);
      assert.match(r.stderr, /\/linux\/namespaces\/4/);
      assert.match(r.stderr, why);
      assert.not.ok(existsSync(join(bed.root, bed.id)));
    }
  }),
);

test(
  'a pid namespace whose init has ended is refused with the cause',
  onBed(async (bed) => {
    const holder = spawn('unshare', ['-p', 'sh', '-c', 'sleep 0.1 & wait; exec sleep 1000'], { stdio: 'ignore' });
    try {
      const children = `/proc/${holder.pid}/ns/pid_for_children`;
      await eventually('its first process', () => {
        try {
          return readlinkSync(children) !== link('self', 'pid');
        } catch {
          return false;
        }
      });
      await eventually('its end', () => readFileSync(`/proc/${holder.pid}/comm`, 'utf8') === 'sleep\n');
      setNamespaces(bed.config, 0, [], ['network', 'ipc', 'uts', 'mount']);
      bed.config.linux.namespaces.push({ type: 'pid', path: children });
      const r = bed.run();
      assert.is(r.code, 1);
      assert.match(r.stderr, /its first process has ended/);
    } finally {
      holder.kill('SIGKILL');
    }
  }),
);

test(
  'in a joined pid namespace, kill and delete end all processes of the container and none of the pod',
  withPod(false, async (bed, pod) => {
    setNamespaces(bed.config, pod, ['pid'], ['network', 'ipc', 'uts', 'mount']);
    bed.config.linux.cgroupsPath = `/${bed.id}-c`;
    const child = async () => {
      const pid = bed.started(['/bin/sh', '-c', 'sleep 2000 & echo; wait']);
      await eventually('the child', () => bed.stdout() !== '');
      const all = bed.runt(['ps', '--format', 'json', bed.id]);
      const pids = JSON.parse(all.stdout) as number[];
      assert.is(pids.length, 2, all.stderr);
      assert.ok(pids.includes(pid));
      return pids.find((p) => p !== pid) as number;
    };
    const ended = (pid: number) =>
      !existsSync(`/proc/${pid}`) || /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    for (const end of [() => bed.kill('KILL'), () => bed.kill('KILL', '--all'), () => bed.delete('--force')]) {
      const other = await child();
      assert.is(end().code, 0);
      await eventually('its end', () => ended(other));
      const r = bed.delete('--force');
      assert.is(r.code, 0, r.stderr);
    }
    assert.ok(existsSync(`/proc/${pod}`));
  }),
);

test(
  'a supervised container in a pod has its exit status recorded, and that of an exec',
  withPod(false, (bed, pod) => {
    setNamespaces(bed.config, pod, ['pid', 'network', 'ipc', 'uts'], ['mount']);
    bed.config.process.args = ['/bin/sh', '-c', 'exit 5'];
    const made = bed.create(['--supervise']);
    assert.is(made.code, 0, made.stderr);
    const { pid } = bed.state();
    assert.is(link(pid, 'pid'), link(pod, 'pid'));
    assert.is(bed.start().code, 0);
    assert.is(bed.runt(['wait', bed.id]).stdout, '5\n');
    assert.is(bed.delete().code, 0);
    bed.config.process.args = ['/bin/sleep', '1000'];
    const again = bed.create(['--supervise']);
    assert.is(again.code, 0, again.stderr);
    bed.start();
    assert.is(bed.runt(['exec', '-d', '--pid-file', join(bed.dir, 'pid'), bed.id, '/bin/sh', '-c', 'exit 3']).code, 0);
    const exec = readFileSync(join(bed.dir, 'pid'), 'utf8');
    assert.is(bed.runt(['wait', '--pid', exec, bed.id]).stdout, '3\n');
    assert.is(bed.kill('KILL').code, 0);
    assert.is(bed.runt(['wait', bed.id]).stdout, '137\n');
    assert.is(bed.delete().code, 0);
  }),
);

test(
  'CVE-2016-9962: root of the pod cannot open the files of a waiting runt-init in its pid namespace',
  onBed((bed) => {
    const pod = new Bed();
    try {
      const first = pod.started();
      setNamespaces(bed.config, first, ['pid', 'network', 'ipc', 'uts'], ['mount']);
      assert.is(bed.create().code, 0);
      const inside = /^NSpid:\s+\d+\s+(\d+)$/m.exec(readFileSync(`/proc/${bed.state().pid}/status`, 'utf8'))?.[1];
      assert.ok(inside);
      assert.match(pod.runt(['exec', pod.id, '/bin/cat', `/proc/${inside}/comm`]).stdout, /^runt\/init\n$/);
      for (const file of ['fd/', 'root/', 'cwd/', 'ns/']) {
        const r = pod.runt(['exec', pod.id, '/bin/ls', '-l', `/proc/${inside}/${file}`]);
        assert.match(r.stdout + r.stderr, /denied|cannot read link/, file);
      }
      bed.delete('--force');
    } finally {
      pod.delete('--force');
      pod.end();
    }
  }),
);

test(
  'a failure after joining namespaces leaves nothing',
  withPod(false, (bed, pod) => {
    setNamespaces(bed.config, pod, ['pid', 'network'], ['mount', 'ipc', 'uts']);
    mkdirSync(join(bed.rootfs, 'x'));
    bed.config.mounts.push({ destination: '/x', type: 'bind', source: '/there/is/none', options: ['bind'] });
    for (const flags of [[], ['--supervise']]) {
      const r = bed.create(flags);
      assert.is(r.code, 1);
      assert.match(r.stderr, /\/mounts\/7/);
      assert.not.ok(existsSync(join(bed.root, bed.id)));
    }
  }),
);

/** Whether ordinary users may make user namespaces here. */
const rootlessAllowed =
  spawnSync('setpriv', ['--reuid', '1000', '--regid', '1000', '--clear-groups', 'unshare', '-U', 'true']).status === 0;

if (rootlessAllowed) {
  test(
    "rootless: a container joins its user's pod with the user namespace, and gets the cause without it",
    onBed(async (bed) => {
      const user = { uid: 1000, gid: 1000 };
      const holder = spawn('unshare', ['-U', '-r', '-n', '-i', '-u', 'sleep', '1000'], { stdio: 'ignore', ...user });
      try {
        const pod = holder.pid as number;
        await eventually('its namespaces', () => readFileSync(`/proc/${pid(holder)}/comm`, 'utf8') === 'sleep\n');
        for (const directory of [bed.dir, bed.bundle]) chownSync(directory, 1000, 1000);
        const program = join(bed.dir, 'runt');
        execFileSync('cp', [runtPath, program]);
        const env = { PATH: process.env.PATH ?? '', XDG_RUNTIME_DIR: bed.dir };
        const call = (...args: string[]) => bed.runt(args, { ...user, program, env });
        assert.is(call('spec', '--rootless', '--bundle', bed.bundle).code, 0);
        bed.config = JSON.parse(readFileSync(join(bed.bundle, 'config.json'), 'utf8')) as Config;
        bed.config.process.terminal = false;
        bed.config.process.args = ['/bin/sleep', '1000'];
        delete bed.config.linux.uidMappings;
        delete bed.config.linux.gidMappings;
        bed.config.process.oomScoreAdj = 500;
        const joined: Kind[] = ['user', 'network', 'ipc', 'uts'];
        const fresh: Kind[] = [...(kinds.includes('time') ? (['time'] as const) : []), 'pid', 'mount'];
        if (kinds.includes('time')) bed.config.linux.timeOffsets = { boottime: { secs: 1000 } };
        setNamespaces(bed.config, pod, joined, fresh);
        bed.write();
        for (const args of [
          ['create', '--bundle', bed.bundle, bed.id],
          ['start', bed.id],
        ]) {
          const r = call(...args);
          assert.is(r.code, 0, r.stderr);
        }
        const { pid: container } = JSON.parse(call('state', bed.id).stdout) as { pid: number };
        assert.equal(seen(container, pod), expected(joined, fresh));
        assert.is(readFileSync(`/proc/${container}/oom_score_adj`, 'utf8'), '500\n');
        const r = call('exec', bed.id, '/bin/sh', '-c', 'id -u; hostname');
        assert.is(r.stdout, `0\n${bed.config.hostname}\n`, r.stderr);
        assert.is(call('delete', '--force', bed.id).code, 0);
        setNamespaces(bed.config, pod, ['network'], ['user', 'ipc', 'uts', 'pid', 'mount']);
        delete bed.config.linux.timeOffsets;
        bed.config.linux.uidMappings = [{ containerID: 0, hostID: 1000, size: 1 }];
        bed.config.linux.gidMappings = [{ containerID: 0, hostID: 1000, size: 1 }];
        bed.write();
        const refused = call('run', '--bundle', bed.bundle, bed.id);
        assert.is(refused.code, 1);
        assert.match(refused.stderr, /join the user namespace that owns/);
      } finally {
        holder.kill('SIGKILL');
      }
    }),
  );
}

const pid = (process: ChildProcess): number => process.pid as number;

test(
  'explain names the joined namespaces',
  withPod(false, (bed, pod) => {
    setNamespaces(bed.config, pod, ['pid', 'network'], ['mount', 'ipc', 'uts']);
    bed.write();
    const r = bed.runt(['explain', bed.bundle]);
    assert.is(r.code, 0, r.stderr);
    assert.match(r.stdout, new RegExp(`open namespace +${path(pod, 'pid')} +verified: pid, slot`));
    assert.match(r.stdout, new RegExp(`join namespace +${path(pod, 'network')} +network, slot`));
    assert.match(r.stdout, /fork +into the pid namespace/);
  }),
);

test.run();
