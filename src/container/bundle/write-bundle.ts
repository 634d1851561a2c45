/** The config.json that `runt spec` and the library's `bundle()` make of options, checked against the host. */

import type { Spec } from '../../spec/config-types.js';
import { rootIds } from '../../spec/id-ranges.js';
import { toJson } from '../../spec/json/exact-json.js';
import { hooksOf } from '../../spec/options/metadata-options.js';
import type { SpecCaller, SpecOptions } from '../../spec/options/option-types.js';
import { refusal } from '../../spec/options/refusal.js';
import { specOf } from '../../spec/options/spec-options.js';
import { check, RuntError } from '../../sys/error.js';
import { makeDir, makeParents, stat, tryStat } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD, S_IFDIR, S_IFMT } from '../../sys/linux.js';
import { defaultRoot } from '../state/default-root.js';
import { hostLookups } from './host-lookups.js';

/**
 * Makes a config of options. Host paths in them must exist; makes the directories of an overlay.
 * @throws RuntError ERR_USAGE for a bad value or a missing path, ERR_SPEC_INVALID for one that the spec forbids
 */
export async function bundleSpec(options: SpecOptions, caller: SpecCaller): Promise<Spec> {
  const spec = specOf(options, caller, hostLookups(caller.root ?? defaultRoot()));
  for (const option of ['rootfs', 'overlay'] as const) {
    const text = options[option];
    if (text === undefined) continue;
    const there = tryStat(caller.absolute(text));
    if (there === undefined ? option === 'rootfs' : (there.mode & S_IFMT) !== S_IFDIR) {
      throw absent(caller, option, text, there === undefined ? 'does not exist' : 'is not a directory');
    }
  }
  for (const text of options.volume ?? []) {
    const source = text.slice(0, text.indexOf(':'));
    if (!tryStat(caller.absolute(source))) throw absent(caller, 'volume', text, `: ${source} does not exist`);
  }
  for (const { point, path, text } of hooksOf(options.hook ?? [], caller, refusal(caller))) {
    if (point !== 'startContainer' && !tryStat(path)) throw absent(caller, 'hook', text, `: ${path} does not exist`);
  }
  if (options.rootless !== true) mapLowerLayer(spec);
  // Loaded on demand: the plain template is valid.
  const { parseSpec } = await import('../../spec/load-config.js');
  const json = host.encode(toJson(spec));
  parseSpec(json, json.length, 'the config of these options');
  if (options.overlay !== undefined) makeOverlay(spec, caller.absolute(options.overlay), caller.uid);
  return spec;
}

/**
 * Maps the ids of an overlay's image in a user namespace, unless its owner is in the namespace already: else the
 * container's root would own nothing of it. An ordinary user may not map ids, and owns the image.
 */
function mapLowerLayer({ mounts, root, linux }: Spec): void {
  const overlay = mounts?.find(({ type, destination }) => type === 'overlay' && destination === '/');
  const mappings = linux?.uidMappings;
  if (!overlay || !mappings?.length) return;
  const { uid } = stat(root!.path);
  if (!mappings.some(({ hostID, size }) => hostID <= uid && uid < hostID + size)) overlay.options!.push('idmap');
}

function absent(caller: SpecCaller, option: keyof SpecOptions, text: string, problem: string): RuntError {
  const space = problem.startsWith(':') ? '' : ' ';
  return new RuntError({
    code: 'ERR_USAGE',
    message: `${caller.command ?? 'spec'}: ${caller.name(option)} ${JSON.stringify(text)}${space}${problem}`,
  });
}

/** In a user namespace, its root must own both: overlayfs writes into them, and takes the root's owner from `upper`. */
function makeOverlay(spec: Spec, directory: string, euid: number): void {
  const { uid, gid } = rootIds(spec.linux);
  makeParents(`${directory}/`);
  for (const name of ['upper', 'work']) {
    const path = `${directory}/${name}`;
    if (!makeDir(path)) continue;
    // The mode of `upper` is that of the container's root directory, whatever the umask.
    const r = native.chmodAt(AT_FDCWD, path, 0o755);
    check(r, { code: 'ERR_IO', message: `set the mode of ${path}`, path, syscall: 'fchmodat' });
    if (euid !== 0 || (uid === 0 && gid === 0)) continue;
    const message = `make the container's root the owner of ${path}`;
    check(native.chownAt(AT_FDCWD, path, BigInt(uid), BigInt(gid)), {
      code: 'ERR_IO',
      message,
      path,
      syscall: 'fchownat',
    });
  }
}
