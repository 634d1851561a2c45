// The npm package runt-oci, with the native library of each architecture; and koffi, which it depends on.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { inDirectory, names, output, run, stageNpm, version } from './files.mjs';

export const npm = (architectures, out) =>
  inDirectory((dir) => {
    stageNpm(dir, architectures);
    run('chmod', ['-R', 'u=rwX,go=rX', dir]);
    run('npm', ['pack', dir, '--silent', '--ignore-scripts', '--pack-destination', out]);
    return `${out}/runt-oci-${version}.tgz`;
  });

/** Copies koffi, without its sources, and its binaries for glibc to `to`, a directory node_modules. */
export function koffi(to, architectures) {
  const whole = 'node_modules/koffi';
  for (const path of readdirSync(whole, { recursive: true })) {
    const needed =
      /^(package\.json|LICENSE\.txt|index\.c?js|index\.d\.ts|src\/koffi\/.*\.c?js)$/.test(path) &&
      !path.endsWith('trampolines.cjs');
    if (needed) cpSync(`${whole}/${path}`, `${to}/koffi/${path}`);
  }
  for (const arch of architectures) {
    const { node } = names[arch];
    const name = `@koromix/koffi-linux-${node}`;
    const from = existsSync(`node_modules/${name}`) ? `node_modules/${name}` : fetched(name);
    for (const path of ['package.json', 'index.js', `linux_${node}`])
      cpSync(`${from}/${path}`, `${to}/${name}/${path}`, { recursive: true });
  }
}

/** Fetches a package of the lock file that npm omits on this machine. */
function fetched(name) {
  const { version, integrity } = JSON.parse(readFileSync('package-lock.json', 'utf8')).packages[`node_modules/${name}`];
  const dir = `build/release/${name.replace('/', '-')}-${version}`;
  if (existsSync(`${dir}/package`)) return `${dir}/package`;
  mkdirSync(dir, { recursive: true });
  const [archive] = output('npm', 'pack', `${name}@${version}`, '--silent', '--pack-destination', dir)
    .trim()
    .split('\n')
    .slice(-1);
  const sum = `sha512-${createHash('sha512')
    .update(readFileSync(`${dir}/${archive}`))
    .digest('base64')}`;
  if (sum !== integrity) throw new Error(`release: ${name}@${version} has ${sum}, the lock file ${integrity}`);
  run('tar', ['-xzf', `${dir}/${archive}`, '-C', dir]);
  return `${dir}/package`;
}
