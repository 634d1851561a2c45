/** The programs that are compared. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build, option, top, which } from './machine.mjs';

const peers = join(build, 'peers');

/**
 * {name: path} of the programs that are here, `runt` first. With `quick`, peers are not built, only used.
 * `--only NAMES` and `--before RUNT` of the command line choose.
 */
export function contenders(quick) {
  if (!quick) spawnSync(join(top, 'hack', 'bench', 'peers'), [peers], { stdio: 'inherit' });
  const only = option('--only')?.split(',');
  const before = option('--before');
  const found = {
    runt: resolve(top, process.env.RUNT_BIN ?? 'dist/runt'),
    ...(before && { before: resolve(before) }),
    'crun-static': join(peers, 'crun-static'),
    'crun-sid': join(peers, 'crun'),
    'runc-sid': join(peers, 'runc'),
    crun: which('crun'),
    runc: which('runc'),
    youki: join(peers, 'youki'),
  };
  const programs = {};
  for (const [name, path] of Object.entries(found)) {
    if (only && !only.includes(name) && name !== 'before') continue;
    if (path && existsSync(path)) programs[name] = path;
    else process.stdout.write(`bench: no ${name}: its columns are left out${reason(name)}\n`);
  }
  return programs;
}

function reason(name) {
  const file = join(peers, 'left-out', name);
  return existsSync(file) ? ` (${readFileSync(file, 'utf8').trim()})` : '';
}

/** The first line of `--version`. */
export const version = (path) => execFileSync(path, ['--version'], { encoding: 'utf8' }).split('\n')[0];
