/** `runt install` in the tree of a host: install, upgrade, undo, and what it refuses, byte for byte. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, eventually, needing, ok, onBed, type Result } from '../bed/bed.js';
import { me } from '../bed/callers.js';
import { mounting } from '../bed/mount-namespace.js';
import { runtPath } from '../bed/place.js';

const test = needing('install', 'root', 'mount', 'unshare', 'setpriv', 'strace');

const daemonJson = '{\n\t"log-driver": "json-file",\n\t"runtimes": { "crun": {"path": "/usr/bin/crun"} }\n}\n';

class Host {
  readonly root: string;

  constructor(private readonly bed: Bed) {
    this.root = join(bed.dir, 'host');
    mkdirSync(this.root);
  }

  write(path: string, text: string, mode = 0o644): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text);
    chmodSync(join(this.root, path), mode);
  }

  text(path: string): string {
    return readFileSync(join(this.root, path), 'utf8');
  }

  has(path: string): boolean {
    return existsSync(join(this.root, path));
  }

  call(args: readonly string[], wrapped?: readonly string[]): Result {
    return this.bed.runt(['install', '--host-root', this.root, ...args], wrapped ? { wrapped } : {});
  }

  /** Runs a command that must succeed. */
  ok(...args: string[]): string {
    const r = this.call(args);
    assert.equal([r.code, r.stderr], [0, '']);
    return r.stdout;
  }

  /** Names, modes, owners and digests of all files. */
  census(): string {
    return execFileSync(
      'sh',
      ['-c', 'find . -printf "%P %y %m %U:%G %l\\n" | sort; find . -type f -exec sha256sum {} + | sort -k 2'],
      { cwd: this.root, encoding: 'utf8' },
    );
  }
}

const onHost = (body: (host: Host, bed: Bed) => void): (() => Promise<void>) =>
  onBed((bed) => body(new Host(bed), bed));

test(
  'install writes each engine its file, a second call writes nothing, and undo restores every byte',
  onHost((host) => {
    host.write('/etc/docker/daemon.json', daemonJson, 0o600);
    host.write('/etc/containerd/config.toml', 'version = 2\n# mine');
    host.write('/etc/crio/crio.conf', '[crio]\n');
    host.write('/etc/containers/containers.conf', '[engine]\nruntime_supports_json = ["crun", "mine"]\n');
    const before = host.census();
    assert.match(host.ok('--dry-run'), 'would be replaced: /etc/docker/daemon.json');
    assert.is(host.census(), before, 'a dry run writes nothing');
    host.ok();
    assert.equal(JSON.parse(host.text('/etc/docker/daemon.json')), {
      'log-driver': 'json-file',
      runtimes: { crun: { path: '/usr/bin/crun' }, runt: { path: '/usr/local/bin/runt' } },
    });
    assert.is(statSync(join(host.root, '/etc/docker/daemon.json')).mode & 0o777, 0o600);
    const config = host.text('/etc/containerd/config.toml');
    assert.ok(config.startsWith('version = 2\n# mine\n# Written by "runt install"'));
    // containerd drops its built-in handler for a config of version 2 that names one.
    assert.match(config, '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]');
    assert.match(config, 'runtime_path = "/usr/local/bin/containerd-shim-runt-v1"');
    assert.match(host.text('/etc/crio/crio.conf.d/10-runt.conf'), 'runtime_path = "/usr/local/bin/runt"');
    assert.match(host.text('/etc/containers/containers.conf.d/runt.conf'), '["crun","mine","runt"]');
    assert.equal(readFileSync(join(host.root, '/usr/local/bin/runt')), readFileSync(runtPath));
    assert.ok(existsSync(join(host.root, '/usr/local/bin/containerd-shim-runt-v1')));
    const installed = host.census();
    assert.not.match(host.ok(), /written|replaced/);
    assert.is(host.census(), installed, 'a second call changes nothing');
    host.ok('--undo');
    assert.is(host.census(), before);
    assert.match(host.ok('--undo'), 'nothing to undo');
  }),
);

test(
  'an upgrade replaces what an earlier version wrote, and undo restores what was before the first',
  onHost((host) => {
    host.write('/etc/docker/daemon.json', '{}');
    const before = host.census();
    host.ok('--docker', '--bin-dir', '/opt/runt');
    host.ok('--docker');
    assert.equal(JSON.parse(host.text('/etc/docker/daemon.json')).runtimes, { runt: { path: '/usr/local/bin/runt' } });
    host.ok('--undo');
    assert.is(host.census(), before);
  }),
);

test(
  'undo removes what a call has left that was killed before it wrote its record, and nothing else',
  onHost((host) => {
    const before = host.census();
    const left = ['program.lock', 'crio.json.runt-new', 'crio.lock', 'docker-0123456789abcdef', 'podman.lock'];
    for (const name of left) host.write(`/var/lib/runt/install/${name}`, 'x', 0o600);
    host.write('/var/lib/runt/install/docker-mine', 'x');
    assert.match(host.ok('--undo'), 'nothing to undo');
    assert.equal(readdirSync(join(host.root, '/var/lib/runt/install')), ['docker-mine']);
    rmSync(join(host.root, '/var/lib/runt/install/docker-mine'));
    host.ok('--undo', '--dry-run');
    assert.ok(host.has('/var/lib/runt/install'), 'a dry run removes nothing');
    host.ok('--undo');
    assert.equal(readdirSync(join(host.root, '/var/lib')), []);
    rmSync(join(host.root, '/var'), { recursive: true });
    assert.is(host.census(), before);
  }),
);

test(
  'an undo whose restart fails stays to be done, and a second call completes it',
  onHost((host) => {
    host.write('/etc/crio/crio.conf', '[crio]\n');
    const before = host.census();
    host.ok('--crio');
    const failed = host.call(['--undo', '--restart']);
    assert.is(failed.code, 1);
    assert.match(failed.stderr, 'restart CRI-O: systemd does not run on this host');
    assert.not.ok(host.has('/etc/crio/crio.conf.d/10-runt.conf'));
    // The engine may have the old config: its program stays, and so does the need for a restart.
    assert.ok(host.has('/usr/local/bin/runt'));
    assert.is(host.call(['--undo', '--restart']).code, 1);
    host.ok('--undo');
    assert.is(host.census(), before);
  }),
);

test(
  'a file that was removed since has a copy, after whose return undo goes on',
  onHost((host) => {
    host.write('/etc/docker/daemon.json', daemonJson);
    const before = host.census();
    host.ok('--docker');
    rmSync(join(host.root, '/etc/docker/daemon.json'));
    const r = host.call(['--undo']);
    assert.is(r.code, 1);
    assert.match(r.stderr, 'undo: /etc/docker/daemon.json was removed after runt wrote it\n');
    const copy = /fix put (\S+) there, which is the earlier file/.exec(r.stderr)![1]!;
    host.write('/etc/docker/daemon.json', host.text(copy));
    host.ok('--undo');
    assert.is(host.census(), before);
  }),
);

test(
  'engines are undone one by one, and the program goes with the last of them',
  onHost((host) => {
    host.write('/etc/docker/daemon.json', daemonJson);
    host.write('/etc/crio/crio.conf', '');
    const before = host.census();
    host.ok();
    host.ok('--undo', '--docker');
    assert.is(host.text('/etc/docker/daemon.json'), daemonJson);
    assert.ok(host.has('/usr/local/bin/runt') && host.has('/etc/crio/crio.conf.d/10-runt.conf'));
    host.ok('--undo', '--kubernetes');
    assert.is(host.census(), before);
  }),
);

test(
  'a file that somebody changed since is neither overwritten nor restored, and nothing else is undone',
  onHost((host) => {
    host.write('/etc/docker/daemon.json', daemonJson);
    host.write('/etc/crio/crio.conf', '');
    host.ok();
    host.write('/etc/docker/daemon.json', `${host.text('/etc/docker/daemon.json')}\n`);
    const changed = host.census();
    const undone = host.call(['--undo']);
    assert.is(undone.code, 1);
    assert.match(
      undone.stderr,
      /^runt: undo: \/etc\/docker\/daemon.json was changed after runt wrote it\n {2}fix remove the lines/,
    );
    assert.is(host.census(), changed);
    const again = host.call(['--docker', '--bin-dir', '/opt/runt']);
    assert.is(again.code, 1);
    assert.match(again.stderr, 'it has a runtime "runt" that names another program');
    assert.match(host.text('/etc/docker/daemon.json'), '/usr/local/bin/runt');
    // As it was before, it is undone.
    host.write('/etc/docker/daemon.json', daemonJson);
    assert.match(host.ok('--undo'), 'Docker: unchanged: /etc/docker/daemon.json');
    assert.not.ok(host.has('/var/lib/runt'));
  }),
);

test(
  'a call that was killed between record and files is completed, and can be undone',
  onHost((host) => {
    host.write('/etc/docker/daemon.json', daemonJson);
    const before = host.census();
    host.ok('--docker');
    // As if it had been killed before the rename: the record is there, the file is the old one, a half is beside it.
    host.write('/etc/docker/daemon.json', daemonJson);
    host.write('/etc/docker/daemon.json.runt-new', '{"runti');
    host.ok('--docker');
    assert.match(host.text('/etc/docker/daemon.json'), '"runt"');
    assert.not.ok(host.has('/etc/docker/daemon.json.runt-new'));
    host.write('/etc/docker/daemon.json', daemonJson);
    host.ok('--undo');
    assert.is(host.census(), before);
  }),
);

test(
  'a read-only host is an error that names the file, and nothing is left',
  onHost((host) => {
    host.write('/etc/docker/daemon.json', daemonJson);
    const before = host.census();
    const script = `mount --bind '${host.root}' '${host.root}' && mount -o remount,bind,ro '${host.root}'`;
    const r = host.call(['--docker'], mounting(script));
    assert.is(r.code, 1);
    assert.match(r.stderr, 'EROFS (read-only file system)');
    assert.is(host.census(), before);
  }),
);

test(
  'a config that is a symbolic link stays one; what it leads to is changed, inside of the tree',
  onHost((host, bed) => {
    host.write('/etc/real/daemon.json', daemonJson);
    mkdirSync(join(host.root, '/etc/docker'));
    symlinkSync('/etc/real/daemon.json', join(host.root, '/etc/docker/daemon.json'));
    // A link out of the tree leads to its root.
    symlinkSync('../../../../../../../etc/real', join(host.root, '/etc/crio'));
    const before = host.census();
    host.ok('--docker');
    assert.match(readFileSync(join(host.root, '/etc/real/daemon.json'), 'utf8'), '"runt"');
    assert.ok(
      execFileSync('readlink', [join(host.root, '/etc/docker/daemon.json')], { encoding: 'utf8' }).startsWith(
        '/etc/real',
      ),
    );
    host.ok('--crio');
    assert.ok(host.has('/etc/real/crio.conf.d/10-runt.conf'));
    host.ok('--undo');
    assert.is(host.census(), before);
    assert.not.ok(existsSync(join(bed.dir, 'etc')));
  }),
);

test(
  'a config that runt does not understand is refused by name, and not changed',
  onHost((host) => {
    const refused = (path: string, text: string, flag: string, words: string | RegExp): void => {
      host.write(path, text);
      const before = host.census();
      const r = host.call([flag, '--bin-dir', '/usr/local/bin']);
      assert.equal([r.code, r.stdout.includes(`replaced: ${path}`)], [1, false], text);
      assert.match(r.stderr, words);
      assert.is(host.text(path), text);
      host.ok('--undo');
      assert.is(host.census(), before);
      rmSync(join(host.root, path));
    };
    const config = '/etc/containerd/config.toml';
    refused(config, 'version = 4\n', '--containerd', `${config}: version 4 is not known`);
    refused(config, '[plugins.cri]\n', '--containerd', 'it has no version, which is version 1');
    refused(config, 'version = \n', '--containerd', `${config}:1 is not TOML`);
    refused(
      config,
      'version = 2\ndisabled_plugins = ["cri"]\n',
      '--kubernetes',
      'disabled_plugins has the plugin of CRI',
    );
    const other = 'version = 2\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runt]\nruntime_type = "x"\n';
    refused(config, other, '--containerd', 'it has a handler "runt" that names another program');
    const inline = 'a handler cannot be added after its last line:';
    refused(config, 'version = 2\nplugins = { a = 1 }\n', '--containerd', inline);
    refused(config, 'version = 2\n[[plugins]]\n', '--containerd', inline);
    refused(config, `version = 2\na = ${'['.repeat(9999)}`, '--containerd', 'more than 100 values are in each other');
    refused('/etc/docker/daemon.json', '{"a": }', '--docker', '/etc/docker/daemon.json:1:7 is not JSON');
    refused('/etc/docker/daemon.json', '[]', '--docker', 'it is not an object');
    refused('/etc/docker/daemon.json', '{"runtimes": []}', '--docker', 'its member "runtimes" is not an object');
    refused('/etc/crio/crio.conf.d/10-runt.conf', '# mine\n', '--crio', 'is there already');
  }),
);

test(
  'containerd: a file that the config imports, the cgroup driver of runc, and the template of k3s',
  onHost((host) => {
    const runc = '[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]\nSystemdCgroup = true\n';
    host.write('/etc/containerd/config.toml', `version = 3\nimports = ["/etc/containerd/conf.d/*.toml"]\n${runc}`);
    host.ok('--kubernetes');
    assert.match(
      host.text('/etc/containerd/conf.d/runt.toml'),
      /^# Written.*\nversion = 3\n[\s\S]*SystemdCgroup = true\n$/,
    );
    host.ok('--undo');
    assert.not.ok(host.has('/etc/containerd/conf.d'));
    const directory = '/var/lib/rancher/k3s/agent/etc/containerd';
    host.write(`${directory}/config.toml`, `version = 3\n${runc}`);
    host.ok('--kubernetes');
    assert.match(
      host.text(`${directory}/config-v3.toml.tmpl`),
      /^\{\{ template "base" \. \}\}\n# Written[\s\S]*SystemdCgroup = true\n$/,
    );
    host.ok('--undo');
    assert.not.ok(host.has(`${directory}/config-v3.toml.tmpl`));
  }),
);

test(
  'a containerd without CRI, as Docker packages it, does not keep Docker from being configured',
  onHost((host) => {
    host.write('/etc/containerd/config.toml', 'disabled_plugins = ["cri"]\nversion = 2\n');
    host.write('/etc/docker/daemon.json', daemonJson);
    const before = host.census();
    assert.match(host.ok(), 'containerd: its plugin of CRI is disabled, so it has no handlers');
    assert.match(host.text('/etc/docker/daemon.json'), '"runt"');
    host.ok('--undo');
    assert.is(host.census(), before);
  }),
);

test(
  'two calls at once write the same, or one of them says so; undo restores every byte',
  onBed(async (bed) => {
    const host = new Host(bed);
    host.write('/etc/docker/daemon.json', daemonJson);
    for (const path of ['var/lib', 'usr/local/bin']) mkdirSync(join(host.root, path), { recursive: true });
    const before = host.census();
    const call = () => bed.spawn(['install', '--docker', '--host-root', host.root]).exit;
    for (const { code, stderr } of await Promise.all([call(), call(), call()]))
      assert.ok(code === 0 || stderr.includes('another "runt install" wrote meanwhile'), stderr);
    host.ok('--docker');
    assert.equal(JSON.parse(host.text('/etc/docker/daemon.json')).runtimes.runt, { path: '/usr/local/bin/runt' });
    host.ok('--undo');
    assert.is(host.census(), before);
  }),
);

test(
  'an ordinary user configures podman below HOME, and no other engine',
  onBed((bed) => {
    for (const name of ['upper', 'work', 'home']) mkdirSync(join(bed.dir, name));
    execFileSync('cp', [runtPath, join(bed.dir, 'runt')]);
    execFileSync('chown', [`${me}:${me}`, bed.dir, join(bed.dir, 'home')]);
    // A machine that has the config of podman, and no podman to run.
    const layers = `lowerdir=/usr/share,upperdir=${bed.dir}/upper,workdir=${bed.dir}/work`;
    const script = `mount -t overlay -o '${layers}' overlay /usr/share && mkdir -p /usr/share/containers`;
    const become = ['setpriv', `--reuid=${me}`, `--regid=${me}`, '--clear-groups', 'env', '-i', `HOME=${bed.dir}/home`];
    const call = (...args: string[]): Result =>
      bed.runt(['install', ...args], { program: join(bed.dir, 'runt'), wrapped: [...mounting(script), ...become] });
    const file = join(bed.dir, 'home/.config/containers/containers.conf.d/runt.conf');
    assert.is(ok(call('--podman', '--no-verify')).code, 0);
    assert.match(readFileSync(file, 'utf8'), `runt = ["${bed.dir}/runt"]`);
    assert.is(statSync(file).uid, me);
    ok(call('--undo'));
    assert.equal(readdirSync(join(bed.dir, 'home')), []);
    const docker = call('--docker');
    assert.is(docker.code, 1);
    assert.match(docker.stderr, /^runt: (?:install: only root configures Docker|find Docker:)/);
  }),
);

test(
  'an upgrade and an undo that are killed at any rename or removal are completed by a second call, and undone',
  onHost((host, bed) => {
    const [program, config] = ['/usr/local/bin/runt', '/etc/docker/daemon.json'];
    host.write(config, daemonJson);
    mkdirSync(join(host.root, '/var/lib'), { recursive: true });
    const before = host.census();
    const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
    const earlier = (): void => {
      host.ok('--docker');
      writeFileSync(join(host.root, program), 'an earlier version');
      const record = '/var/lib/runt/install/program.json';
      host.write(record, host.text(record).replace(digest(runtPath), digest(join(host.root, program))), 0o600);
    };
    const killed = (syscall: string, n: number, args: string[]): boolean => {
      const inject = ['-e', `trace=${syscall}`, '-e', `inject=${syscall}:signal=KILL:when=${n}`];
      return host.call(args, ['strace', '-f', '-qq', '-o', join(bed.dir, 'trace'), ...inject]).code !== 0;
    };
    for (let n = 1; ; n++) {
      earlier();
      const wasKilled = killed('rename', n, []);
      if (n % 2 === 0) host.ok();
      host.ok('--undo');
      assert.is(host.census(), before, `rename ${n}`);
      if (!wasKilled) {
        assert.ok(n > 2);
        break;
      }
    }
    for (let n = 1; ; n++) {
      host.ok('--docker');
      const wasKilled = killed('unlinkat', n, ['--undo']);
      host.ok('--docker');
      host.ok('--undo');
      assert.is(host.census(), before, `unlinkat ${n}`);
      if (!wasKilled) {
        assert.ok(n > 5);
        break;
      }
    }
  }),
);

test(
  'a file that is edited while install waits for its lock is not overwritten',
  onBed(async (bed) => {
    const host = new Host(bed);
    host.write('/etc/docker/daemon.json', daemonJson);
    const inject = ['-e', 'trace=flock', '-e', 'inject=flock:delay_enter=2s'];
    const call = bed.spawn(['install', '--docker', '--host-root', host.root], {
      wrapped: ['strace', '-f', '-qq', '-o', '/dev/null', ...inject],
    });
    // The program of runt is installed first, under a lock of its own.
    await eventually('the lock', () => host.has('/var/lib/runt/install/docker.lock'));
    host.write('/etc/docker/daemon.json', '{ "debug": true }');
    const r = await call.exit;
    assert.is(r.code, 1);
    assert.match(r.stderr, '/etc/docker/daemon.json was changed meanwhile');
    assert.is(host.text('/etc/docker/daemon.json'), '{ "debug": true }');
    host.ok('--docker');
    host.ok('--undo');
    assert.is(host.text('/etc/docker/daemon.json'), '{ "debug": true }');
  }),
);

test(
  'if the engine refuses an upgrade, what the earlier install wrote is back, and still undone',
  onBed((bed) => {
    const places = ['/etc', '/usr/local', '/var/lib'];
    const script = places.map((place, i) => {
      for (const name of ['upper', 'work']) mkdirSync(join(bed.dir, `${name}${i}`));
      return `mount -t overlay -o 'lowerdir=${place},upperdir=${bed.dir}/upper${i},workdir=${bed.dir}/work${i}' overlay ${place}`;
    });
    const dockerd = `#!/bin/sh\ncase "$1" in --version) echo "Docker version 26.1.5, build 1" ;; --validate) cat ${bed.dir}/refusal 2>/dev/null && exit 1 ;; esac\nexit 0\n`;
    mkdirSync(join(bed.dir, 'upper1/sbin'));
    writeFileSync(join(bed.dir, 'upper1/sbin/dockerd'), dockerd, { mode: 0o755 });
    mkdirSync(join(bed.dir, 'upper0/docker'));
    const config = join(bed.dir, 'upper0/docker/daemon.json');
    writeFileSync(config, daemonJson);
    const call = (version: string, ...args: string[]): Result => {
      const program = join(bed.dir, version, 'runt');
      mkdirSync(dirname(program), { recursive: true });
      execFileSync('cp', [runtPath, program]);
      return bed.runt(['install', ...args], { program, wrapped: mounting(script.join(' && ')) });
    };
    ok(call('one', '--docker', '--no-verify'));
    const first = readFileSync(config, 'utf8');
    assert.match(first, `${bed.dir}/one/runt`);
    writeFileSync(join(bed.dir, 'refusal'), 'unable to configure');
    const refused = call('two', '--docker', '--no-verify');
    assert.is(refused.code, 1);
    assert.match(refused.stderr, 'unable to configure');
    assert.is(readFileSync(config, 'utf8'), first);
    ok(call('one', '--undo'));
    assert.is(readFileSync(config, 'utf8'), daemonJson);
  }),
);

test(
  'a damaged record is an error of its own, and changes no file',
  onHost((host) => {
    host.write('/etc/docker/daemon.json', daemonJson);
    host.ok('--docker');
    const record = '/var/lib/runt/install/docker.json';
    const good = JSON.parse(host.text(record));
    const [entry] = good.entries;
    const bad = [
      null,
      { path: entry.path },
      { ...entry, path: 'etc' },
      { ...entry, copy: '../x' },
      { ...entry, before: { kind: 'file' } },
    ];
    const texts = ['', '{"version":1,"entr', 'null', ...bad.map((e) => JSON.stringify({ ...good, entries: [e] }))];
    for (const text of texts)
      for (const args of [['--docker'], ['--undo']]) {
        host.write(record, text, 0o600);
        const r = host.call(args);
        assert.is(r.code, 1);
        assert.match(r.stderr, `read ${record}: it is not a record of this version of runt`);
        assert.match(host.text('/etc/docker/daemon.json'), '"runt"');
      }
    host.write(record, JSON.stringify(good), 0o600);
    host.ok('--undo');
    assert.is(host.text('/etc/docker/daemon.json'), daemonJson);
  }),
);

test(
  'undo removes the program where /etc is read-only and nothing was written there',
  onHost((host) => {
    host.write('/etc/containerd/config.toml', 'version = 2\n');
    const before = host.census();
    const etc = join(host.root, 'etc');
    const readOnly = mounting(`mount --bind '${etc}' '${etc}' && mount -o remount,bind,ro '${etc}'`);
    const r = host.call(['--containerd'], readOnly);
    assert.is(r.code, 1);
    assert.match(r.stderr, 'write /etc/containerd/config.toml: EROFS');
    const undone = host.call(['--undo'], readOnly);
    assert.equal([undone.code, undone.stderr], [0, '']);
    rmSync(join(host.root, 'usr'), { recursive: true, force: true });
    rmSync(join(host.root, 'var'), { recursive: true, force: true });
    assert.is(host.census(), before);
  }),
);

test(
  'a file where a directory is needed is named with its remedy, and undo goes on past it',
  onHost((host) => {
    host.write('/etc/crio', 'a file');
    host.write('/usr/file', 'a file');
    const r = host.call(['--crio']);
    assert.is(r.code, 1);
    assert.match(r.stderr, 'make the directory /etc/crio/crio.conf.d: ENOTDIR');
    assert.match(r.stderr, 'remove the file that stands where a directory is needed');
    host.ok('--undo');
    assert.not(host.has('/usr/local/bin/runt'));
    assert.is(host.call(['--crio', '--bin-dir', '/usr/file']).code, 1);
    host.ok('--undo');
    assert.is(host.text('/usr/file'), 'a file');
  }),
);

test(
  'a full file system is named with its remedy, and undo goes on',
  onHost((host) => {
    host.write('/etc/containerd/config.toml', 'version = 2\n');
    const bin = join(host.root, '/usr/local/bin');
    mkdirSync(bin, { recursive: true });
    const full = mounting(`mount -t tmpfs -o size=64k none '${bin}'`);
    const r = host.call(['--containerd'], full);
    assert.is(r.code, 1);
    assert.match(r.stderr, /write \/usr\/local\/bin\/runt: ENOSPC.*\n.*free space/);
    assert.is(host.text('/etc/containerd/config.toml'), 'version = 2\n');
    assert.is(host.call(['--undo'], full).code, 0);
    assert.not(host.has('/var/lib/runt'));
  }),
);

test(
  'a config of Docker that is not JSON comes with a remedy',
  onHost((host) => {
    host.write('/etc/docker/daemon.json', '{');
    const r = host.call(['--docker']);
    assert.is(r.code, 1);
    assert.match(r.stderr, 'correct it: dockerd does not start with it either');
  }),
);

test(
  'undo restores nothing from a copy whose bytes were changed',
  onHost((host) => {
    host.write('/etc/docker/daemon.json', daemonJson);
    host.ok('--docker');
    const installed = host.text('/etc/docker/daemon.json');
    const directory = '/var/lib/runt/install';
    const copy = readdirSync(join(host.root, directory)).find((name) => /^docker-/.test(name));
    host.write(`${directory}/${copy}`, '{}');
    const r = host.call(['--undo']);
    assert.is(r.code, 1);
    assert.match(r.stderr, 'restore /etc/docker/daemon.json: the copy of the earlier file was changed');
    assert.is(host.text('/etc/docker/daemon.json'), installed);
  }),
);

test(
  'an empty config of Docker, and a directory with quotes in its name',
  onHost((host) => {
    host.write('/etc/docker/daemon.json', '\n');
    host.write('/etc/crio/crio.conf', '');
    const before = host.census();
    host.ok('--bin-dir', '/opt/"a\\"');
    assert.equal(JSON.parse(host.text('/etc/docker/daemon.json')).runtimes, { runt: { path: '/opt/"a\\"/runt' } });
    assert.match(host.text('/etc/crio/crio.conf.d/10-runt.conf'), 'runtime_path = "/opt/\\"a\\\\\\"/runt"');
    host.ok('--undo');
    assert.is(host.census(), before);
  }),
);

test(
  'the kubelet decides on the engine of a node, by its flags before its config',
  onHost((host) => {
    host.write('/etc/containerd/config.toml', 'disabled_plugins = ["cri"]\nversion = 2\n');
    host.write('/etc/crio/crio.conf', '');
    const before = host.census();
    // Without a kubelet that says so, it is containerd, whose CRI is disabled here.
    assert.is(host.call(['--kubernetes']).code, 1);
    const files = {
      '/var/lib/kubelet/config.yaml': 'containerRuntimeEndpoint: "unix:///var/run/crio/crio.sock"\n',
      '/var/lib/kubelet/kubeadm-flags.env':
        'KUBELET_KUBEADM_ARGS="--node-ip=1 --container-runtime-endpoint=unix:///run/crio/crio.sock"\n',
      '/etc/default/kubelet':
        '#--container-runtime-endpoint=unix:///run/containerd/containerd.sock\nKUBELET_EXTRA_ARGS="--container-runtime-endpoint unix:///run/crio/crio.sock"\n',
    };
    for (const [path, text] of Object.entries(files)) {
      host.write(path, text);
      host.ok('--kubernetes');
      assert.ok(host.has('/etc/crio/crio.conf.d/10-runt.conf'), path);
      host.ok('--undo');
      rmSync(join(host.root, path));
    }
    host.write('/var/lib/kubelet/config.yaml', files['/var/lib/kubelet/config.yaml']);
    host.write(
      '/etc/default/kubelet',
      'KUBELET_EXTRA_ARGS=--container-runtime-endpoint=unix:///run/containerd/containerd.sock\n',
    );
    assert.match(host.call(['--kubernetes']).stderr, 'disabled_plugins has the plugin of CRI');
    host.write('/etc/default/kubelet', '');
    rmSync(join(host.root, '/etc/crio'), { recursive: true });
    assert.match(host.call(['--kubernetes']).stderr, 'find CRI-O:');
    host.write('/etc/crio/crio.conf', '');
    host.ok('--undo');
    for (const path of ['etc/default', 'var', 'usr']) rmSync(join(host.root, path), { recursive: true, force: true });
    assert.is(host.census(), before);
  }),
);

test(
  'the kubelet decides on the cgroup driver where nothing else does; an engine that is not there is an error',
  onHost((host) => {
    host.write('/var/lib/kubelet/config.yaml', 'kind: KubeletConfiguration\ncgroupDriver: systemd\n');
    const r = host.call(['--kubernetes']);
    assert.is(r.code, 1);
    assert.match(r.stderr, 'find containerd or CRI-O:');
    host.write('/etc/containerd/config.toml', 'version = 2\n');
    host.ok('--kubernetes');
    assert.match(host.text('/etc/containerd/config.toml'), 'SystemdCgroup = true');
  }),
);

test.run();
