// What the packages of a release have in common: version, time, and the files below a prefix.
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { sourceTime } from '../build.mjs';

export const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
/** Debian's name of this machine. */
export const here = { x64: 'amd64', arm64: 'arm64' }[process.arch];

/** An architecture's name in Debian → in RPM and ELF, and in Node.js. */
export const names = { amd64: { rpm: 'x86_64', node: 'x64' }, arm64: { rpm: 'aarch64', node: 'arm64' } };

/** Directory with the programs of an architecture: `runt` and `librunt.so`. */
export const programs = (arch) => (arch === here ? 'dist' : `build/${arch}`);

/** The time of the sources in seconds: the same sources give the same bytes. */
export const epoch = Number(sourceTime() ?? 0);
process.env.SOURCE_DATE_EPOCH = String(epoch);

/** Runs a command. With V=1 it prints the command and what that writes. */
export function run(command, args, options = {}) {
  if (process.env.V) console.error(command, args.join(' '));
  const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
  return execFileSync(command, args, {
    stdio: ['ignore', process.env.V ? 'inherit' : 'ignore', 'inherit'],
    maxBuffer: 1 << 28,
    env,
    ...options,
  });
}

/** What a command prints. */
export const output = (command, ...args) => run(command, args, { stdio: ['ignore', 'pipe', 'inherit'] }).toString();

export function put(path, data, mode = 0o644) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, data, { mode });
}

export const zip = (data) => gzipSync(data, { level: 9 });

/** Calls `make` with an empty directory, and removes that. */
export async function inDirectory(make) {
  const dir = mkdtempSync(join(tmpdir(), 'runt-release-'));
  try {
    return await make(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Gives every file below `dir` the mode of a package's and the time of the sources. */
export function settle(dir) {
  run('chmod', ['-R', 'u=rwX,go=rX', dir]);
  run('find', [dir, '-exec', 'touch', '--no-dereference', `--date=@${epoch}`, '{}', '+']);
}

/** The bytes of a tar archive of `paths` in `dir`: owner, order and times are fixed. */
export function tar(dir, ...paths) {
  settle(dir);
  const fixed = ['--owner=0', '--group=0', '--numeric-owner', '--sort=name', '--format=gnu', `--mtime=@${epoch}`];
  return run('tar', [...fixed, '-cf', '-', '-C', dir, ...paths], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Writes the command, the shims' links, man pages and completions below `prefix`, as a distribution has them. */
export function stage(prefix, arch, { zipPages = false, zsh = 'zsh/site-functions' } = {}) {
  put(`${prefix}/bin/runt`, readFileSync(`${programs(arch)}/runt`), 0o755);
  for (const shim of ['containerd-shim-runt-v1', 'containerd-shim-runt-grpc-v1']) {
    symlinkSync('runt', `${prefix}/bin/${shim}`);
  }
  for (const section of ['man1', 'man8']) {
    for (const page of readdirSync(`dist/share/${section}`)) {
      const text = readFileSync(`dist/share/${section}/${page}`);
      put(`${prefix}/share/man/${section}/${page}${zipPages ? '.gz' : ''}`, zipPages ? zip(text) : text);
    }
  }
  // The page of both shims.
  const alias = Buffer.from('.so man8/containerd-shim-runt-v1.8\n');
  const path = `${prefix}/share/man/man8/containerd-shim-runt-grpc-v1.8`;
  put(`${path}${zipPages ? '.gz' : ''}`, zipPages ? zip(alias) : alias);
  const completion = (from, to) => put(`${prefix}/share/${to}`, readFileSync(`dist/share/completion/${from}`));
  completion('runt', 'bash-completion/completions/runt');
  completion('_runt', `${zsh}/_runt`);
  completion('runt.fish', 'fish/vendor_completions.d/runt.fish');
}

/** Paths of what the npm package holds, for these architectures; made in `dir`. */
export function stageNpm(dir, architectures) {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
  // The reference is of a checkout: `make docs`.
  const filter = (path) => path !== 'docs/api';
  for (const path of manifest.files) if (existsSync(path)) cpSync(path, `${dir}/${path}`, { recursive: true, filter });
  rmSync(`${dir}/dist/librunt.so`);
  for (const arch of architectures) {
    put(`${dir}/dist/librunt-${names[arch].node}.so`, readFileSync(`${programs(arch)}/librunt.so`), 0o755);
  }
  const { devDependencies: _, scripts: __, ...rest } = manifest;
  const cpu = architectures.map((arch) => names[arch].node);
  put(`${dir}/package.json`, `${JSON.stringify({ ...rest, cpu }, null, 2)}\n`);
}

function licence(name, path) {
  if (!existsSync(path)) throw new Error(`release: the licence of ${name} is not at ${path}`);
  return readFileSync(path, 'utf8').trim();
}

/** QuickJS's licence, that of Expat. */
export const quickjsLicence = () => licence('QuickJS', 'build/quickjs/source/LICENSE');

/** The licences of what is linked into the programs, as one file. */
export function notices() {
  const line = '='.repeat(79);
  const parts = {
    QuickJS: quickjsLicence(),
    musl: licence('musl', '/usr/share/doc/musl-dev/copyright'),
    libseccomp: licence('libseccomp', '/usr/share/doc/libseccomp-dev/copyright'),
    nghttp2: licence('nghttp2', '/usr/share/doc/libnghttp2-dev/copyright'),
    libarchive: licence('libarchive', '/usr/share/doc/libarchive-dev/copyright'),
    zlib: licence('zlib', '/usr/share/doc/zlib1g-dev/copyright'),
    zstd: licence('zstd', '/usr/share/doc/libzstd-dev/copyright'),
  };
  return [
    'The programs of runt contain these works. Their licences follow.\n',
    ...Object.entries(parts).map(([name, text]) => `${line}\n${name}\n${line}\n\n${text}\n`),
  ].join('\n');
}
