/** Reads what the compiler must know of the host. Touches nothing. */
import { cgroupWritable, readCgroupFacts } from '../cgroup/facts.js';
import type { HostFacts } from '../plan/facts.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, CAP_LAST, F_OK, X_OK } from '../sys/linux.js';
import { inUserNamespace } from './user-namespace.js';

/** Where newuidmap and newgidmap may be; PATH is not asked: they get the rights of root. */
const helperDirectories = ['/usr/bin', '/usr/local/bin', '/bin', '/usr/sbin'];

/** @throws RuntError ERR_IO when /proc cannot be read */
export function readHostFacts(rootless: 'true' | 'false' | 'auto'): HostFacts {
  const out = new Uint8Array(32);
  native.ids(out);
  const ids = new DataView(out.buffer);
  const euid = Number(ids.getBigInt64(8, true));
  const egid = Number(ids.getBigInt64(24, true));
  const isRootless = rootless === 'true' || (rootless === 'auto' && (euid !== 0 || inUserNamespace()));
  return {
    cgroup: readCgroupFacts(),
    euid,
    egid,
    rootless: isRootless,
    lastCapability: lastCapability(),
    cgroupWritable,
    kcore: native.access('/proc/kcore', F_OK) === 0,
    newuidmap: isRootless ? helper('newuidmap') : '',
    newgidmap: isRootless ? helper('newgidmap') : '',
  };
}

const helper = (name: string): string => {
  const directory = helperDirectories.find((d) => native.access(`${d}/${name}`, X_OK) === 0);
  return directory ? `${directory}/${name}` : '';
};

function lastCapability(): number {
  const text = small('/proc/sys/kernel/cap_last_cap').trim();
  return text === '' ? CAP_LAST : Number(text);
}

function small(path: string): string {
  const buffer = new Uint8Array(512);
  const n = native.readFile(AT_FDCWD, path, buffer);
  return n > 0 ? host.decode(buffer, n) : '';
}
