/** What is installed: the Debian package and `make install` put all in its place, it runs, and nothing is left afterwards. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing } from './needs.js';
import { top } from './place.js';

const test = needing('package', 'root', 'dpkg');

/** Files below a directory, by their paths. */
function files(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => join(e.parentPath, e.name).slice(dir.length))
    .sort();
}

function inTemporary(f: (dir: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), 'runt-package-'));
  try {
    f(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('the Debian package installs, runs in its root alone, and is removed without a trace', () => {
  inTemporary((dir) => {
    execFileSync(process.execPath, [join(top, 'hack', 'dist.mjs'), '--deb', dir], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const [deb = ''] = readdirSync(dir);
    assert.match(deb, /^runt_\d+\.\d+\.\d+_(amd64|arm64)\.deb$/);
    const listed = execFileSync('dpkg-deb', ['--contents', join(dir, deb)], { encoding: 'utf8' });
    for (const line of listed.trimEnd().split('\n')) assert.match(line, /^[d-]rw[x-]r-[x-]r-[x-] root\/root /);

    const root = join(dir, 'root');
    mkdirSync(join(root, 'var/lib/dpkg/info'), { recursive: true });
    for (const name of ['status', 'available']) writeFileSync(join(root, 'var/lib/dpkg', name), '');
    const dpkg = (...args: string[]) => {
      // A small system may leave out man pages; this root does not.
      const r = spawnSync('dpkg', [`--root=${root}`, '--path-include=*', ...args], { encoding: 'utf8' });
      assert.is(r.status, 0, r.stderr);
      return r.stdout;
    };
    dpkg('--install', join(dir, deb));
    assert.match(dpkg('--status', 'runt'), 'Status: install ok installed');
    assert.is(statSync(join(root, 'usr/bin/runt')).mode & 0o7777, 0o755);
    // Nothing else is in this root: no library, no shell.
    const said = execFileSync('chroot', [root, '/usr/bin/runt', '--version'], { encoding: 'utf8' });
    assert.match(said, /^runt version /);
    const there = files(join(root, 'usr'));
    for (const path of [
      '/share/man/man1/runt.1.gz',
      '/share/man/man1/runt-create.1.gz',
      '/share/bash-completion/completions/runt',
      '/share/zsh/vendor-completions/_runt',
      '/share/fish/vendor_completions.d/runt.fish',
      '/share/doc/runt/copyright',
    ]) {
      assert.ok(there.includes(path), path);
    }
    dpkg('--purge', 'runt');
    assert.equal(
      readdirSync(root).filter((name) => name !== 'var'),
      [],
    );
  });
});

test('two builds of the package have the same bytes', () => {
  inTemporary((dir) => {
    const build = (name: string): Buffer => {
      mkdirSync(join(dir, name));
      execFileSync(process.execPath, [join(top, 'hack', 'dist.mjs'), '--deb', join(dir, name)], { stdio: 'ignore' });
      return readFileSync(join(dir, name, readdirSync(join(dir, name))[0]!));
    };
    assert.ok(build('a').equals(build('b')));
  });
});

test.run();
