/** The state root of the shim's containers: runt's default, or the engine's option `root`. */
import { check } from '../../sys/error.js';
import { tryReadText } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';

/** File in the bundle that holds a state root other than the default. */
const file = 'state-root';

/** Directory of the state roots of all namespaces. */
export const shimRoot = '/run/containerd/runt';

/** The state root of a namespace's containers. */
export const stateRoot = (namespace: string, directory = ''): string => `${directory || shimRoot}/${namespace}`;

/** Records in the bundle which state root its container has. @throws RuntError ERR_IO */
export function storeRoot(bundle: string, root: string): void {
  const path = `${bundle}/${file}`;
  check(native.replaceFile(AT_FDCWD, path, 0o600, host.encode(root)), {
    code: 'ERR_IO',
    message: `record the state root in ${path}`,
    path,
  });
}

/** The recorded state root of a bundle's container, or the default. */
export const storedRoot = (bundle: string, namespace: string): string =>
  tryReadText(`${bundle || '.'}/${file}`) ?? stateRoot(namespace);
