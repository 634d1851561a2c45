/** `hostname`, `domainname`, `linux.sysctl`: what the container's kernel view says. */
import type { Spec } from '../spec/types.js';
import type { Op } from './ops.js';

export function kernelOps(spec: Spec): Op[] {
  const ops: Op[] = [];
  if (spec.hostname) ops.push({ op: 'hostname', at: '/hostname', name: spec.hostname });
  if (spec.domainname) ops.push({ op: 'domainname', at: '/domainname', name: spec.domainname });
  const sysctl = spec.linux?.sysctl ?? {};
  for (const key of Object.keys(sysctl)) {
    const at = `/linux/sysctl/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    ops.push({ op: 'sysctl', at, key: sysctlPath(key), value: sysctl[key] as string });
  }
  return ops;
}

/**
 * Path below /proc/sys. As in sysctl(8), the first separator found tells which one is meant: `net.ipv4.conf.eth0/1.x`
 * has dots as separators and a slash that stands for a dot in a name.
 */
export function sysctlPath(key: string): string {
  const slash = key.indexOf('/');
  const dot = key.indexOf('.');
  if (slash >= 0 && (dot < 0 || slash < dot)) return key;
  let path = '';
  for (const c of key) path += c === '.' ? '/' : c === '/' ? '.' : c;
  return path;
}
