/** The Debian packages: they install all files, run, and remove all files again; for arm64 in QEMU's user mode. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing } from '../bed/needs.js';
import { top } from '../bed/place.js';

const test = needing('package', 'root', 'dpkg');
const cross = needing('package for arm64', 'root', 'dpkg', 'aarch64-linux-gnu-gcc', 'qemu-aarch64-static');

/** Files below a directory, by their paths. */
function files(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => join(e.parentPath, e.name).slice(dir.length))
    .sort();
}

/** The package of an architecture, built in `dir`: its path, its fields, and a line for each file. */
function makeDeb(dir: string, ...arch: string[]): { path: string; field: (name: string) => string; listed: string[] } {
  execFileSync(process.execPath, [join(top, 'hack/release/release.mjs'), '--deb', dir, ...arch], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [deb = ''] = readdirSync(dir);
  const path = join(dir, deb);
  const ask = (...args: string[]) => execFileSync('dpkg-deb', args, { encoding: 'utf8' }).trimEnd();
  return { path, field: (name) => ask('--field', path, name), listed: ask('--contents', path).split('\n') };
}

const needed = [
  '/bin/runt',
  '/share/man/man1/runt.1.gz',
  '/share/man/man1/runt-create.1.gz',
  '/share/man/man8/containerd-shim-runt-v1.8.gz',
  '/share/bash-completion/completions/runt',
  '/share/zsh/vendor-completions/_runt',
  '/share/fish/vendor_completions.d/runt.fish',
  '/share/doc/runt/copyright',
];

function inTemporary(f: (dir: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), 'runt-package-'));
  try {
    f(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('the Debian package installs, runs in a root without other files, and removes all its files', () => {
  inTemporary((dir) => {
    const { path, field, listed } = makeDeb(dir);
    assert.match(path, /\/runt_\d+\.\d+\.\d+_(amd64|arm64)\.deb$/);
    assert.is(field('Architecture'), execFileSync('dpkg', ['--print-architecture'], { encoding: 'utf8' }).trim());
    for (const line of listed) assert.match(line, /^([d-]rw[x-]r-[x-]r-[x-]|lrwxrwxrwx) root\/root /);

    const root = join(dir, 'root');
    mkdirSync(join(root, 'var/lib/dpkg/info'), { recursive: true });
    for (const name of ['status', 'available']) writeFileSync(join(root, 'var/lib/dpkg', name), '');
    const dpkg = (...args: string[]) => {
      // A small system may leave out man pages; this root does not.
      const r = spawnSync('dpkg', [`--root=${root}`, '--path-include=*', ...args], { encoding: 'utf8' });
      assert.is(r.status, 0, r.stderr);
      return r.stdout;
    };
    dpkg('--install', path);
    assert.match(dpkg('--status', 'runt'), 'Status: install ok installed');
    assert.is(statSync(join(root, 'usr/bin/runt')).mode & 0o7777, 0o755);
    // Nothing else is in this root: no library, no shell.
    const said = execFileSync('chroot', [root, '/usr/bin/runt', '--version'], { encoding: 'utf8' });
    assert.match(said, /^runt version /);
    const there = files(join(root, 'usr'));
    for (const path of needed) assert.ok(there.includes(path), path);
    const shim = ['/usr/bin/containerd-shim-runt-v1', '-v'];
    assert.match(execFileSync('chroot', [root, ...shim], { encoding: 'utf8' }), /runt/);
    dpkg('--purge', 'runt');
    assert.equal(
      readdirSync(root).filter((name) => name !== 'var'),
      [],
    );
  });
});

test('two builds of the package are identical', () => {
  inTemporary((dir) => {
    const build = (name: string): Buffer => {
      mkdirSync(join(dir, name));
      execFileSync(process.execPath, [join(top, 'hack/release/release.mjs'), '--deb', join(dir, name)], {
        stdio: 'ignore',
      });
      return readFileSync(join(dir, name, readdirSync(join(dir, name))[0]!));
    };
    assert.ok(build('a').equals(build('b')));
  });
});

cross('the arm64 package has its architecture and the same files, and its binary runs', () => {
  inTemporary((dir) => {
    for (const name of ['amd64', 'arm64', 'root']) mkdirSync(join(dir, name));
    const { path, field, listed } = makeDeb(join(dir, 'arm64'), 'arm64');
    assert.match(path, /\/runt_\d+\.\d+\.\d+_arm64\.deb$/);
    assert.equal([field('Package'), field('Architecture'), field('Depends')], ['runt', 'arm64', '']);
    const amd64 = makeDeb(join(dir, 'amd64'));
    assert.is(field('Version'), amd64.field('Version'));
    const names = (lines: string[]) => lines.map((line) => line.split(/ +/).slice(5).join(' '));
    assert.equal(names(listed), names(amd64.listed));

    const root = join(dir, 'root');
    execFileSync('dpkg-deb', ['--extract', path, root]);
    const elf = readFileSync(join(root, 'usr/bin/runt'));
    assert.is(elf.readUInt32BE(0), 0x7f454c46);
    assert.is(elf.readUInt16LE(18), 183, 'EM_AARCH64');
    const runt = (...args: string[]) =>
      execFileSync('qemu-aarch64-static', [join(root, 'usr/bin/runt'), ...args], { encoding: 'utf8', cwd: dir });
    assert.match(runt('--version'), new RegExp(`^runt version ${field('Version').replaceAll('.', '\\.')}\n`));
    const features = JSON.parse(runt('features'));
    assert.is(features.linux.seccomp.enabled, true);
    assert.ok(features.linux.seccomp.archs.includes('SCMP_ARCH_AARCH64'));
    runt('spec');
    assert.is(JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8')).ociVersion, '1.3.0');
    mkdirSync(join(dir, 'rootfs'));
    assert.is(runt('validate', dir), 'valid\n');
  });
});

test.run();
cross.run();
