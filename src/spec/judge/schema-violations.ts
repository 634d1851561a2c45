/** Errors of the schema's validator as violations. */
import type { SchemaError } from '../../../build/gen/validate-config.js';
import type { Violation } from '../../sys/error.js';
import { escapeSegment, parsePointer, valueAt } from '../json/json-pointer.js';
import { suggestion } from './findings.js';

/** Headings of the runtime-spec's pages by field. */
const CONFIG: Readonly<Record<string, string>> = {
  ociVersion: 'specification-version',
  hooks: 'posix-platform-hooks',
  root: 'root',
  process: 'process',
  mounts: 'mounts',
  hostname: 'hostname',
  domainname: 'domainname',
  annotations: 'annotations',
};
const CONFIG_LINUX: Readonly<Record<string, string>> = {
  namespaces: 'namespaces',
  uidMappings: 'user-namespace-mappings',
  gidMappings: 'user-namespace-mappings',
  timeOffsets: 'offset-for-time-namespace',
  devices: 'devices',
  netDevices: 'network-devices',
  cgroupsPath: 'cgroups-path',
  resources: 'control-groups',
  intelRdt: 'intelrdt',
  memoryPolicy: 'memory-policy',
  sysctl: 'sysctl',
  seccomp: 'seccomp',
  rootfsPropagation: 'rootfs-mount-propagation',
  maskedPaths: 'masked-paths',
  readonlyPaths: 'readonly-paths',
  mountLabel: 'mount-label',
  personality: 'personality',
};

/** Page and heading of the runtime-spec for the field at a pointer. */
export function pageOf(pointer: string): string {
  const [section = '', field = ''] = parsePointer(pointer);
  const [page, headings, key] =
    section === 'linux'
      ? (['config-linux.md', CONFIG_LINUX, field] as const)
      : (['config.md', CONFIG, section] as const);
  return `runtime-spec ${page}${Object.hasOwn(headings, key) ? `#${headings[key]}` : ''}`;
}

/** One violation for each error of ajv, in its order. */
export function schemaViolations(errors: readonly SchemaError[], root: unknown): Violation[] {
  const violations: Violation[] = [];
  for (const error of errors) {
    const { params } = error;
    if (error.keyword === 'required') {
      const pointer = `${error.instancePath}/${escapeSegment(String(params.missingProperty))}`;
      violations.push({ pointer, expected: 'be given', see: pageOf(pointer) });
    } else if (error.propertyName !== undefined) {
      const pointer = `${error.instancePath}/${escapeSegment(error.propertyName)}`;
      violations.push({ pointer, expected: expectation(error, error.propertyName), see: pageOf(pointer) });
    } else {
      const pointer = error.instancePath;
      const value = valueAt(root, pointer);
      violations.push({ pointer, value, expected: expectation(error, value), see: pageOf(pointer) });
    }
  }
  return violations;
}

function expectation({ keyword, params }: SchemaError, value: unknown): string {
  switch (keyword) {
    case 'type':
      return `be ${withArticle(String(params.type))}`;
    case 'enum': {
      const allowed = (params.allowedValues as string[]).filter((name) => name !== '');
      const near = typeof value === 'string' ? suggestion(value, allowed) : '';
      return `be one of ${allowed.join(', ')}${near}`;
    }
    case 'minimum':
      return `be at least ${params.limit}`;
    case 'maximum':
      return `be at most ${limit(params.limit as number)}`;
    case 'minLength':
      return 'not be empty';
    case 'minItems':
      return 'have at least one entry';
    case 'minProperties':
      return 'have at least one property';
    case 'pattern':
      return 'have the form <size><unit>B with a unit of K, M or G, such as 64KB or 2MB';
    default:
      throw new Error(`no words for the schema's keyword ${keyword}`);
  }
}

function withArticle(type: string): string {
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

/** A double cannot hold the limits of 64-bit integers: returns the intended digits. */
function limit(n: number): string {
  return n === 2 ** 64 ? '18446744073709551615' : n === 2 ** 63 ? '9223372036854775807' : String(n);
}
