/** SELinux labels of a pod (selinux(8), "multi-category security"): each pod has categories of its own. */
import { readHostFacts } from '../../container/launch/read-host-facts.js';
import { tryReadText } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import type { pod } from './pod-protos.js';

/** Categories of the policy that containers get: c0 to c1023. */
const categories = 1024;

interface PodLabels {
  readonly process: string;
  readonly mount: string;
}

/**
 * The labels that the policy has for containers, changed by the pod's options; undefined if SELinux is off or the
 * policy has none. @param isUsed whether another pod has this level
 */
export function podLabels(
  options: pod.SELinuxOption.$Properties | null | undefined,
  isUsed: (level: string) => boolean,
): PodLabels | undefined {
  if (!readHostFacts().selinux()) return undefined;
  const type = /^\s*SELINUXTYPE\s*=\s*(\S+)/m.exec(tryReadText('/etc/selinux/config') ?? '')?.[1] ?? 'targeted';
  const contexts = tryReadText(`/etc/selinux/${type}/contexts/lxc_contexts`) ?? '';
  const context = (name: string) => new RegExp(`^\\s*${name}\\s*=\\s*"([^"]+)"`, 'm').exec(contexts)?.[1];
  const [process, file] = [context('process'), context('file')];
  if (!process || !file) return undefined;
  const [user = '', role = '', domain = '', sensitivity = 's0'] = process.split(':');
  const [fileUser = '', fileRole = '', fileType = ''] = file.split(':');
  const level = options?.level || unusedLevel(sensitivity, isUsed);
  return {
    process: [options?.user || user, options?.role || role, options?.type || domain, level].join(':'),
    mount: [options?.user || fileUser, fileRole, fileType, level].join(':'),
  };
}

/** The level of a label, with the colons in it. */
export const levelOf = (label: string): string => label.split(':').slice(3).join(':');

/** Two categories that no pod of this server has; with half a million pairs a free one is found at once. */
function unusedLevel(sensitivity: string, isUsed: (level: string) => boolean): string {
  for (let seed = Number(native.monotonic() % 1_000_003n); ; seed++) {
    const first = (seed * 7919) % categories;
    const second = (seed * 104_729 + 1) % categories;
    if (first === second) continue;
    const level = `${sensitivity}:c${Math.min(first, second)},c${Math.max(first, second)}`;
    if (!isUsed(level)) return level;
  }
}
