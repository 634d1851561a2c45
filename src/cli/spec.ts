/** `runt spec`: writes a starter config.json. */
import { defaultSpec } from '../spec/defaults.js';
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, O_CREAT, O_EXCL } from '../sys/linux.js';
import { absolute } from './path.js';
import type { Call } from './syntax.js';

export function command({ flags }: Call<'spec'>): number {
  const ids = new DataView(new ArrayBuffer(32));
  native.ids(new Uint8Array(ids.buffer));
  const spec = defaultSpec({
    rootless: flags.rootless === true,
    uid: Number(ids.getBigInt64(8, true)),
    gid: Number(ids.getBigInt64(24, true)),
  });
  const path = absolute(`${flags.bundle ?? '.'}/config.json`);
  // O_EXCL: a config.json that someone wrote is never overwritten.
  const result = native.writeFile(
    AT_FDCWD,
    path,
    O_CREAT | O_EXCL,
    0o644,
    host.encode(`${JSON.stringify(spec, null, '\t')}\n`),
  );
  if (result < 0) {
    throw new RuntError({
      code: result === -E.EEXIST ? 'ERR_SPEC_EXISTS' : 'ERR_SPEC_WRITE',
      message: `write ${path}`,
      path,
      errno: -result,
      syscall: 'openat',
      ...(result === -E.EEXIST ? { hint: 'an existing config.json is never overwritten; remove it first' } : {}),
    });
  }
  return 0;
}
