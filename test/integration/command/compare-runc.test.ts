/**
 * The same bundle, made by `runc spec`, looks the same inside under runc and under runt. Intended differences are
 * listed with their reasons in compare-runc.expected.json, and every entry there must still be true.
 */
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../bed/bed.js';
import type { Config } from '../bed/config.js';
import { hasCgroupV1, which } from '../bed/needs.js';
import { top } from '../bed/place.js';
import { differences, parseProbe, probeScript, type Value } from '../bed/probe.js';

interface Expected {
  case: string;
  at: string;
  /** Only on machines whose controllers are v1 hierarchies, or v2. */
  on?: 'v1' | 'v2';
  /** Only with these versions of runc (a prefix). */
  versions?: string;
  /** The value under each; left out if it depends on the machine. */
  runc?: Value;
  runt?: Value;
  reason: string;
}

const test = needing('compare-runc', 'root', 'runc');
/** runc makes recursive read-only mounts from Linux 5.12 on, and fails before. */
const mounting = needing('compare-runc mounts', 'root', 'runc', 'linux-5.12');
const runcVersion = which('runc')
  ? /version (\S+)/.exec(execFileSync('runc', ['--version'], { encoding: 'utf8' }))![1]!
  : '';

/** Replaces the bed's config by that of `runc spec`. */
function runcSpec(bed: Bed, ...flags: string[]): void {
  const path = join(bed.bundle, 'config.json');
  rmSync(path, { force: true });
  execFileSync('runc', ['spec', ...flags], { cwd: bed.bundle });
  bed.config = JSON.parse(readFileSync(path, 'utf8')) as Config;
  bed.config.process.terminal = false;
}

/** Runs the probe under both and checks the differences against the list. */
function compare(bed: Bed, name: string, owner?: number): void {
  const seen: Value[] = [];
  if (owner !== undefined) for (const path of [bed.dir, bed.bundle]) chownSync(path, owner, owner);
  bed.config.process.args = ['/bin/sh', '-c', probeScript];
  bed.write();
  for (const program of ['runc', undefined]) {
    const id = `${bed.id}-${program ?? 'runt'}`;
    const r = bed.runt(['run', '--bundle', bed.bundle, id], {
      ...(program ? { program } : {}),
      ...(owner === undefined ? {} : { uid: owner, gid: owner }),
      env: { PATH: process.env.PATH ?? '', HOME: bed.dir, XDG_RUNTIME_DIR: bed.dir },
    });
    assert.is(r.code, 0, `${program ?? 'runt'}: ${r.stderr}`);
    seen.push(parseProbe(r.stdout, { [id]: 'ID', [bed.bundle]: 'BUNDLE', [bed.dir]: 'DIR' }));
  }
  const file = join(top, 'test', 'integration', 'command', 'compare-runc.expected.json');
  const layout = hasCgroupV1() ? 'v1' : 'v2';
  const expected = (JSON.parse(readFileSync(file, 'utf8')) as Expected[]).filter(
    (e) => e.case === name && (e.on ?? layout) === layout && runcVersion.startsWith(e.versions ?? ''),
  );
  const found = differences(seen[0], seen[1]).map(({ at, a, b }) => ({
    at,
    ...(a === undefined ? {} : { runc: a }),
    ...(b === undefined ? {} : { runt: b }),
  }));
  const wanted = expected.map(({ at, runc, runt }) => ({
    at,
    ...(runc === undefined ? {} : { runc }),
    ...(runt === undefined ? {} : { runt }),
  }));
  const key = (value: unknown) => JSON.stringify(value);
  const open = (w: { at: string }) => !('runc' in w) && !('runt' in w);
  const same = (w: { at: string }, f: { at: string }) => (open(w) ? w.at === f.at : key(w) === key(f));
  const surprises = found.filter((f) => !wanted.some((w) => same(w, f)));
  const stale = wanted.filter((w) => !found.some((f) => same(w, f)));
  assert.is(surprises.map(key).join('\n'), '', 'differences that are not on the list');
  assert.is(stale.map(key).join('\n'), '', 'differences on the list that are no more');
  for (const e of expected) assert.ok(e.reason.length > 20, `${e.at} needs a reason`);
}

test(
  'the default bundle looks the same',
  onBed((bed) => {
    runcSpec(bed);
    compare(bed, 'default');
  }),
);

test(
  'a bundle with an ordinary user, groups, limits, capabilities, sysctls and more mounts looks the same',
  onBed((bed) => {
    runcSpec(bed);
    // An existing target gives a tmpfs its mode, so it must exist before the first of the two runs.
    for (const name of ['new', 'relatime']) mkdirSync(join(bed.rootfs, 'mnt', name), { recursive: true });
    const { process, linux, mounts, root } = bed.config;
    root.readonly = false;
    process.user = { uid: 1000, gid: 1000, additionalGids: [5, 2000], umask: 0o027 };
    process.cwd = '/var/tmp';
    process.env.push('EMPTY=', 'TWO=a=b');
    process.rlimits = [
      { type: 'RLIMIT_NOFILE', hard: 512, soft: 256 },
      { type: 'RLIMIT_CORE', hard: 0, soft: 0 },
      { type: 'RLIMIT_NPROC', hard: 200, soft: 100 },
    ];
    process.capabilities = {
      bounding: ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_RAW'],
      permitted: ['CAP_CHOWN', 'CAP_KILL'],
      effective: ['CAP_KILL'],
      inheritable: ['CAP_KILL'],
      ambient: ['CAP_KILL'],
    };
    process.noNewPrivileges = false;
    process.oomScoreAdj = 300;
    linux.sysctl = { 'net.ipv4.ip_forward': '1', 'net.ipv4.ping_group_range': '0 100', 'kernel.msgmax': '4096' };
    linux.rootfsPropagation = 'slave';
    linux.devices = [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o640, uid: 1000, gid: 5 }];
    linux.maskedPaths.push('/home/user', '/etc/hosts');
    linux.readonlyPaths.push('/etc');
    linux.resources = {
      devices: [
        { allow: false, access: 'rwm' },
        { allow: true, type: 'c', major: 10, minor: 229, access: 'rwm' },
      ],
      memory: { limit: 64 << 20 },
      pids: { limit: 50 },
    };
    mounts.push(
      { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'mode=1777', 'size=1m'] },
      {
        destination: '/mnt/new',
        type: 'bind',
        source: join(bed.bundle, 'rootfs', 'etc'),
        options: ['rbind', 'ro', 'nosuid'],
      },
      { destination: '/mnt/file', type: 'bind', source: '/etc/hostname', options: ['bind', 'noexec', 'private'] },
      { destination: '/mnt/relatime', type: 'tmpfs', source: 'x', options: ['noatime', 'rslave', 'size=64k'] },
    );
    compare(bed, 'rich');
  }),
);

mounting(
  "every kind of mount looks the same: options, overlays, copies, propagation, engines' bind mounts",
  onBed((bed) => {
    runcSpec(bed);
    const { mounts, root, linux } = bed.config;
    root.readonly = false;
    linux.rootfsPropagation = 'rslave';
    const source = join(bed.dir, 'source');
    mkdirSync(join(source, 'below'), { recursive: true });
    for (const name of ['layers/a', 'layers/b']) mkdirSync(join(bed.bundle, name), { recursive: true });
    mkdirSync(join(bed.rootfs, 'var', 'copied', 'deep'), { recursive: true });
    const bind = (name: string, ...options: string[]) => {
      mkdirSync(join(bed.rootfs, 'mnt', name), { recursive: true });
      mounts.push({ destination: `/mnt/${name}`, type: 'bind', source, options });
    };
    bind('podman', 'rprivate', 'rbind', 'ro', 'nosuid', 'nodev', 'noexec');
    bind('containerd', 'rbind', 'rprivate', 'rw', 'size=64k', 'sync');
    bind('docker', 'rbind', 'rslave');
    bind('recursive', 'rbind', 'rro', 'rnosuid', 'rnoatime');
    bind('times', 'bind', 'noatime', 'nodiratime', 'nosymfollow', 'shared');
    bind('plain', 'bind', 'defaults', 'exec', 'suid', 'dev', 'unbindable');
    const fs = (name: string, type: string, ...options: string[]) => {
      mkdirSync(join(bed.rootfs, 'mnt', name), { recursive: true });
      mounts.push({ destination: `/mnt/${name}`, type, source: name, options });
    };
    fs('flags', 'tmpfs', 'sync', 'dirsync', 'lazytime', 'mand', 'ro', 'strictatime', 'nodev', 'private', 'mode=755');
    fs('silent', 'tmpfs', 'silent', 'iversion', 'size=1m', 'nr_inodes=50', 'mode=0700', 'uid=3', 'gid=4');
    // runc accepts no relative paths.
    const at = (name: string) => join(bed.bundle, name);
    const lower = `lowerdir=${at('layers/a')}:${at('layers/b')}`;
    fs('readonly', 'overlay', lower, 'ro');
    mounts.push({ destination: '/var/copied', type: 'tmpfs', source: 'copied', options: ['tmpcopyup', 'nosuid'] });
    mounts.push({ destination: 'mnt/relative', type: 'tmpfs', source: 'relative', options: ['size=4k', 'mode=755'] });
    compare(bed, 'mounts');
  }),
);

test(
  'a bundle with a user namespace looks the same',
  onBed((bed) => {
    runcSpec(bed);
    // On cgroup v2 the config of `runc spec` already has a cgroup namespace.
    const has = (type: string) => bed.config.linux.namespaces.some((n) => n.type === type);
    bed.config.linux.namespaces.push({ type: 'user' }, ...(has('cgroup') ? [] : [{ type: 'cgroup' } as const]));
    bed.config.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    bed.config.linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    compare(bed, 'userns');
  }),
);

test(
  'a bundle without network, ipc and uts namespaces and with a writable root looks the same',
  onBed((bed) => {
    runcSpec(bed);
    const { linux, root } = bed.config;
    root.readonly = false;
    delete bed.config.hostname;
    linux.namespaces = linux.namespaces.filter(({ type }) => type === 'mount' || type === 'pid');
    bed.config.mounts = bed.config.mounts.filter(({ destination }) => destination !== '/dev/mqueue');
    compare(bed, 'host');
  }),
);

test(
  'a rootless bundle of an ordinary user looks the same',
  onBed((bed) => {
    execFileSync('setpriv', ['--reuid', '1000', '--regid', '1000', '--clear-groups', 'true']);
    chownSync(bed.bundle, 1000, 1000);
    const path = join(bed.bundle, 'config.json');
    execFileSync('runc', ['spec', '--rootless'], {
      cwd: bed.bundle,
      uid: 1000,
      gid: 1000,
      env: { PATH: process.env.PATH, HOME: bed.dir },
    });
    bed.config = JSON.parse(readFileSync(path, 'utf8')) as Config;
    rmSync(path);
    bed.config.process.terminal = false;
    compare(bed, 'rootless', 1000);
  }),
);

test.run();
mounting.run();
