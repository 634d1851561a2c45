/** Rules of `linux.namespaces`, and of the fields that need one of them. */

import type { NamespaceType, Spec } from '../config-types.js';
import { escapeSegment } from '../json/json-pointer.js';
import type { Findings } from '../judge/findings.js';

const SEE = 'config-linux.md#namespaces';

export function namespaceRules(spec: Spec, findings: Findings): void {
  const seen = new Map<NamespaceType, number>();
  spec.linux?.namespaces?.forEach(({ type, path }, i) => {
    const first = seen.get(type);
    if (first !== undefined) {
      findings.refuse(`/linux/namespaces/${i}/type`, type, `occur once; /linux/namespaces/${first} has it too`, SEE);
    } else {
      seen.set(type, i);
    }
    if (path) findings.absolute(`/linux/namespaces/${i}/path`, path, SEE);
  });
  mountRule(spec, seen, findings);
  for (const name of ['hostname', 'domainname'] as const) nameRules(spec, name, seen.has('uts'), findings);
  timeRules(spec, seen.get('time'), findings);
  netDeviceRules(spec, seen.has('network'), findings);
}

/** A process in a new user namespace has no rights over an older mount namespace (mount_namespaces(7)). */
function mountRule(spec: Spec, seen: ReadonlyMap<NamespaceType, number>, findings: Findings): void {
  const at = (type: NamespaceType) => spec.linux?.namespaces?.[seen.get(type) ?? -1];
  const user = at('user');
  const path = at('mount')?.path;
  if (path && user && !user.path) {
    const pointer = `/linux/namespaces/${seen.get('mount')}/path`;
    findings.refuse(pointer, path, 'be absent: a new user namespace cannot mount in an existing mount namespace', SEE);
  }
}

function nameRules(spec: Spec, name: 'hostname' | 'domainname', uts: boolean, findings: Findings): void {
  const value = spec[name];
  if (!value) return;
  const see = `config.md#${name}`;
  if (!uts) {
    const expected = 'be absent, or linux.namespaces must have an entry of type uts: it would change the host';
    findings.refuse(`/${name}`, value, expected, see);
  }
  // Bytes, not characters: the kernel's limit is __NEW_UTS_LEN.
  if (utf8Length(value) > 64) findings.refuse(`/${name}`, value, 'be at most 64 bytes', `set${name}(2)`);
}

function utf8Length(text: string): number {
  let length = 0;
  for (const c of text) {
    const code = c.codePointAt(0)!;
    length += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return length;
}

function timeRules(spec: Spec, index: number | undefined, findings: Findings): void {
  const offsets = spec.linux?.timeOffsets;
  if (!offsets || Object.keys(offsets).length === 0) return;
  const see = 'config-linux.md#offset-for-time-namespace';
  if (index === undefined) {
    findings.refuse(
      '/linux/timeOffsets',
      offsets,
      'be absent, or linux.namespaces must have an entry of type time',
      see,
    );
  } else if (spec.linux?.namespaces?.[index]?.path) {
    // The kernel only accepts offsets before the first process is in the namespace (time_namespaces(7)).
    const expected = `be absent: /linux/namespaces/${index} joins a time namespace, which has its own offsets`;
    findings.refuse('/linux/timeOffsets', offsets, expected, see);
  }
}

function netDeviceRules(spec: Spec, network: boolean, findings: Findings): void {
  const devices = spec.linux?.netDevices;
  const names = Object.keys(devices ?? {});
  if (!devices || names.length === 0) return;
  const see = 'config-linux.md#network-devices';
  if (!network) {
    findings.refuse(
      '/linux/netDevices',
      devices,
      'be absent, or linux.namespaces must have an entry of type network',
      see,
    );
  }
  const inside = new Map<string, string>();
  for (const name of names) {
    const at = `/linux/netDevices/${escapeSegment(name)}`;
    if (!isInterfaceName(name)) findings.refuse(at, name, 'be the name of a network interface', see);
    const renamed = devices[name]!.name;
    if (renamed && !isInterfaceName(renamed)) {
      findings.refuse(`${at}/name`, renamed, 'be a valid name of a network interface', see);
    }
    const target = renamed || name;
    const other = inside.get(target);
    if (other !== undefined) {
      findings.refuse(at, target, `not have the name that ${other} gets in the container`, see);
    }
    inside.set(target, name);
  }
}

/** dev_valid_name() of the kernel: 1 to 15 bytes, not `.` or `..`, no slash, colon or white space. */
function isInterfaceName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && utf8Length(name) <= 15 && !/[/:\s]/.test(name);
}
