/** `runt spec`: writes a config.json, from the template or from the flags. */

import { hasOnlyV2 } from '../../cgroup/cgroup-facts.js';
import { bundleSpec } from '../../container/bundle/write-bundle.js';
import { defaultSpec } from '../../spec/default-config.js';
import { toJson } from '../../spec/json/exact-json.js';
import type { SpecOptions } from '../../spec/options/option-types.js';
import { callerIds } from '../../sys/caller-ids.js';
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { makeParents } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD, O_CREAT, O_EXCL } from '../../sys/linux.js';
import { absolute } from '../absolute-path.js';
import { usageError } from '../arguments.js';
import type { Call } from '../command-syntax.js';
import { findRoot } from '../root-flag.js';
import { flagOfOption, optionsOfFlags } from '../spec-flags.js';

export async function command({ global, flags, args }: Call<'spec'>): Promise<number> {
  const { bundle = '.', file = 'config.json', schema, force = false, ...specFlags } = flags;
  if (schema === '') throw usageError('spec', '--schema needs the URL of a JSON schema');
  const caller = { ...callerIds(), cgroupV2: hasOnlyV2() };
  const options: Record<string, unknown> = { ...optionsOfFlags('spec', specFlags), ...(args.length > 0 && { args }) };
  const path = absolute(file[0] === '/' ? file : `${bundle}/${file}`);
  const root = findRoot(global);
  const isPlain = Object.keys(options).every((key) => key === 'rootless');
  const spec = isPlain
    ? defaultSpec({ rootless: flags.rootless === true, ...caller })
    : await bundleSpec(options as SpecOptions, {
        ...caller,
        ...(root !== undefined && { root }),
        bundle: absolute(bundle),
        absolute,
        name: flagOfOption,
      });
  makeParents(path);
  // O_EXCL: only --force replaces an existing config.json, and then whole or not at all.
  const named = schema === undefined ? spec : { $schema: schema, ...spec };
  const text = host.encode(`${isPlain ? JSON.stringify(named, null, '\t') : toJson(named, '\t')}\n`);
  const result = force
    ? native.replaceFile(AT_FDCWD, path, 0o644, text)
    : native.writeFile(AT_FDCWD, path, O_CREAT | O_EXCL, 0o644, text);
  if (result < 0) {
    throw new RuntError({
      code: result === -E.EEXIST ? 'ERR_SPEC_EXISTS' : 'ERR_SPEC_WRITE',
      message: `write ${path}`,
      path,
      errno: -result,
      syscall: 'openat',
      ...(result === -E.EEXIST ? { hint: 'add --force to replace the file' } : {}),
    });
  }
  return 0;
}
