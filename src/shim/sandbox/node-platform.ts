/** The platform of this machine, in Go's names. */
import { check, RuntError } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import type { sandboxTypes } from './pod-protos.js';

/** e_machine of elf(5). */
const machines: Readonly<Record<number, { readonly architecture: string; readonly variant?: string }>> = {
  22: { architecture: 's390x' },
  62: { architecture: 'amd64' },
  183: { architecture: 'arm64', variant: 'v8' },
  243: { architecture: 'riscv64' },
};

/** That of this program. @throws RuntError ERR_IO, ERR_UNSUPPORTED */
export function platform(): sandboxTypes.Platform.$Properties {
  const path = '/proc/self/exe';
  const file = check(native.openAt(AT_FDCWD, path, 0, 0), { code: 'ERR_IO', message: `open ${path}`, path });
  const header = new Uint8Array(20);
  const read = native.read(file, header);
  native.close(file);
  check(read, { code: 'ERR_IO', message: `read ${path}`, path });
  const machine = new DataView(header.buffer).getUint16(18, true);
  const known = machines[machine];
  if (known) return { os: 'linux', ...known };
  throw new RuntError({
    code: 'ERR_UNSUPPORTED',
    message: `find the platform: machine ${machine} of elf(5) is not known`,
  });
}
