/** Rules of `linux.sysctl`. */

import type { NamespaceType, Spec } from '../config-types.js';
import { escapeSegment } from '../json/json-pointer.js';
import type { Findings } from '../judge/findings.js';

const SEE = 'config-linux.md#sysctl';

/** Parameters of the IPC namespace outside fs.mqueue (ipc_namespaces(7)). */
const IPC =
  'kernel/auto_msgmni kernel/msg_next_id kernel/msgmax kernel/msgmnb kernel/msgmni kernel/sem kernel/sem_next_id ' +
  'kernel/shm_next_id kernel/shm_rmid_forced kernel/shmall kernel/shmmax kernel/shmmni';

export function sysctlRules(spec: Spec, findings: Findings): void {
  const namespaces = new Set(spec.linux?.namespaces?.map(({ type }) => type));
  const values = spec.linux?.sysctl ?? {};
  for (const key of Object.keys(values)) {
    const value = values[key] as string;
    const at = `/linux/sysctl/${escapeSegment(key)}`;
    const path = sysctlPath(key);
    if (path.split('/').some((part) => part === '' || part === '.' || part === '..')) {
      findings.refuse(at, key, 'be a kernel parameter such as net.ipv4.ip_forward', SEE);
      continue;
    }
    if (path === 'kernel/hostname') {
      findings.refuse(at, key, 'not be set here: hostname is the field for it', SEE);
      continue;
    }
    if (path === 'kernel/domainname' && spec.domainname !== undefined && value !== spec.domainname) {
      findings.refuse(at, value, 'equal domainname, the field for it, or be absent', SEE);
      continue;
    }
    const namespace = namespaceOf(path);
    if (namespace === undefined) {
      findings.refuse(at, key, 'belong to a namespace: it would change the host, where sysctl(8) sets it', SEE);
    } else if (!namespaces.has(namespace)) {
      const expected = `be absent, or linux.namespaces must have an entry of type ${namespace}: it would change the host`;
      findings.refuse(at, key, expected, SEE);
    }
  }
  if (spec.annotations && Object.hasOwn(spec.annotations, '')) {
    findings.refuse('/annotations/', '', 'have a key that is not empty', 'config.md#annotations');
  }
}

/** The namespace that a key of `linux.sysctl` applies to; undefined if all containers share the parameter. */
export const sysctlNamespace = (key: string): NamespaceType | undefined => namespaceOf(sysctlPath(key));

/** The namespace with its own value of a parameter; undefined if all containers share it. */
function namespaceOf(path: string): NamespaceType | undefined {
  if (path.startsWith('net/')) return 'network';
  if (path.startsWith('fs/mqueue/') || IPC.split(' ').includes(path)) return 'ipc';
  if (path === 'kernel/domainname') return 'uts';
  // Limits of a user namespace (namespaces(7)).
  if (path.startsWith('user/max_')) return 'user';
  return undefined;
}

/**
 * Path of a parameter below /proc/sys. As in sysctl(8), the first separator decides: in
 * `net.ipv4.conf.eth0/1.rp_filter` dots are separators, and the slash is a dot in a name.
 */
export function sysctlPath(key: string): string {
  const slash = key.indexOf('/');
  const dot = key.indexOf('.');
  if (slash >= 0 && (dot < 0 || slash < dot)) return key;
  let path = '';
  for (const c of key) path += c === '.' ? '/' : c === '/' ? '.' : c;
  return path;
}
