/**
 * Sources of bind mounts are the host's, for any form of path: `/`, symlinks, `..`, and directories above the
 * container's root. The host is a mount namespace of the test's own, in which all mounts are shared.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import * as assert from 'uvu/assert';

import type { Mount } from '../../../src/spec/config-types.js';
import { Bed, needing, onBed } from '../bed/bed.js';
import { withUserNamespace } from '../bed/config.js';
import { MountNamespace, onStage } from '../bed/mount-namespace.js';
import { which } from '../bed/needs.js';
import { runtPath } from '../bed/place.js';
import { parseMount } from '../bed/probe.js';

const test = needing('bind sources', 'root');
const withRunc = needing('bind sources beside runc', 'root', 'runc');

/** The compared facts of the mounts at and below a bind mount, by their relative paths. */
type Seen = Record<string, string>;

/** A mount namespace that stands for a host, with a bed in it. */
class Host {
  readonly bed = new Bed();
  readonly volume = join(this.bed.dir, 'volume');
  readonly #namespace = new MountNamespace();
  readonly #up = relative(this.bed.dir, '/');

  /** The sources, each with another form of path. */
  readonly sources: readonly string[] = [
    '/',
    '//./',
    '/..',
    join(this.bed.dir, 'absolute'),
    join(this.bed.dir, 'upwards'),
    `${this.bed.dir}/${this.#up}`,
    `${this.bed.dir}/${this.#up}/etc`,
    join(this.bed.dir, 'settings'),
    '../volume',
    `${this.bed.dir}/alias/../volume/sub`,
    dirname(this.bed.dir),
    this.bed.dir,
    this.bed.bundle,
    join(this.bed.dir, 'alias'),
    '/proc',
  ];

  async ready(): Promise<void> {
    const { dir } = this.bed;
    await this.#namespace.ready();
    mkdirSync(this.volume);
    symlinkSync('/', join(dir, 'absolute'));
    symlinkSync(this.#up, join(dir, 'upwards'));
    symlinkSync(`${this.#up}/etc`, join(dir, 'settings'));
    symlinkSync('bundle', join(dir, 'alias'));
    const { volume } = this;
    this.sh(
      `mount --make-rshared /; mount -t tmpfs -o mode=755 one '${volume}'; mkdir '${volume}/sub'; mount -t tmpfs -o mode=755 two '${volume}/sub'`,
    );
  }

  /** Runs a shell script on this host and returns its stdout. */
  sh(script: string): string {
    return this.#namespace.sh(script, this.bed.bundle);
  }

  /** The facts of a bind mount of each source by mount(8), and the directory that it shows. */
  expected(how: 'bind' | 'rbind'): { seen: Seen[]; directories: string[] } {
    const at = join(this.bed.dir, 'at');
    mkdirSync(at, { recursive: true });
    const binds = this.sources.map((source) =>
      [
        `cd '${this.bed.bundle}'; mount --${how} '${source}' '${at}'`,
        `stat -c '= %d:%i' '${at}'; cat /proc/self/mountinfo`,
      ].join('; '),
    );
    const outputs = binds.map((script) =>
      this.sh(`exec unshare -m --propagation unchanged sh -ec "mount --make-rslave /; ${script}"`),
    );
    return {
      seen: outputs.map((o) => below(o.trim().split('\n').slice(1), at)),
      directories: outputs.map((o) => o.split('\n')[0]!),
    };
  }

  /** The facts of a container's bind mounts. */
  container(mounts: Mount[], program: string, flags: string[] = []): { seen: Seen[]; directories: string[] } {
    const { bed } = this;
    const there = this.#namespace.program(join(bed.dir, 'there'), program);
    const config = structuredClone(bed.config);
    config.mounts.push(...mounts);
    const targets = mounts.map((m) => m.destination);
    config.process.args = ['/bin/sh', '-c', `stat -c '= %d:%i' ${targets.join(' ')}; cat /proc/self/mountinfo`];
    bed.write(config);
    const r = bed.runt(['run', '--bundle', bed.bundle, ...flags, bed.id], { program: there });
    if (r.code !== 0) throw new Error(`${program}: exit ${r.code}: ${r.stderr}`);
    const lines = r.stdout.trim().split('\n');
    const mountinfo = lines.slice(targets.length);
    return { seen: targets.map((target) => below(mountinfo, target)), directories: lines.slice(0, targets.length) };
  }

  end(quiet: boolean): void {
    this.#namespace.end();
    this.bed.end(quiet);
  }
}

/** The mounts at and below a target: the root of each, whether it is read-only, its propagation. */
function below(mountinfo: string[], target: string): Seen {
  const found: Seen = {};
  for (const m of mountinfo.map(parseMount)) {
    if (m.target !== target && !m.target.startsWith(`${target}/`)) continue;
    const { flags, propagation, root } = m.facts as { flags: string[]; propagation: string[]; root: string };
    const words = [root, flags.includes('ro') ? 'ro' : 'rw', propagation.join('+') || 'private'];
    // Of two mounts on one target, the last one is visible.
    found[m.target.slice(target.length)] = words.join(' ');
  }
  return found;
}

const onHost = (body: (host: Host) => void) => onStage(() => new Host(), body);

const all = (seen: Seen, change: (words: string[], place: string) => string[]): Seen =>
  Object.fromEntries(Object.entries(seen).map(([place, text]) => [place, change(text.split(' '), place).join(' ')]));

/** Options, and their effect on a mount of the host's that has become a slave. */
const options: readonly [string[], (words: string[], place: string) => string[]][] = [
  [['rbind'], (words) => words],
  [['rbind', 'rslave'], (words) => words],
  [['rbind', 'rprivate'], ([root = '', mode = '']) => [root, mode, 'private']],
  [['rbind', 'rshared'], ([root = '', mode = '']) => [root, mode, 'master+shared']],
  [['rbind', 'ro'], ([root = '', mode = '', kind = ''], place) => [root, place === '' ? 'ro' : mode, kind]],
  [['rbind', 'rro'], ([root = '', , kind = '']) => [root, 'ro', kind]],
  [['bind'], (words) => words],
];

/** A bind mount of each source with each of the options. */
const binds = (host: Host): Mount[] =>
  options.flatMap(([list], n) =>
    host.sources.map((source, i) => ({ destination: `/binds/${n}-${i}`, type: 'bind', source, options: list })),
  );

function assertShown(host: Host, found: { seen: Seen[]; directories: string[] }): void {
  const [one, tree] = [host.expected('bind'), host.expected('rbind')];
  options.forEach(([list, change], n) => {
    const from = list.includes('rbind') ? tree : one;
    host.sources.forEach((source, i) => {
      const at = n * host.sources.length + i;
      assert.is(found.directories[at], from.directories[i], `${list}: ${source}`);
      assert.equal(found.seen[at], all(from.seen[i]!, change), `${list}: ${source}`);
    });
  });
}

for (const flags of [[], ['--no-pivot']]) {
  test(
    `bind mounts of a container equal those of mount(8) ${flags}`,
    onHost((host) => assertShown(host, host.container(binds(host), `'${runtPath}'`, flags))),
  );
}

test(
  'bind mounts equal those of mount(8) with hooks too, for which the root is attached at its path',
  onHost((host) => {
    host.bed.config.hooks = { createContainer: [{ path: '/bin/true' }] };
    assertShown(host, host.container(binds(host), `'${runtPath}'`));
  }),
);

test(
  "more bind mounts than the caller's limit of open files work, and the process has that limit",
  onBed((bed) => {
    bed.config.process.rlimits = [];
    for (let i = 0; i < 200; i++) bed.config.mounts.push({ destination: `/b/${i}`, source: '/etc', options: ['bind'] });
    bed.config.process.args = ['/bin/sh', '-c', 'ulimit -n; grep -c " /b/" /proc/self/mountinfo'];
    const r = bed.run([], { wrapped: ['prlimit', '--nofile=64:4096'] });
    assert.equal([r.stdout, r.code], ['64\n200\n', 0], r.stderr);
    bed.config.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 128, hard: 256 }];
    assert.is(bed.run([], { wrapped: ['prlimit', '--nofile=64:4096'] }).stdout, '128\n200\n');
  }),
);

test(
  "a bind mount's source may be a directory that an earlier mount made in the root file system",
  onBed((bed) => {
    bed.config.root.readonly = false;
    bed.config.mounts.push(
      { destination: '/made/here', type: 'tmpfs', source: 'x' },
      { destination: '/again', source: 'rootfs/made', options: ['rbind'] },
    );
    assert.is(bed.out('ls /again'), 'here\n');
    bed.config.mounts.push({ destination: '/none', source: 'rootfs/none', options: ['rbind'] });
    assert.match(bed.run().stderr, /bind .*rootfs\/none on \/none: ENOENT/);
  }),
);

test(
  'such a source works in a user namespace too, with and without a supervisor',
  onBed((bed) => {
    withUserNamespace(bed.config);
    execFileSync('chown', ['100000:100000', bed.rootfs]);
    bed.config.root.readonly = false;
    bed.config.mounts.push(
      { destination: '/first', source: bed.dir, options: ['bind', 'rslave'] },
      { destination: '/made/here', type: 'tmpfs', source: 'x' },
      { destination: '/again', source: 'rootfs/made', options: ['rbind'] },
      { destination: '/last', source: bed.dir, options: ['bind', 'rslave'] },
    );
    const script = 'ls /again; ls -d /first/bundle /last/bundle';
    for (const flags of [[], ['--supervise']]) {
      const r = bed.sh(script, flags);
      assert.equal([r.code, r.stdout, r.stderr], [0, 'here\n/first/bundle\n/last/bundle\n', '']);
      execFileSync('rm', ['-r', join(bed.rootfs, 'made')]);
    }
    bed.config.mounts.push({ destination: '/none', source: 'rootfs/none', options: ['rbind'] });
    assert.match(bed.sh(script).stderr, /bind .*rootfs\/none on \/none: ENOENT/);
  }),
);

for (const isolated of [false, true]) {
  test(
    `a source that earlier mounts cover is what they show${isolated ? ', in a user namespace too' : ''}`,
    onBed((bed) => {
      if (isolated) {
        withUserNamespace(bed.config);
        execFileSync('chown', ['-R', '100000:100000', bed.rootfs]);
      }
      bed.config.root.readonly = false;
      for (const name of ['a/x', 'b/y', 'c/z']) {
        mkdirSync(join(bed.dir, name), { recursive: true });
        writeFileSync(join(bed.dir, name, 'file'), `${name}\n`);
      }
      mkdirSync(join(bed.rootfs, 'mnt', 'host'), { recursive: true });
      const inside = (path: string) => join(bed.rootfs, path);
      const [bind, rbind] = [['bind'], ['rbind']];
      bed.config.mounts.push(
        { destination: '/before', source: inside('mnt'), options: rbind },
        { destination: '/mnt', source: join(bed.dir, 'a'), options: bind },
        { destination: '/mnt/x', source: join(bed.dir, 'b'), options: bind },
        { destination: '/mnt/x/y', source: join(bed.dir, 'c'), options: bind },
        { destination: '/whole', source: inside('mnt'), options: rbind },
        { destination: '/one', source: inside('mnt'), options: bind },
        { destination: '/file', source: inside('mnt/x/y/z/file'), options: ['bind', 'ro'] },
        { destination: '/relative', source: 'rootfs/mnt/x', options: ['rbind', 'ro'] },
      );
      const script =
        'ls /before /whole/x/y/z /one /one/x; cat /whole/x/y/z/file /file /relative/y/z/file; touch /relative/new || ls /relative';
      const r = bed.sh(script);
      assert.is(
        r.stdout,
        '/before:\nhost\n\n/one:\nx\n\n/one/x:\nfile\n\n/whole/x/y/z:\nfile\nc/z\nc/z\nc/z\ny\n',
        r.stderr,
      );
      assert.match(r.stderr, /Read-only file system/);
    }),
  );
}

test(
  'a symlink of the root file system leads the source to another place of the container, not of the host',
  onBed((bed) => {
    bed.config.root.readonly = false;
    mkdirSync(join(bed.dir, 'volume'));
    symlinkSync('/etc/here', join(bed.dir, 'volume', 'link'));
    mkdirSync(join(bed.rootfs, 'etc', 'here'), { recursive: true });
    writeFileSync(join(bed.rootfs, 'etc', 'here', 'own'), '');
    bed.config.mounts.push(
      { destination: '/mnt', source: join(bed.dir, 'volume'), options: ['bind'] },
      { destination: '/again', source: 'rootfs/mnt/link', options: ['bind'] },
    );
    assert.is(bed.out('ls /again'), 'own\n');
    bed.config.mounts.push({ destination: '/none', source: 'rootfs/mnt/none', options: ['bind'] });
    assert.match(bed.run().stderr, /bind .*rootfs\/mnt\/none on \/none: ENOENT/);
  }),
);

test(
  'the error names a missing source',
  onBed((bed) => {
    bed.config.mounts.push({ destination: '/none', source: '/nowhere/../none', options: ['rbind'] });
    const { stderr, code } = bed.run();
    assert.is(code, 1);
    assert.match(stderr, /open the bind source \/nowhere\/..\/none: ENOENT \(no such file or directory\)/);
    assert.match(stderr, /at {2}\/mounts\/7\/source in config.json/);
  }),
);

/** The effect of a user namespace on the clones: their flags are locked, and they are at most slaves. */
const places = (found: { seen: Seen[]; directories: string[] }) => ({
  directories: found.directories,
  seen: found.seen.map((seen) => Object.keys(seen).sort()),
});

test(
  'in a user namespace made by root, bind mounts show the same',
  onHost((host) => {
    withUserNamespace(host.bed.config);
    execFileSync('chown', ['-R', '100000:100000', host.bed.rootfs]);
    const trees = host.sources.map((source, i) => ({ destination: `/binds/${i}`, source, options: ['rbind'] }));
    assert.equal(places(host.container(trees, `'${runtPath}'`)), places(host.expected('rbind')));
  }),
);

test(
  "bind mounts of an ordinary user's container show the same trees",
  onHost((host) => {
    const { bed } = host;
    const own = join(bed.dir, 'runt');
    execFileSync('cp', [runtPath, own]);
    execFileSync('chown', ['-R', '1000:1000', bed.dir]);
    const as = `setpriv --reuid 1000 --regid 1000 --clear-groups env XDG_RUNTIME_DIR='${bed.dir}' '${own}'`;
    withUserNamespace(bed.config, 1000, 1);
    bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== 'network');
    bed.config.linux.resources = {};
    bed.config.mounts = bed.config.mounts
      .filter((m) => m.type !== 'sysfs' && m.type !== 'cgroup')
      .map((m) => ({ ...m, options: m.options?.filter((o) => o !== 'gid=5') ?? [] }));
    // Below /proc, mounts of another pid namespace are not all visible.
    const trees = host.sources.map((source, i) => ({ destination: `/binds/${i}`, source, options: ['rbind'] }));
    assert.equal(places(host.container(trees, as)), places(host.expected('rbind')));
  }),
);

for (const propagation of [undefined, 'shared', 'rprivate'] as const) {
  withRunc(
    `runc's bind mounts show the same trees with rootfsPropagation ${propagation}`,
    onHost((host) => {
      if (propagation) host.bed.config.linux.rootfsPropagation = propagation;
      const [mounts, count] = [binds(host), 4];
      const mine = host.container(mounts, `'${runtPath}'`);
      for (let from = 0; from < mounts.length; from += count) {
        // Few at a time: each bind mount of runc's contains the container's root with all earlier ones, so their number
        // doubles.
        const theirs = host.container(mounts.slice(from, from + count), `'${which('runc')}'`);
        assert.equal(mine.directories.slice(from, from + count), theirs.directories);
        theirs.seen.forEach((seen, i) => {
          const { source, options } = mounts[from + i]!;
          const shown = Object.entries(seen).filter(([place]) => !`${place}/`.includes('/rootfs/'));
          assert.equal(mine.seen[from + i], Object.fromEntries(shown), `${options}: ${source}`);
        });
      }
    }),
  );
}

test.run();
withRunc.run();
