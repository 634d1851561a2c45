/** Where the state of containers is: below a directory of runt's, or of the engine's (the option `root`). */
import { check } from '../../sys/error.js';
import { tryReadText } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';

/** In the bundle, where it is not the usual one. */
const file = 'state-root';

/** Of the containers of a namespace. */
export const stateRoot = (namespace: string, directory = ''): string =>
  `${directory || '/run/containerd/runt'}/${namespace}`;

/** Writes down where the state of a bundle's container is. @throws RuntError ERR_IO */
export function rememberRoot(bundle: string, root: string): void {
  const path = `${bundle}/${file}`;
  check(native.replaceFile(AT_FDCWD, path, 0o600, host.encode(root)), {
    code: 'ERR_IO',
    message: `write down where the state is, in ${path}`,
    path,
  });
}

/** Where the state of a bundle's container is. */
export const rememberedRoot = (bundle: string, namespace: string): string =>
  tryReadText(`${bundle || '.'}/${file}`) ?? stateRoot(namespace);
