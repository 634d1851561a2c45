// What a release holds: dist/runt-VERSION.tgz (npm) and dist/runt-VERSION-linux-ARCH.tar.gz (the static binary).
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const arch = { x64: 'amd64', arm64: 'arm64' }[process.arch];
const tarball = `dist/runt-${version}.tgz`;
const archive = `dist/runt-${version}-linux-${arch}.tar.gz`;
for (const f of [tarball, archive]) rmSync(f, { force: true });
execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', 'dist'], { stdio: 'inherit' });
// Fixed owner, order and time, so that the same build gives the same bytes.
const reproducible = ['--owner=0', '--group=0', '--numeric-owner', '--sort=name', '--mtime=@0'];
execFileSync('tar', [...reproducible, '-czf', archive, '-C', 'dist', 'runt', '-C', '..', 'LICENSE'], {
  stdio: 'inherit',
});
console.log(`${tarball}\n${archive}`);
