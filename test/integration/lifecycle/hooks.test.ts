/** The six kinds of hooks: order, namespaces, stdin and environment, timeouts, and what is left when one fails. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { hasEnded } from '../../leaks/leftovers.js';
import { filtered } from '../../native/init/perform.js';
import { type Bed, eventually, needing, onBed, type Result } from '../bed/bed.js';
import { which } from '../bed/needs.js';
import { runtPath } from '../bed/place.js';

const test = needing('hooks', 'root');
const entering = needing('hooks and nsenter', 'root', 'nsenter');
const mounting = needing('hooks and mounts', 'root', 'mount');
const compiled = needing('hooks on other kernels', 'root', 'programs');
const compared = needing('hooks beside runc', 'root', 'runc');
const points = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const;
type Point = (typeof points)[number];

interface Hook {
  path: string;
  args?: string[];
  env?: string[];
  timeout?: number;
}

/**
 * The directory in which hooks write: a directory of the host, mounted in the container at the same path. `hook` makes
 * a script there, so that startContainer hooks find it too.
 */
class Scene {
  readonly dir: string;

  constructor(readonly bed: Bed) {
    this.dir = join(bed.dir, 'scene');
    mkdirSync(this.dir);
    chmodSync(this.dir, 0o777);
    bed.config.mounts.push({ destination: this.dir, source: this.dir, type: 'bind', options: ['bind'] });
    bed.config.annotations = { 'org.example.key': 'ä "quoted"' };
    bed.config.hooks = {};
  }

  script(name: string, body: string): string {
    const path = join(this.dir, name);
    writeFileSync(path, `#!/bin/sh\n${body}\n`);
    chmodSync(path, 0o755);
    return path;
  }

  set(point: Point, ...hooks: Hook[]): void {
    (this.bed.config.hooks as Record<string, Hook[]>)[point] = hooks;
  }

  read(name: string): string {
    const path = join(this.dir, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  lines(name: string): string[] {
    return this.read(name).split('\n').filter(Boolean);
  }
}

const ok = (r: Result): void => assert.is(r.code, 0, r.stderr);

/** Sets one script for all points, which records its environment. */
function observed(scene: Scene): void {
  const path = scene.script(
    'look',
    `cd "${scene.dir}" || exit 9
echo "$1" >> order
cat > "$1.state"
for n in mnt pid uts net; do echo "$n $(readlink /proc/self/ns/$n)"; done > "$1.ns"
env > "$1.env"
for fd in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/self/fd/$fd ] && echo $fd; done > "$1.fds"; exit 0`,
  );
  for (const point of points) scene.set(point, { path, args: ['hook', point, 'x y'], env: [`POINT=${point}`] });
}

test(
  'hooks run in order, in their namespaces, with the state and exactly their environment',
  onBed((bed) => {
    const scene = new Scene(bed);
    observed(scene);
    bed.config.process.args = ['/bin/sh', '-c', `echo process >> ${scene.dir}/order; sleep 1000`];
    // Neither the caller's descriptors nor those passed to the process reach hooks.
    const caller = scene.script('caller', `exec 3< /dev/null 7< /dev/null; exec ${runtPath} "$@"`);
    ok(bed.create(['--preserve-fds', '1'], { program: caller }));
    assert.equal(scene.lines('order'), ['prestart', 'createRuntime', 'createContainer']);
    const pid = bed.state().pid;
    const inside = Object.fromEntries(
      ['mnt', 'pid', 'uts', 'net'].map((n) => [n, readlinkSync(`/proc/${pid}/ns/${n}`)]),
    );
    const here = Object.fromEntries(['mnt', 'pid', 'uts', 'net'].map((n) => [n, readlinkSync(`/proc/self/ns/${n}`)]));
    ok(bed.runt(['start', bed.id], { program: caller }));
    assert.equal(
      scene.lines('order').filter((l) => l !== 'process'),
      ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart'],
    );
    ok(bed.delete('--force'));
    assert.equal(scene.lines('order').at(-1), 'poststop');
    assert.is(scene.lines('order').indexOf('process') > scene.lines('order').indexOf('startContainer'), true);

    const status = {
      prestart: 'creating',
      createRuntime: 'creating',
      createContainer: 'creating',
      startContainer: 'created',
      poststart: 'running',
      poststop: 'stopped',
    };
    for (const point of points) {
      assert.equal(
        JSON.parse(scene.read(`${point}.state`)),
        {
          ociVersion: bed.config.ociVersion,
          id: bed.id,
          status: status[point],
          ...(point === 'poststop' ? {} : { pid }),
          bundle: bed.bundle,
          annotations: bed.config.annotations,
        },
        point,
      );
      const namespaces = point === 'createContainer' || point === 'startContainer' ? inside : here;
      assert.equal(
        scene.lines(`${point}.ns`),
        Object.entries(namespaces).map(([n, link]) => `${n} ${link}`),
        point,
      );
      // The shell itself sets PWD, SHLVL and _.
      const own = scene.lines(`${point}.env`).filter((l) => !/^(PWD|OLDPWD|SHLVL|_|PATH)=/.test(l));
      assert.equal(own, [`POINT=${point}`], point);
      assert.is(scene.read(`${point}.fds`), '0\n1\n2\n', point);
    }
  }),
);

test(
  'the process starts after the startContainer hooks, and start returns after the poststart hooks',
  onBed((bed) => {
    const scene = new Scene(bed);
    const slow = (name: string) => scene.script(name, `sleep 0.3; echo ${name} >> ${scene.dir}/order`);
    scene.set('startContainer', { path: slow('a') }, { path: slow('b') });
    scene.set('poststart', { path: slow('c') });
    bed.config.process.args = ['/bin/sh', '-c', `echo process >> ${scene.dir}/order; sleep 1000`];
    ok(bed.create());
    ok(bed.start());
    assert.equal(scene.lines('order'), ['a', 'b', 'process', 'c']);
    ok(bed.delete('--force'));
  }),
);

test(
  'run runs all hooks, also in the foreground',
  onBed((bed) => {
    const scene = new Scene(bed);
    observed(scene);
    const r = bed.sh('sleep 0.5; exit 7');
    assert.is(r.code, 7, r.stderr);
    assert.is(r.stderr, '');
    assert.equal(scene.lines('order'), [...points]);
  }),
);

test(
  "without args argv is the path, and without env a hook inherits the runtime's or the process's environment",
  onBed((bed) => {
    const scene = new Scene(bed);
    const path = scene.script('bare', `echo "$0 $# $OUTER $INNER" >> ${scene.dir}/seen; pwd >> ${scene.dir}/seen`);
    for (const point of ['createRuntime', 'createContainer', 'startContainer'] as const) scene.set(point, { path });
    bed.config.process.env = ['PATH=/bin', 'INNER=in'];
    bed.config.process.cwd = '/home';
    bed.config.process.args = ['/bin/true'];
    ok(bed.run([], { env: { PATH: process.env.PATH ?? '', OUTER: 'out' } }));
    assert.equal(scene.lines('seen'), [
      `${path} 0 out `,
      bed.bundle,
      `${path} 0  in`,
      bed.rootfs,
      `${path} 0  in`,
      '/home',
    ]);
  }),
);

mounting(
  "createContainer hooks find the root file system at the bundle's path, and their mounts are in the container",
  onBed((bed) => {
    const scene = new Scene(bed);
    const path = scene.script('mounts', `mount -t tmpfs none ${bed.rootfs}/tmp && echo here > ${bed.rootfs}/tmp/file`);
    scene.set('createContainer', { path, env: [`PATH=${process.env.PATH}`] });
    for (const flags of [[], ['--no-pivot']]) {
      bed.config.process.args = ['/bin/sh', '-c', 'cat /tmp/file; cat /proc/self/mountinfo | grep -c " /tmp "'];
      const r = bed.run(flags);
      assert.is(r.code, 0, r.stderr);
      assert.is(r.stdout, 'here\n1\n', flags.join());
    }
    assert.not.ok(existsSync(join(bed.rootfs, 'tmp/file')), 'on the host nothing is mounted');
    // The host must not see the mount even with shared propagation.
    bed.config.linux.rootfsPropagation = 'shared';
    const r = bed.run();
    assert.is(r.code, 0, r.stderr);
    assert.is(r.stdout, 'here\n1\n');
  }),
);

entering(
  "a prestart hook finds the container's mounts in its mount namespace",
  onBed((bed) => {
    const scene = new Scene(bed);
    const path = scene.script(
      'enter',
      `pid=$(sed 's/.*"pid":\\([0-9]*\\).*/\\1/')
nsenter --mount=/proc/$pid/ns/mnt grep -c ' ${bed.rootfs}/proc ' /proc/self/mountinfo > ${scene.dir}/seen`,
    );
    scene.set('prestart', { path, env: [`PATH=${process.env.PATH}`] });
    bed.config.process.args = ['/bin/true'];
    ok(bed.run());
    assert.is(scene.read('seen'), '1\n');
  }),
);

test(
  'hooks work in a user namespace',
  onBed((bed) => {
    const scene = new Scene(bed);
    observed(scene);
    bed.config.linux.namespaces.push({ type: 'user' });
    bed.config.linux.uidMappings = [{ containerID: 0, hostID: 0, size: 65536 }];
    bed.config.linux.gidMappings = [{ containerID: 0, hostID: 0, size: 65536 }];
    const r = bed.sh('true');
    assert.is(r.code, 0, r.stderr);
    assert.equal(scene.lines('order'), [...points]);
  }),
);

test(
  'a hook that runs `state` gets the true state',
  onBed((bed) => {
    const scene = new Scene(bed);
    const state = `${runtPath} --root ${bed.root} state ${bed.id}`;
    const path = scene.script('state', `cat > /dev/null; ${state} > ${scene.dir}/$1 2>&1`);
    const env = [`PATH=${process.env.PATH}`];
    for (const point of ['createRuntime', 'poststart', 'poststop'] as const)
      scene.set(point, { path, args: ['s', point], env });
    bed.started();
    const pid = bed.state().pid;
    ok(bed.delete('--force'));
    const [creating, running] = ['createRuntime', 'poststart'].map((name) => JSON.parse(scene.read(name)));
    assert.equal([creating.status, creating.pid], ['creating', pid]);
    assert.equal([running.status, running.pid], ['running', pid]);
    assert.match(scene.read('poststop'), /container does not exist/);
  }),
);

for (const point of ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart'] as const) {
  const late = point === 'startContainer' || point === 'poststart';

  test(
    `a failed ${point} hook undoes the container, runs poststop hooks and is reported`,
    onBed((bed) => {
      const scene = new Scene(bed);
      const good = scene.script('good', `echo good >> ${scene.dir}/order`);
      const path = scene.script(
        'bad',
        `echo out; echo "one $$" >&2; printf 'two \\033[31m' >&2; echo bad >> ${scene.dir}/order; exit 3`,
      );
      scene.set(point, { path: good }, { path, args: ['bad', 'an arg'], env: ['PATH=/bin'] }, { path: good });
      scene.set('poststop', { path: scene.script('stop', `cat >> ${scene.dir}/stopped`) });
      const told = (r: Result, command: string): void => {
        assert.is(r.code, 1, r.stderr);
        const [first, at] = r.stderr.split('\n');
        assert.ok(
          first?.startsWith(
            `runt: ${command} ${bed.id}: error running ${point} hook #1: ${path} "an arg": exit status 3 `,
          ),
        );
        assert.match(first ?? '', / after \d+ ms, stderr: "one \d+\\ntwo \\u001b\[31m"$/);
        assert.match(at ?? '', new RegExp(`^ +at +/hooks/${point}/1 in config.json`));
        assert.equal(scene.lines('order'), ['good', 'bad']);
        assert.is(JSON.parse(scene.read('stopped')).status, 'stopped', 'poststop ran, once');
        assert.is(bed.runt(['state', bed.id]).code, 1);
      };
      bed.config.process.args = ['/bin/sleep', '1000'];
      let r = bed.create();
      if (late) {
        ok(r);
        r = bed.start();
      }
      told(r, late ? 'start' : 'create');
      for (const name of ['order', 'stopped']) writeFileSync(join(scene.dir, name), '');
      told(bed.run(), 'run');
      // By its code, for engines.
      const log = join(bed.dir, 'log.json');
      bed.runt(['--log', log, '--log-format', 'json', 'run', '--bundle', bed.bundle, bed.id]);
      const entry = JSON.parse(readFileSync(log, 'utf8'));
      assert.is(entry.code, 'ERR_HOOK');
    }),
  );

  test(
    `a ${point} hook that exceeds its timeout is killed with its children`,
    onBed(async (bed) => {
      const scene = new Scene(bed);
      const path = scene.script(
        'hang',
        `echo waiting >&2; sleep 1000 & echo $! > ${scene.dir}/child; cat /proc/self/stat > /dev/null; wait`,
      );
      scene.set(point, { path, timeout: 1 });
      bed.config.process.args = ['/bin/sleep', '1000'];
      const begin = Date.now();
      let r = bed.create();
      if (late) {
        ok(r);
        r = bed.start();
      }
      const took = Date.now() - begin;
      assert.ok(took >= 1000, `${took} ms`);
      assert.is(r.code, 1);
      assert.match(
        r.stderr,
        new RegExp(`error running ${point} hook #0: .*: not done after \\d+\\.\\d s, its timeout is 1 s; it was`),
      );
      assert.match(r.stderr, /stderr: waiting/);
      if (point !== 'createContainer' && point !== 'startContainer') {
        const child = Number(scene.read('child'));
        assert.ok(child > 0);
        await eventually('the child ends', () => hasEnded(child));
      }
    }),
  );
}

test(
  'a poststop hook that fails or exceeds its timeout is a warning, and the others run',
  onBed((bed) => {
    const scene = new Scene(bed);
    const bad = scene.script('bad', 'echo oops >&2; exit 4');
    const hang = scene.script('hang', 'sleep 1000');
    const good = scene.script('good', `echo good >> ${scene.dir}/order`);
    scene.set('poststop', { path: bad }, { path: hang, timeout: 1 }, { path: '/none' }, { path: good });
    bed.started();
    const r = bed.delete('--force');
    assert.is(r.code, 0);
    assert.match(
      r.stderr,
      /warning: delete .*: error running poststop hook #0: .*bad: exit status 4 after \d+ ms, stderr: oops\n/,
    );
    assert.match(r.stderr, /warning: delete .*: error running poststop hook #1: .*hang: not done after \d+\.\d s/);
    assert.match(r.stderr, /warning: delete .*: error running poststop hook #2: \/none: cannot be executed: ENOENT/);
    assert.equal(scene.lines('order'), ['good']);
  }),
);

test(
  'after a killed delete the container is gone, and the next delete runs its poststop hooks',
  onBed((bed) => {
    const scene = new Scene(bed);
    // The first time it kills the runtime that runs it.
    const kills = `cat > ${scene.dir}/state; echo ran >> ${scene.dir}/order; [ -e ${scene.dir}/once ] && exit; touch ${scene.dir}/once; kill -9 $PPID`;
    const [path, last] = [scene.script('kills', kills), scene.script('last', `echo last >> ${scene.dir}/order`)];
    for (const end of [
      () => bed.delete('--force'),
      () => bed.delete(),
      () => {
        // The next container with this name: its delete runs the hooks of both.
        scene.set('poststop', { path: scene.script('new', `echo new >> ${scene.dir}/order`) });
        bed.started();
        return bed.delete('--force');
      },
    ]) {
      for (const name of ['once', 'order']) rmSync(join(scene.dir, name), { force: true });
      scene.set('poststop', { path }, { path: last });
      bed.started();
      assert.is(bed.delete('--force').signal, 'SIGKILL');
      assert.match(bed.runt(['state', bed.id]).stderr, 'container does not exist');
      assert.is(bed.runt(['list', '-q']).stdout, '');
      assert.equal(scene.lines('order'), ['ran']);
      ok(end());
      assert.equal(scene.lines('order').slice(0, 3), ['ran', 'ran', 'last']);
      assert.equal([JSON.parse(scene.read('state')).id, JSON.parse(scene.read('state')).status], [bed.id, 'stopped']);
      assert.is(bed.delete().code, 1);
      assert.not.ok(existsSync(join(bed.root, '.deleted', bed.id)));
    }
    assert.equal(scene.lines('order'), ['ran', 'ran', 'last', 'new']);
  }),
);

test(
  'after a foreground run was killed in its poststop hook, delete runs the hooks',
  onBed((bed) => {
    const scene = new Scene(bed);
    const path = scene.script(
      'kills',
      `echo ran >> ${scene.dir}/order; [ $(wc -l < ${scene.dir}/order) = 2 ] || kill -9 $PPID`,
    );
    scene.set('poststop', { path });
    bed.config.process.args = ['/bin/true'];
    assert.is(bed.run().signal, 'SIGKILL');
    assert.match(bed.runt(['state', bed.id]).stderr, 'container does not exist');
    ok(bed.delete());
    assert.equal(scene.lines('order'), ['ran', 'ran']);
  }),
);

test(
  'the error of a hook says whether it could not be executed or was killed',
  onBed((bed) => {
    const scene = new Scene(bed);
    const failing = (point: Point, hook: Hook): string => {
      bed.config.hooks = {};
      scene.set(point, hook);
      const r = bed.run();
      assert.is(r.code, 1);
      return r.stderr;
    };
    bed.config.process.args = ['/bin/true'];
    const killed = scene.script('killed', 'kill -SEGV $$');
    for (const point of ['createRuntime', 'createContainer', 'startContainer'] as const) {
      const missing = failing(point, { path: '/none/such' });
      assert.match(missing, new RegExp(`error running ${point} hook #0: /none/such: cannot be executed: ENOENT`));
      assert.match(missing, point === 'startContainer' ? /in the rootfs/ : /on the host/);
      assert.match(failing(point, { path: killed }), /ended by SIGSEGV \(segmentation fault\) after \d+ ms/);
    }
    // It exists on the host, but not in the container.
    const host = join(bed.dir, 'on-host');
    writeFileSync(host, '#!/bin/sh\n');
    chmodSync(host, 0o755);
    assert.match(failing('startContainer', { path: host }), /cannot be executed: ENOENT/);
  }),
);

test(
  'a hook that reads nothing, writes much or leaves a daemon does not block the container',
  onBed((bed) => {
    const scene = new Scene(bed);
    bed.config.annotations = { big: 'x'.repeat(300_000) };
    const env = [`PATH=${process.env.PATH}`];
    const deaf = scene.script('deaf', 'exit 0');
    const loud = scene.script(
      'loud',
      `dd if=/dev/zero bs=1000 count=500 2>/dev/null; dd if=/dev/zero bs=1000 count=500 >&2 2>/dev/null; wc -c >> ${scene.dir}/sizes`,
    );
    // It is found by its argument, since a hook in the container has other pids.
    const seconds = String(100_000 + Math.floor(Math.random() * 100_000));
    const daemon = scene.script('daemon', `(sleep ${seconds}; echo late >&2) & echo >> ${scene.dir}/daemons`);
    for (const point of ['createRuntime', 'createContainer', 'startContainer'] as const)
      scene.set(point, { path: deaf, env }, { path: loud, env }, { path: daemon, env });
    bed.config.process.args = ['/bin/true'];
    try {
      ok(bed.run());
      assert.ok(sleepers(seconds).length > 0, 'the daemon is not waited for');
    } finally {
      for (const pid of sleepers(seconds)) kill(pid);
    }
    const sizes = scene.lines('sizes').map(Number);
    assert.is(sizes.length, 3);
    assert.ok(sizes.every((n) => n > 300_000));
  }),
);

test(
  'a daemon that repeatedly opens files of the root for writing does not prevent a read-only root',
  onBed((bed) => {
    const scene = new Scene(bed);
    mkdirSync(join(bed.rootfs, 'written'));
    // pivot_root(2) moves the daemon into the container's root; there it writes until the root is read-only.
    const write = 'until [ -d /written ]; do :; done; while echo > /written/file; do :; done';
    const path = scene.script('daemon', `(${write}) >> ${scene.dir}/end 2>&1 &`);
    scene.set('createContainer', { path, env: ['PATH=/bin'] });
    bed.config.process.args = ['/bin/true'];
    // The container may end before the daemon writes.
    for (let i = 0; i < 10 || (i < 100 && !scene.read('end')); i++) ok(bed.run());
    assert.match(scene.read('end'), /Read-only/);
  }),
);

test(
  'the error names a daemon that has a file of the root open for writing',
  onBed((bed) => {
    const scene = new Scene(bed);
    execFileSync('mkfifo', [join(scene.dir, 'fifo')]);
    // A createContainer hook sees the container's mount of the root at root.path. No process writes to the FIFO.
    const path = scene.script('daemon', `exec 5> ${bed.rootfs}/written; (read x < ${scene.dir}/fifo) &`);
    scene.set('createContainer', { path, env: ['PATH=/bin'] });
    const { code, stderr } = bed.run();
    assert.is(code, 1, stderr);
    assert.match(stderr, /make the root read-only \(\/\): EBUSY/);
    assert.match(stderr, /end the process that has a file of the root open for writing/);
  }),
);

/** Processes that sleep this long. */
function sleepers(seconds: string): number[] {
  const commandOf = (pid: string): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    } catch {
      return '';
    }
  };
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && commandOf(pid) === `sleep\0${seconds}\0`)
    .map(Number);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

test(
  'the error of a hook contains the end of its output',
  onBed((bed) => {
    const scene = new Scene(bed);
    const path = scene.script('much', `i=0; while [ $i -lt 2000 ]; do echo "line $i" >&2; i=$((i+1)); done; exit 1`);
    bed.config.process.args = ['/bin/true'];
    for (const point of ['createRuntime', 'createContainer'] as const) {
      bed.config.hooks = {};
      scene.set(point, { path, env: ['PATH=/bin'] });
      const { stderr } = bed.run();
      assert.match(stderr, /line 1999"/);
      assert.not.match(stderr, /line 100\\n/);
      assert.ok(stderr.length < 7000, `${stderr.length} characters`);
    }
  }),
);

test(
  'startContainer hooks run with the user, capabilities, no_new_privs and seccomp filter of the process',
  onBed((bed) => {
    const scene = new Scene(bed);
    const path = scene.script(
      'who',
      `grep -E '^(Uid|CapEff|NoNewPrivs|Seccomp:)' /proc/self/status > ${scene.dir}/seen
mkdir ${scene.dir}/forbidden 2>> ${scene.dir}/seen; exit 0`,
    );
    scene.set('startContainer', { path });
    bed.config.linux.seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
    };
    bed.config.process.user = { uid: 5, gid: 6 };
    bed.config.process.noNewPrivileges = true;
    bed.config.process.args = ['/bin/true'];
    ok(bed.run());
    const seen = ['Uid:\t5\t5\t5\t5', 'CapEff:\t0000000000000000', 'NoNewPrivs:\t1', 'Seccomp:\t2'];
    assert.equal(scene.lines('seen').slice(0, 4), seen);
    assert.match(scene.lines('seen')[4] ?? '', /Operation not permitted/);
    // Without no_new_privs the filter has to be loaded before the change of user.
    writeFileSync(join(scene.dir, 'seen'), '');
    chmodSync(join(scene.dir, 'seen'), 0o666);
    bed.config.process.noNewPrivileges = false;
    ok(bed.run());
    assert.is(scene.lines('seen')[3], 'Seccomp:\t2');
    assert.match(scene.lines('seen')[4] ?? '', /Operation not permitted/);
  }),
);

test(
  'delete --force ends a container whose startContainer hook hangs, and a second start is refused',
  onBed(async (bed) => {
    const scene = new Scene(bed);
    const path = scene.script('hang', `echo x > ${scene.dir}/begun; sleep 1000`);
    scene.set('startContainer', { path });
    bed.config.process.args = ['/bin/true'];
    ok(bed.create());
    const first = bed.spawn(['start', bed.id]);
    await eventually('the hook begins', () => scene.read('begun') !== '');
    assert.is(bed.state().status, 'created');
    const second = bed.start();
    assert.is(second.code, 1);
    assert.match(second.stderr, /cannot start a container in the starting state/);
    ok(bed.delete('--force'));
    const r = await first.exit;
    assert.is(r.code, 1);
    assert.match(r.stderr, /ended before it executed the process/);
  }),
);

test(
  'without a pid namespace, the children of a failed hook are killed too',
  onBed(async (bed) => {
    const scene = new Scene(bed);
    bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== 'pid');
    const path = scene.script('leaves', `sleep 1000 & echo $! > ${scene.dir}/child; exit 1`);
    scene.set('createContainer', { path });
    bed.config.process.args = ['/bin/true'];
    assert.is(bed.run().code, 1);
    const child = Number(scene.read('child'));
    assert.ok(child > 0);
    await eventually('the child ends', () => hasEnded(child));
  }),
);

compiled(
  'without close_range(2), a hook in the container gets no descriptor of the process either',
  onBed((bed) => {
    const scene = new Scene(bed);
    observed(scene);
    const caller = scene.script('caller', `exec 3< /dev/null; exec ${filtered(bed.dir, ['close_range=38'])} "$@"`);
    bed.config.process.args = ['/bin/true'];
    ok(bed.run(['--preserve-fds', '1'], { program: caller }));
    for (const point of ['createContainer', 'startContainer'])
      assert.is(scene.read(`${point}.fds`), '0\n1\n2\n', point);
  }),
);

test(
  'explain shows hooks in the order in which they run',
  onBed((bed) => {
    const scene = new Scene(bed);
    observed(scene);
    bed.write();
    const r = bed.runt(['explain', bed.bundle]);
    ok(r);
    const lines = r.stdout.split('\n');
    const at = (text: string): number => lines.findIndex((l) => l.includes(text));
    for (const point of points) assert.match(lines[at(`/hooks/${point}/0`)] ?? '', /hook .*look +.*"x y"/, point);
    const order = points.map((point) => at(`/hooks/${point}/0`));
    assert.equal(
      order,
      [...order].sort((a, b) => a - b),
    );
    assert.ok(at('/hooks/createContainer/0') < at('pivot_root'));
    assert.not.match(r.stdout, /POINT=/, 'no values of an environment');
  }),
);

test(
  "hooks of a bundle's config that changed after create have no effect",
  onBed((bed) => {
    const scene = new Scene(bed);
    for (const point of ['poststart', 'poststop'] as const)
      scene.set(point, { path: scene.script(point, `echo ${point} >> ${scene.dir}/order`) });
    bed.config.process.args = ['/bin/true'];
    ok(bed.create());
    bed.write('{}');
    ok(bed.start());
    bed.until('stopped');
    ok(bed.delete());
    assert.equal(scene.lines('order'), ['poststart', 'poststop']);
  }),
);

compared(
  'hooks see the same as under runc: state (except its version), environment, directory, order up to poststart',
  onBed((bed) => {
    const scene = new Scene(bed);
    const path = scene.script(
      'look',
      `{ echo "$1"; cat; echo; env | grep -v ^_= | sort; pwd; } >> ${scene.dir}/seen; exit 0`,
    );
    for (const point of points) scene.set(point, { path, args: ['hook', point], env: ['A=1'] });
    for (const point of ['createContainer', 'startContainer'] as const)
      scene.set(point, { path, args: ['hook', point] });
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const seen = (program: string | undefined): Record<string, string[]> => {
      writeFileSync(join(scene.dir, 'seen'), '');
      chmodSync(join(scene.dir, 'seen'), 0o666);
      // runc itself changes to the bundle, except at the end.
      const o = { cwd: bed.bundle, ...(program && { program }) };
      for (const args of [
        ['create', '--bundle', bed.bundle, bed.id],
        ['start', bed.id],
        ['delete', '--force', bed.id],
      ])
        ok(bed.runt(args, o));
      const found: Record<string, string[]> = {};
      let at = '';
      for (const line of scene.lines('seen')) {
        if ((points as readonly string[]).includes(line)) {
          at = line;
          found[at] = [];
          continue;
        }
        found[at]?.push(line.replace(/"ociVersion":"[^"]*"/, '').replace(/"pid":\d+/, '"pid":N'));
      }
      return found;
    };
    const [ours, theirs] = [seen(undefined), seen(which('runc'))];
    assert.equal(Object.keys(ours), [...points]);
    // runc 1.1 runs poststart in create, with the status "created"; later versions, and the spec, after the start.
    assert.equal(ours.poststart?.[0]?.replace('"running"', '"created"'), theirs.poststart?.[0]);
    for (const point of points.filter((p) => p !== 'poststart')) assert.equal(ours[point], theirs[point], point);
  }),
);

test.run();
entering.run();
mounting.run();
compiled.run();
compared.run();
