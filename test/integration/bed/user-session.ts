/**
 * A systemd session of user 1000 in the machine of hack/vm: a manager of the user's own, with a bus or with only its
 * private socket.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Bed, CommandOptions, Result } from './bed.js';
import type { Config } from './config.js';
import { runtPath } from './place.js';

export const me = 1000;
/** The runtime directory that the user's manager makes. */
export const runtimeDir = `/run/user/${me}`;
/** The manager's own cgroup. */
export const managerCgroup = `/sys/fs/cgroup/user.slice/user-${me}.slice/user@${me}.service`;

const dropIn = '/run/systemd/system/user@.service.d/runt-test.conf';
const units = '/run/systemd/user';

function put(path: string, text: string): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
}

/** Starts the session, and writes what the machine lacks: pam_systemd and the units of the session's bus. */
export function startSession(bus: boolean): void {
  put(dropIn, `[Service]\nPAMName=\nEnvironment=XDG_RUNTIME_DIR=/run/user/%i\n`);
  if (bus) {
    put(join(units, 'dbus.socket'), '[Socket]\nListenStream=%t/bus\n');
    put(
      join(units, 'dbus.service'),
      '[Unit]\nRequires=dbus.socket\n[Service]\nExecStart=dbus-daemon --session --address=systemd: --nofork --nopidfile --systemd-activation\n',
    );
    mkdirSync(join(units, 'sockets.target.wants'), { recursive: true });
    symlinkSync('../dbus.socket', join(units, 'sockets.target.wants/dbus.socket'));
  }
  execFileSync('systemctl', ['daemon-reload']);
  execFileSync('systemctl', ['start', `user@${me}.service`]);
}

export function stopSession(): void {
  spawnSync('systemctl', ['stop', `user@${me}.service`, `user-runtime-dir@${me}.service`]);
  for (const path of [dropIn, join(units, 'dbus.socket'), join(units, 'dbus.service')]) rmSync(path, { force: true });
  rmSync(join(units, 'sockets.target.wants/dbus.socket'), { force: true });
  spawnSync('systemctl', ['daemon-reload']);
  if (existsSync(runtimeDir)) rmSync(runtimeDir, { recursive: true, force: true });
}

/**
 * How a program is run: `outside` of the manager's cgroups, as from a login; `inside` a scope of the user's, as engines
 * do.
 */
export type From = 'outside' | 'inside';

/** A prefix that runs a command as the user. */
export const asUser = ['setpriv', `--reuid=${me}`, `--regid=${me}`, '--clear-groups'];
const environment = { PATH: process.env.PATH ?? '', XDG_RUNTIME_DIR: runtimeDir };

/**
 * Gives the bed to the user, with a config of `runt spec --rootless`, and returns a function that runs runt as that
 * user.
 */
export function usersBed(bed: Bed, from: From): (args: readonly string[], o?: CommandOptions) => Result {
  for (const path of [bed.dir, bed.bundle]) chownSync(path, me, me);
  const program = join(bed.dir, 'runt');
  copyFileSync(runtPath, program);
  const wrapped = from === 'inside' ? [...asUser, 'systemd-run', '--user', '--scope', '--quiet', '--'] : asUser;
  const call = (args: readonly string[], o: CommandOptions = {}) =>
    bed.runt(args, { program, wrapped, env: environment, ...o });
  const spec = call(['spec', '--rootless', '--bundle', bed.bundle]);
  if (spec.code !== 0) throw new Error(spec.stderr);
  bed.config = JSON.parse(readFileSync(join(bed.bundle, 'config.json'), 'utf8')) as Config;
  bed.config.process.terminal = false;
  return call;
}

/** Some properties of a unit, from the user's manager. */
export function userUnit(unit: string, ...names: string[]): { [name: string]: string } {
  const args = ['systemctl', '--user', 'show', unit, ...names.map((n) => `--property=${n}`)];
  const r = spawnSync(asUser[0]!, [...asUser.slice(1), ...args], { encoding: 'utf8', env: environment });
  const pairs = r.stdout.trim().split('\n').sort();
  return Object.fromEntries(pairs.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}
