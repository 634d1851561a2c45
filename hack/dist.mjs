// Release files in dist/: runt-oci-VERSION.tgz (npm, for this machine), and for each ARCH runt-VERSION-linux-ARCH.tar.gz
// and runt_VERSION_ARCH.deb (the static binary, its name as a shim, man pages and completions).
//
//   dist.mjs [ARCH…]               amd64, arm64; without one, both on an amd64 machine (hack/arm64 builds arm64)
//   dist.mjs --deb DIR [ARCH…]     only the Debian packages, in DIR; without ARCH, for this machine
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const here = { x64: 'amd64', arm64: 'arm64' }[process.arch];
const run = (command, ...args) => execFileSync(command, args, { stdio: 'inherit', env });
/** The static binaries that this machine builds, by architecture. */
const binaries = { [here]: 'dist/runt', ...(here === 'amd64' && { arm64: 'build/arm64/runt' }) };

/** The time of the commit, so that the same sources give the same bytes. */
function sourceTime() {
  try {
    return execFileSync('git', ['log', '-1', '--format=%ct'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return '0';
  }
}
const env = { ...process.env, SOURCE_DATE_EPOCH: process.env.SOURCE_DATE_EPOCH ?? sourceTime().trim() };

const put = (path, data, mode = 0o644) => {
  mkdirSync(join(path, '..'), { recursive: true, mode: 0o755 });
  writeFileSync(path, data, { mode });
};

/** Writes the files below `prefix`. */
function stage(prefix, arch, compress) {
  put(`${prefix}/bin/runt`, readFileSync(binaries[arch]), 0o755);
  symlinkSync('runt', `${prefix}/bin/containerd-shim-runt-v1`);
  for (const page of readdirSync('dist/share/man1')) {
    const text = readFileSync(`dist/share/man1/${page}`);
    if (compress) put(`${prefix}/share/man/man1/${page}.gz`, gzipSync(text, { level: 9 }));
    else put(`${prefix}/share/man/man1/${page}`, text);
  }
  for (const [from, to] of [
    ['runt', 'bash-completion/completions/runt'],
    ['_runt', compress ? 'zsh/vendor-completions/_runt' : 'zsh/site-functions/_runt'],
    ['runt.fish', 'fish/vendor_completions.d/runt.fish'],
  ]) {
    put(`${prefix}/share/${to}`, readFileSync(`dist/share/completion/${from}`));
  }
}

/** Makes a deb(5) without dependencies and without scripts. */
function debian(arch, out) {
  const path = `${out}/runt_${version}_${arch}.deb`;
  const dir = mkdtempSync(join(tmpdir(), 'runt-deb-'));
  try {
    const root = `${dir}/root`;
    stage(`${root}/usr`, arch, true);
    put(`${root}/usr/share/doc/runt/copyright`, readFileSync('LICENSE'));
    put(`${root}/usr/share/doc/runt/changelog.gz`, gzipSync(readFileSync('CHANGELOG.md'), { level: 9 }));
    const size = execFileSync('du', ['-sk', '--apparent-size', root], { encoding: 'utf8' }).split('\t')[0];
    const control = [
      'Package: runt',
      `Version: ${version}`,
      `Architecture: ${arch}`,
      'Maintainer: the runt authors <runt@localhost>',
      `Installed-Size: ${size}`,
      'Section: admin',
      'Priority: optional',
      'Recommends: procps, uidmap',
      'Description: OCI container runtime',
      ' runt creates, starts, watches and deletes Linux containers from bundles, as',
      ' the runtime-spec of the Open Container Initiative describes them. Its command',
      ' line is that of runc.',
    ];
    put(`${root}/DEBIAN/control`, `${control.join('\n')}\n`);
    run('chmod', '-R', 'u=rwX,go=rX', root);
    run('dpkg-deb', '--root-owner-group', '-Zgzip', '--build', root, path);
  } finally {
    rmSync(dir, { recursive: true });
  }
  return path;
}

/** Makes an archive of the static binary and its documents, for any distribution. */
function archive(arch) {
  const path = `dist/runt-${version}-linux-${arch}.tar.gz`;
  const dir = mkdtempSync(join(tmpdir(), 'runt-tar-'));
  try {
    stage(dir, arch, false);
    cpSync('LICENSE', `${dir}/LICENSE`);
    cpSync('docs/install.md', `${dir}/INSTALL.md`);
    run('chmod', '-R', 'u=rwX,go=rX', dir);
    // Fixed owner, order and time.
    const fixed = ['--owner=0', '--group=0', '--numeric-owner', '--sort=name', `--mtime=@${env.SOURCE_DATE_EPOCH}`];
    run('tar', ...fixed, '-czf', path, '-C', dir, 'bin', 'share', 'LICENSE', 'INSTALL.md');
  } finally {
    rmSync(dir, { recursive: true });
  }
  return path;
}

const [first, directory] = process.argv.slice(2);
const debAlone = first === '--deb' ? directory : undefined;
const asked = process.argv.slice(debAlone ? 4 : 2);
const architectures = asked.length > 0 ? asked : debAlone ? [here] : Object.keys(binaries);
for (const arch of architectures) {
  const known = Object.keys(binaries).join(', ');
  if (!Object.hasOwn(binaries, arch)) throw new Error(`dist: no build for ${arch} on this machine: ${known}`);
}
if (architectures.includes('arm64') && here !== 'arm64') run('hack/arm64', '--build');
if (debAlone) {
  for (const arch of architectures) debian(arch, debAlone);
} else {
  for (const f of readdirSync('dist')) if (/^runt[-_].*\.(tgz|tar\.gz|deb)$/.test(f)) rmSync(`dist/${f}`);
  run('npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', 'dist');
  console.log(`dist/runt-oci-${version}.tgz`);
  for (const arch of architectures) {
    console.log(archive(arch));
    console.log(debian(arch, 'dist'));
  }
}
